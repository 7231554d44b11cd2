//! Ranking the tables of a built index.

use build_index::Builder;
use interrogate::Error;
use interrogate::encoder::Features;
use interrogate::error::RowsError;
use interrogate::index::{Index, Match};
use interrogate::rank::Order;

use crate::fake::Fake;
use crate::{build, builder, dictionary, features, labels};

fn index(fake: &Fake) -> (tempfile::TempDir, Index) {
    let folder = tempfile::tempdir().unwrap();
    let dictionaries =
        [dictionary("flavors.txt", &labels(100)), dictionary("mediums.txt", &["oil", "label 0"])];
    build(&builder(fake), &dictionaries, folder.path()).unwrap();
    let index = Index::open(folder.path()).unwrap();
    (folder, index)
}

fn names<'a>(matches: &[Match<'a>]) -> Vec<(&'a str, &'a str, usize)> {
    matches.iter().map(|m| (m.table, m.label, m.row)).collect()
}

#[test]
fn best_matching_label_comes_first() {
    let fake = Fake::new(32);
    let (_folder, index) = index(&fake);
    let flavors = index.table("flavors").unwrap();
    for row in [0, 39, 40, 99] {
        let label = flavors.label(row).unwrap();
        let matches = flavors.rank(&features(&fake, label), 3).unwrap();
        assert_eq!(matches.len(), 3);
        assert_eq!(names(&matches)[0], ("flavors", label, row));
        assert!((matches[0].score - 1.0).abs() < 1e-3);
        assert!(matches.is_sorted_by(|a, b| a.score >= b.score));
    }
}

#[test]
fn merged_tables_break_ties_by_table_order() {
    let fake = Fake::new(32);
    let (_folder, index) = index(&fake);
    let image = features(&fake, "label 0");
    let first_two = |tables: &[&str]| {
        let merged = index.merged(tables).unwrap();
        assert_eq!(merged.len(), 102);
        names(&merged.rank(&image, 2).unwrap())
    };
    let (flavor, medium) = (("flavors", "label 0", 0), ("mediums", "label 0", 1));
    assert_eq!(first_two(&["flavors", "mediums"]), [flavor, medium]);
    assert_eq!(first_two(&["mediums", "flavors"]), [medium, flavor]);
}

#[test]
fn batched_ranking_equals_single_ranking_in_both_orders() {
    let fake = Fake::new(32);
    let (_folder, index) = index(&fake);
    let flavors = index.table("flavors").unwrap();
    let images = ["label 0", "label x1", "oil"].map(|label| features(&fake, label));
    let together = flavors.rank_many(&images, 5, Order::Best).unwrap();
    for (image, ranked) in images.iter().zip(&together) {
        assert_eq!(names(&flavors.rank(image, 5).unwrap()), names(ranked));
    }
    let best = flavors.rank(&images[0], 100).unwrap();
    let worst = flavors.rank_many(&images[..1], 3, Order::Worst).unwrap();
    assert_eq!(worst[0][0].score, best[99].score);
    assert!(worst[0].is_sorted_by(|a, b| a.score <= b.score));
}

#[test]
fn k_may_be_zero_or_all_labels() {
    let fake = Fake::new(32);
    let (_folder, index) = index(&fake);
    let mediums = index.table("mediums").unwrap();
    let image = features(&fake, "oil");
    assert_eq!(mediums.rank(&image, 0).unwrap(), []);
    assert_eq!(mediums.rank(&image, 1000).unwrap().len(), 2);
    assert_eq!(index.merged(&[]).unwrap().rank(&image, 3).unwrap(), []);
}

#[test]
fn features_of_another_width_are_refused() {
    let fake = Fake::new(32);
    let (_folder, index) = index(&fake);
    let narrow = Features::new(vec![1.0; 8]).unwrap();
    let error = index.table("flavors").unwrap().rank(&narrow, 3).unwrap_err();
    assert!(matches!(error, Error::Rows(RowsError::Dim { expected: 32, found: 8, .. })), "{error}");
}

/// Threads share an index or open their own; tables are ranked alone and merged.
#[test]
fn concurrent_rankings_equal_a_single_one() {
    let fake = Fake::new(64);
    let folder = tempfile::tempdir().unwrap();
    let dictionaries =
        [dictionary("flavors.txt", &labels(3_000)), dictionary("mediums.txt", &labels(70))];
    let builder = Builder::new(&fake, "fake", "f1").shard_rows(1_000);
    build(&builder, &dictionaries, folder.path()).unwrap();
    let images: Vec<Features> = (0..8).map(|n| features(&fake, &format!("image {n}"))).collect();
    let answers = |index: &Index| -> Vec<(String, usize, u32)> {
        let alone = index.table("flavors").unwrap().rank_many(&images, 20, Order::Best);
        let merged = index.merged(&["mediums", "flavors"]).unwrap();
        let merged = merged.rank_many(&images, 5, Order::Worst);
        let all = [alone.unwrap(), merged.unwrap()].concat().concat();
        all.iter().map(|m| (m.label.to_owned(), m.row, m.score.to_bits())).collect()
    };
    let index = Index::open(folder.path()).unwrap();
    let one = answers(&index);
    let start = std::sync::Barrier::new(64);
    std::thread::scope(|scope| {
        for thread in 0..64 {
            let (index, one, answers, start) = (&index, &one, &answers, &start);
            let folder = folder.path();
            scope.spawn(move || {
                start.wait();
                for _ in 0..4 {
                    match thread % 2 {
                        0 => assert_eq!(answers(index), *one),
                        _ => assert_eq!(answers(&Index::open(folder).unwrap()), *one),
                    }
                }
            });
        }
    });
}
