//! The order of a ranking, and its tie rule.

/// Which end of the ranking comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// The highest scores, highest first.
    #[default]
    Best,
    /// The lowest scores, lowest first.
    Worst,
}

impl Order {
    /// The factor that makes the greater score rank first.
    pub(super) fn sign(self) -> f32 {
        match self {
            Order::Best => 1.0,
            Order::Worst => -1.0,
        }
    }
}

/// A match: one row of a ranking.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hit {
    /// The row number, counted over all blocks.
    pub row: usize,
    /// The cosine of row and query.
    pub score: f32,
}

/// A row in a ranking. Entries compare in ranking order: the first row is the least entry.
///
/// The order is total and no two rows are equal in it, so "the first `k`" is one set, however
/// the rows are split among threads and in whatever order they arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    /// The score as an integer: the smaller key ranks first.
    pub(super) key: u32,
    /// The tie rule: of equal scores the lower row ranks first.
    pub(super) row: usize,
}

impl Entry {
    /// Ranks after every row.
    pub(super) const LAST: Entry = Entry { key: u32::MAX, row: usize::MAX };
}

/// Converts a score to a key that orders as scores rank. Both zeros have one key, and NaN has
/// the greatest.
///
/// IEEE 754 floats of one sign order as their bits do; setting the sign bit of the positive ones
/// and flipping all bits of the negative ones joins the two halves. Only NaN maps to `u32::MAX`.
pub(super) fn key(score: f32, order: Order) -> u32 {
    let bits = (score + 0.0).to_bits(); // -0 + 0 = +0
    let ascending = if bits >> 31 == 1 { !bits } else { bits | 1 << 31 };
    match (score.is_nan(), order) {
        (true, _) => u32::MAX,
        (_, Order::Best) => !ascending,
        (_, Order::Worst) => ascending,
    }
}

/// Converts a key back to its score.
pub(super) fn score(key: u32, order: Order) -> f32 {
    let ascending = match order {
        Order::Best => !key,
        Order::Worst => key,
    };
    f32::from_bits(if ascending >> 31 == 1 { ascending ^ 1 << 31 } else { !ascending })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_rank_before_nan() {
        let numbers = [f32::MIN, f32::NEG_INFINITY, f32::INFINITY, -f32::from_bits(1), 0.5];
        for order in [Order::Best, Order::Worst] {
            let nans = [f32::NAN, -f32::NAN, f32::from_bits(0x7fff_ffff), f32::from_bits(u32::MAX)];
            assert!(nans.iter().all(|&nan| key(nan, order) == u32::MAX));
            assert!(numbers.iter().all(|&number| key(number, order) < u32::MAX));
            assert!(score(u32::MAX, order).is_nan());
        }
    }

    #[test]
    fn keys_convert_back_to_scores() {
        for order in [Order::Best, Order::Worst] {
            for s in [0.0, 1.0, -1.0, 1e-45, -1e-45, f32::MAX, f32::NEG_INFINITY] {
                assert_eq!(score(key(s, order), order).to_bits(), s.to_bits());
            }
            assert_eq!(score(key(-0.0, order), order).to_bits(), 0);
        }
    }
}
