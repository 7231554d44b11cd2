//! Decoding of the kernels' results.

use super::super::order::{key, score};
use super::super::{Hit, Order};
use super::Found;
use super::rescore::{CoarseTop, RestBound};

/// The header of a ranking that is decided: DECIDED of the source.
pub(super) const DECIDED: u64 = 1;

/// The bound of a result that has all rows: NO_BOUND of the source.
pub(super) const NO_BOUND: u32 = u32::MAX;

/// Decodes a query's result by resident rows: whether it is decided, and true keys.
pub(super) fn ranking(record: &[u64], order: Order) -> Found {
    match record {
        [DECIDED, keys @ ..] => {
            let hit = |&true_key: &u64| {
                // Scores of zero are positive in `dot`, whose sums start at +0.
                let found = order.sign() * score_of(true_key) + 0.0;
                let row = (u32::MAX - true_key as u32) as usize;
                Hit { row, score: score(key(found, order), order) }
            };
            Found::Hits(keys.iter().map(hit).collect())
        }
        _ => Found::Undecided,
    }
}

/// Decodes a query's result by streamed rows: the bound of other rows and the number of entries,
/// and entries.
pub(super) fn candidates(record: &[u64]) -> Found {
    let Some((&header, entries)) = record.split_first() else { return Found::Undecided };
    let rows = entries.iter().take(header as u32 as usize).map(|&entry| entry as u32).collect();
    let bits = (header >> 32) as u32;
    let bound = RestBound { max_score: f32::from_bits(bits), error: 0.0 };
    Found::Rows(CoarseTop { rows, rest: (bits != NO_BOUND).then_some(bound) })
}

/// The score in a true key; 0 stands for NaN.
fn score_of(true_key: u64) -> f32 {
    match (true_key >> 32) as u32 {
        0 => f32::NAN,
        ordered if ordered >> 31 == 1 => f32::from_bits(ordered ^ 1 << 31),
        ordered => f32::from_bits(!ordered),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_decode_to_scores() {
        for score in [0.25f32, -0.5, 0.0, f32::INFINITY, f32::NEG_INFINITY] {
            let bits = score.to_bits();
            let ordered = if bits >> 31 == 1 { !bits } else { bits | 1 << 31 };
            assert_eq!(score_of(u64::from(ordered) << 32), score);
        }
        assert!(score_of(7).is_nan());
    }

    #[test]
    fn constants_match_the_source() {
        let source = include_str!("kernels/rescore.cu");
        assert!(source.contains(&format!("#define DECIDED {DECIDED}\n")));
        assert!(source.contains(&format!("#define NO_BOUND {NO_BOUND:#x}u ")));
    }
}
