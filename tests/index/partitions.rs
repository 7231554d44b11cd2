//! Rankings over several indexes of one model.

use interrogate::encoder::Features;
use interrogate::index::{Index, Match, Merged, TableRef};
use interrogate::rank::Order;

use crate::fake::Fake;
use crate::{build, builder, dictionary, features, labels};

/// Builds an index of each list of labels, in the table `t`.
fn indexes(lists: &[&[String]], folder: &std::path::Path) -> Vec<Index> {
    let index = |(number, labels): (usize, &&[String])| {
        let folder = folder.join(number.to_string());
        build(&builder(&Fake::new(8)), &[dictionary("t.txt", labels)], &folder).unwrap();
        Index::open(&folder).unwrap()
    };
    lists.iter().enumerate().map(index).collect()
}

fn merged<'a>(indexes: &'a [Index], name: &str) -> Merged<'a> {
    Merged::new(TableRef::find_all(name, &[], indexes).unwrap()).unwrap()
}

/// Labels, and the bits of scores.
fn without_rows(ranked: &[Vec<Match<'_>>]) -> Vec<Vec<(String, u32)>> {
    let of = |found: &Match<'_>| (found.label.to_owned(), found.score.to_bits());
    ranked.iter().map(|matches| matches.iter().map(of).collect()).collect()
}

#[test]
fn ranking_over_indexes_equals_that_of_one_index() {
    let folder = tempfile::tempdir().unwrap();
    let all = labels(700);
    let one = indexes(&[&all], &folder.path().join("one"));
    let parts = [&all[..1], &all[1..400], &all[400..]];
    let several = indexes(&parts, &folder.path().join("several"));
    let fake = Fake::new(8);
    let images: Vec<Features> = (0..12).map(|n| features(&fake, &format!("image {n}"))).collect();
    let (one, several) = (merged(&one, "t"), merged(&several, "t"));
    for order in [Order::Best, Order::Worst] {
        for k in [1, 10, 699, 700, 1000] {
            let expected = one.rank_many(&images, k, order).unwrap();
            let found = several.rank_many(&images, k, order).unwrap();
            assert_eq!(without_rows(&found), without_rows(&expected), "{order:?} {k}");
        }
    }
    let probabilities = |merged: &Merged<'_>| -> Vec<f64> {
        merged.softmax(&images).unwrap().iter().map(|softmax| softmax.probability(0.5)).collect()
    };
    for (a, b) in probabilities(&one).iter().zip(probabilities(&several)) {
        assert!((a - b).abs() <= 1e-12 * a, "{a} {b}");
    }
}

#[test]
fn equal_scores_are_ordered_by_folder_then_row() {
    let folder = tempfile::tempdir().unwrap();
    let list = |labels: &[&str]| -> Vec<String> { labels.iter().map(|&l| l.to_owned()).collect() };
    let (a, b) = (list(&["x", "same"]), list(&["same", "y"]));
    let mut indexes = indexes(&[&a, &b], folder.path());
    let image = features(&Fake::new(8), "same");
    let rows = |indexes: &[Index]| -> Vec<usize> {
        let found = merged(indexes, "t").rank(&image, 2).unwrap();
        assert!(found.iter().all(|found| found.label == "same"));
        found.iter().map(|found| found.row).collect()
    };
    assert_eq!(rows(&indexes), [1, 0]);
    indexes.reverse();
    assert_eq!(rows(&indexes), [0, 1]);
}

#[test]
fn table_may_be_in_some_of_the_indexes() {
    let folder = tempfile::tempdir().unwrap();
    let all = labels(9);
    let mut indexes = indexes(&[&all[..5], &all[5..]], folder.path());
    let other = folder.path().join("other");
    build(&builder(&Fake::new(8)), &[dictionary("u.txt", &["z"])], &other).unwrap();
    indexes.insert(1, Index::open(&other).unwrap());
    assert_eq!(merged(&indexes, "t").len(), 9);
    assert_eq!(merged(&indexes, "u").len(), 1);
    let error = TableRef::find_all("v", &[], &indexes).unwrap_err();
    assert!(error.to_string().ends_with(" has no table \"v\""), "{error}");
    assert_eq!(error.hint().unwrap(), "its tables are t, u");
}
