//! Ranking tables on a device.

use std::path::Path;

use super::*;
use crate::encoder::{Embeddings, Features, TextEncoder, Tokens};
use crate::nn::devices;
use crate::rank::Order;

fn open() -> Index {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/index-v1-codes");
    Index::open(&folder).unwrap()
}

#[test]
fn tables_rank_on_a_device_as_on_the_cpu() {
    let plain = open();
    let names: Vec<&str> = plain.tables().iter().map(Table::name).collect();
    let features: Vec<Features> = (0..3)
        .map(|seed| (0..plain.dim()).map(|d| ((d * 7 + seed) as f32).sin()).collect())
        .map(|values| Features::new(values).unwrap())
        .collect();
    for device in devices() {
        let mut on_device = open();
        for (number, table) in on_device.tables.iter_mut().enumerate() {
            // The first table stays on the CPU.
            if number > 0 || plain.tables().len() == 1 {
                table.set_ranker(Some(DeviceRanker::of_handle(device.clone())));
            }
        }
        for k in [0, 1, 5, usize::MAX] {
            for order in [Order::Best, Order::Worst] {
                let rank = |index: &Index| {
                    let merged = index.merged(&names).unwrap();
                    let ranked = merged.rank_many(&features, k, order).unwrap();
                    let key = |m: &Match<'_>| (m.table.to_owned(), m.row, m.score.to_bits());
                    ranked.iter().map(|all| all.iter().map(key).collect()).collect::<Vec<Vec<_>>>()
                };
                // Twice: the second ranking uses the rows that are on the device.
                let expected = rank(&plain);
                assert_eq!(rank(&on_device), expected, "{device:?} {k} {order:?}");
                assert_eq!(rank(&on_device), expected, "{device:?} {k} {order:?}");
            }
        }
        let by_quota = |index: &Index| {
            let merged = index.merged(&names).unwrap();
            let ranked = merged.rank_by_quota(&features, 1, Order::Best, 4).unwrap();
            ranked.iter().flatten().map(|m| (m.row, m.score.to_bits())).collect::<Vec<_>>()
        };
        assert_eq!(by_quota(&on_device), by_quota(&plain));
    }
}

/// An encoder of texts that are numbers.
struct Numbers;

impl TextEncoder for Numbers {
    fn dim(&self) -> usize {
        8
    }

    fn tokenize(&self, texts: &[&str]) -> Result<Tokens> {
        let mut tokens = Tokens::new();
        texts.iter().for_each(|text| tokens.push(&[text.parse().unwrap()]));
        Ok(tokens)
    }

    fn embed(&self, tokens: &Tokens) -> Result<Embeddings> {
        let value = |(ids, d): (&[u32], u32)| ((ids[0] * 7 + d * 3) as f32).sin() + 0.01;
        let values = tokens.iter().flat_map(|ids| (0..8).map(move |d| value((ids, d))));
        Embeddings::new(8, values.collect())
    }
}

#[test]
fn custom_tables_rank_on_a_device_as_on_the_cpu() {
    let labels = (0..300).map(|number: u32| number.to_string()).collect();
    let plain = CustomTable::encode("numbers", None, labels, &Numbers, |_| ()).unwrap();
    let features = Features::new((0..8u8).map(|d| f32::from(d).cos()).collect()).unwrap();
    let rank = |table: &CustomTable| {
        let merged = Merged::new(vec![TableRef::Custom(table)]).unwrap();
        let ranked = merged.rank(&features, 9).unwrap();
        ranked.iter().map(|m| (m.row, m.score.to_bits())).collect::<Vec<_>>()
    };
    for device in devices() {
        let mut on_device = plain.clone();
        on_device.set_ranker(DeviceRanker::of_handle(device));
        assert_eq!(rank(&on_device), rank(&plain));
    }
}

#[test]
fn choosing_the_cpu_changes_nothing() {
    let index = open().on(Device::Cpu).unwrap();
    assert!(index.tables().iter().all(|table| table.ranker().is_none()));
}
