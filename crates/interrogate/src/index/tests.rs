//! An index whose tables are ranked elsewhere than on the processor.

use std::path::Path;

use super::*;
use crate::encoder::Features;
use crate::rank::Order;
use crate::rank::device::devices;

fn open() -> Index {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/index-v1-codes");
    Index::open(&folder).unwrap()
}

#[test]
fn tables_on_a_device_rank_as_they_do_on_the_processor() {
    let plain = open();
    let names: Vec<&str> = plain.tables().iter().map(Table::name).collect();
    let features: Vec<Features> = (0..3)
        .map(|seed| (0..plain.dim()).map(|d| ((d * 7 + seed) as f32).sin()).collect())
        .map(|values| Features::new(values).unwrap())
        .collect();
    for device in devices() {
        let mut placed = open();
        for (number, table) in placed.tables.iter_mut().enumerate() {
            // All but the first, which stays on the processor.
            if number > 0 || plain.tables().len() == 1 {
                table.put(Some(Place::of_engine(device.clone())));
            }
        }
        for k in [0, 1, 5, usize::MAX] {
            for order in [Order::Best, Order::Worst] {
                let rank = |index: &Index| {
                    let merged = index.merged(&names).unwrap();
                    let ranked = merged.rank_many(&features, k, order).unwrap();
                    let told = |m: &Match<'_>| (m.table.to_owned(), m.row, m.score.to_bits());
                    ranked.iter().map(|all| all.iter().map(told).collect()).collect::<Vec<Vec<_>>>()
                };
                // Twice: the second time the rows are there.
                let expected = rank(&plain);
                assert_eq!(rank(&placed), expected, "{device:?} {k} {order:?}");
                assert_eq!(rank(&placed), expected, "{device:?} {k} {order:?}");
            }
        }
        let error = placed.merged(&names).unwrap().rank_by_quota(&features, 1, Order::Best, 4);
        let error = error.unwrap_err().to_string();
        assert!(error.starts_with("clip-interrogator's ranking by quota computes on"), "{error}");
    }
}

#[test]
fn an_index_on_the_processor_is_as_it_was() {
    let index = open().on(Device::Cpu).unwrap();
    assert!(index.tables().iter().all(|table| table.place().is_none()));
}
