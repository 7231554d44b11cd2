//! Rankings over the committed indexes: the same labels with the same bits in every version.
//!
//! tests/fixtures/rankings/make.py computed the expected rankings from the format and the
//! definition of a score, without this code.

use std::fs;
use std::path::{Path, PathBuf};

use interrogate::encoder::Features;
use interrogate::index::{Index, Match};
use interrogate::rank::Order;
use serde::Deserialize;

/// A file of expected rankings.
#[derive(Deserialize)]
struct Golden {
    queries: Vec<Vec<f32>>,
    rankings: Vec<Ranking>,
}

#[derive(Deserialize)]
struct Ranking {
    /// Which of the queries.
    query: usize,
    tables: Vec<String>,
    order: String,
    k: usize,
    /// Table, row in it, bits of the score in hexadecimal digits.
    matches: Vec<(String, usize, String)>,
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures")
}

/// Compares rankings over the index `name` with the file `golden`: each query alone, and all
/// of them in one pass.
fn compare(name: &str, golden: &str) {
    let index = Index::open(&fixtures().join(name)).unwrap();
    let text = fs::read(fixtures().join("rankings").join(golden)).unwrap();
    let golden: Golden = serde_json::from_slice(&text).unwrap();
    assert!(golden.rankings.len() >= 4 * golden.queries.len());
    let queries: Vec<Features> =
        golden.queries.into_iter().map(|values| Features::new(values).unwrap()).collect();
    for Ranking { query, tables, order, k, matches } in golden.rankings {
        let names: Vec<&str> = tables.iter().map(String::as_str).collect();
        let merged = index.merged(&names).unwrap();
        let order = if order == "best" { Order::Best } else { Order::Worst };
        let case = format!("{name}, query {query}, {tables:?}, {order:?}");
        let alone = merged.rank_many(&queries[query..=query], k, order).unwrap();
        assert_eq!(found(&alone[0]), matches, "{case}, alone");
        let together = merged.rank_many(&queries, k, order).unwrap();
        assert_eq!(found(&together[query]), matches, "{case}, together");
        for one in &alone[0] {
            assert_eq!(index.table(one.table).unwrap().label(one.row).unwrap(), one.label);
        }
    }
}

fn found(matches: &[Match<'_>]) -> Vec<(String, usize, String)> {
    let one =
        |one: &Match<'_>| (one.table.to_owned(), one.row, format!("{:08x}", one.score.to_bits()));
    matches.iter().map(one).collect()
}

#[test]
fn index_of_format_1_gives_its_golden_rankings() {
    compare("index-v1", "index-v1.json");
}

/// The same rows with codes, so that not every row is scored, and in format 2, where codes
/// have a spread.
#[test]
fn codes_change_no_ranking() {
    compare("index-v1-codes", "index-v1.json");
    compare("index-v2", "index-v1.json");
}
