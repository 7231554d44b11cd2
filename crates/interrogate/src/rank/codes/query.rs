//! A query in integers: fine, in two parts of eight bits, and coarse, in one.
//!
//! `Q = round(q / step)` has up to 15 bits and is split into `Q = 2^bits high +
//! low`, both i8. The fine product `Q.codes = 2^bits (high.codes) + (low.codes)` costs
//! a second product of eight bits and takes the query's own rounding out of the
//! bound: it is 2^bits times less than that of the high part alone.

/// Bytes that lie behind a part up to a multiple of this are zero.
pub(in crate::rank) const LINE: usize = 64;

/// A part of a query: 64 values a line, zeros behind the dim.
pub(in crate::rank) type Part = Vec<[i8; LINE]>;

/// A query in integers, with how far it is from them.
#[derive(Clone, Debug)]
pub(in crate::rank) struct Query {
    pub(in crate::rank) high: Part,
    pub(in crate::rank) low: Part,
    /// What the high part is multiplied by, as a power of two.
    pub(in crate::rank) bits: u32,
    /// What a row of 128 throughout adds to a sum, modulo 2^32: what comes off where
    /// codes are multiplied with 128 added to each.
    pub(in crate::rank) added: i32,
    /// `|q|`
    pub(in crate::rank) length: f64,
    /// `q = step (2^bits high + low)` but for `error`.
    pub(in crate::rank) step: f64,
    /// `|d|` of both parts together.
    pub(in crate::rank) error: f64,
    /// `|d|` of the high part alone.
    pub(in crate::rank) coarse_error: f64,
}

impl Query {
    /// Codes `query`.
    pub(in crate::rank) fn new(query: &[f32]) -> Self {
        let bits = bits(query.len());
        let unit = f64::from(1u32 << bits);
        let most = query.iter().fold(0.0, |most: f64, &q| most.max(f64::from(q).abs()));
        let step = most.max(f64::from(f32::MIN_POSITIVE)) / (127.0 * unit);
        let lines = query.len().div_ceil(LINE);
        let (mut high, mut low) = (vec![[0; LINE]; lines], vec![[0; LINE]; lines]);
        let (mut length, mut error, mut coarse_error) = (0.0, 0.0, 0.0);
        for (i, &value) in query.iter().enumerate() {
            let q = f64::from(value);
            let whole = (q / step).round_ties_even(); // at most 127 * 2^bits
            let upper = (whole / unit + 0.5).floor();
            high[i / LINE][i % LINE] = upper as i8;
            low[i / LINE][i % LINE] = (whole - upper * unit) as i8;
            length += q * q;
            error += (q - step * whole).powi(2);
            coarse_error += (q - step * unit * upper).powi(2);
        }
        let sum = |part: &Part| part.as_flattened().iter().map(|&v| i32::from(v)).sum::<i32>();
        let added = (sum(&high) << bits).wrapping_add(sum(&low)).wrapping_mul(128);
        let [length, error, coarse_error] = [length, error, coarse_error].map(f64::sqrt);
        Query { high, low, bits, added, length, step, error, coarse_error }
    }

    /// What the high part alone is multiplied by.
    pub(in crate::rank) fn coarse_step(&self) -> f64 {
        self.step * f64::from(1u32 << self.bits)
    }
}

/// Bits of the low part: at most eight, and so many that a product with codes, at
/// most `127 * 127 * 2^bits * dim`, is an i32.
fn bits(dim: usize) -> u32 {
    let most = (i32::MAX as usize / (127 * 127 * dim.max(1))).max(1);
    most.ilog2().min(8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_parts_together_are_the_query() {
        let values: Vec<f32> = (0..100).map(|i| ((i * 37 % 101) as f32 - 50.0) / 300.0).collect();
        let query = Query::new(&values);
        assert_eq!((query.bits, query.high.len()), (8, 2));
        let mut squares = [0.0f64; 2];
        for (i, &value) in values.iter().enumerate() {
            let (high, low) = (query.high[i / LINE][i % LINE], query.low[i / LINE][i % LINE]);
            let fine = f64::from(high) * 256.0 + f64::from(low);
            let both = [fine * query.step, f64::from(high) * query.coarse_step()];
            squares.iter_mut().zip(both).for_each(|(s, v)| *s += (v - f64::from(value)).powi(2));
        }
        let [error, coarse_error] = squares.map(f64::sqrt);
        assert!((error - query.error).abs() < 1e-12 && query.error < 1e-4);
        assert!((coarse_error - query.coarse_error).abs() < 1e-12);
        assert!(query.coarse_error > 100.0 * query.error);
        assert!(query.high[1][36..].iter().chain(&query.low[1][36..]).all(|&v| v == 0));
    }

    #[test]
    fn no_product_of_any_width_leaves_an_i32() {
        for dim in [1, 2, 512, 768, 1024, 1280, 2048, 65_536] {
            let most = 127.0 * 127.0 * 2f64.powi(bits(dim) as i32) * dim as f64;
            assert!(most < f64::from(i32::MAX), "{dim}");
        }
        assert_eq!([512, 768, 1280, 65_536].map(bits), [8, 7, 6, 1]);
    }
}
