//! A query in integers: two parts of eight bits, for fine and coarse products.
//!
//! `Q = round(wq / step)` has up to 15 bits and is split into two i8 parts:
//!
//! ```text
//! Q = 2^bits high + low
//! Q.codes = 2^bits (high.codes) + (low.codes)
//! ```
//!
//! The coarse product uses the high part alone. The fine product costs a second product and
//! reduces the query's rounding error 2^bits times. `w` is the spread of the rows, so a query is
//! quantized once per block, in about a microsecond.

/// Parts are padded with zeros to a multiple of this length.
pub(in crate::rank) const LINE: usize = 64;

/// A part of a query: 64 values per line, zeros after the dim.
pub(in crate::rank) type Part = Vec<[i8; LINE]>;

/// A query in integers, and its rounding errors.
#[derive(Clone, Debug)]
pub(in crate::rank) struct Query {
    pub(in crate::rank) high: Part,
    pub(in crate::rank) low: Part,
    /// The high part is multiplied by 2 to this power.
    pub(in crate::rank) bits: u32,
    /// The product with a row of 128s, modulo 2^32: subtracted where 128 was added to each code.
    #[cfg_attr(
        not(target_arch = "x86_64"),
        allow(dead_code, reason = "only the x86 kernels use it")
    )]
    pub(in crate::rank) added: i32,
    /// `|q|`, which is at least `|wq|`, as every `w` is at most 1.
    pub(in crate::rank) length: f64,
    /// `wq = step (2^bits high + low)` up to `error`.
    pub(in crate::rank) step: f64,
    /// `|d|` with both parts.
    pub(in crate::rank) error: f64,
    /// `|d|` with the high part alone.
    pub(in crate::rank) coarse_error: f64,
}

impl Query {
    /// Quantizes `query` for rows of this spread (dim); without one it is 1.
    pub(in crate::rank) fn new(query: &[f32], spread: Option<&[f32]>) -> Self {
        let bits = bits(query.len());
        let unit = f64::from(1u32 << bits);
        let mut spreads = spread.unwrap_or_default().iter();
        let wide = |&q: &f32| f64::from(q) * spreads.next().map_or(1.0, |&w| f64::from(w));
        let wide: Vec<f64> = query.iter().map(wide).collect();
        let most = wide.iter().fold(0.0, |most: f64, &q| most.max(q.abs()));
        let step = most.max(f64::from(f32::MIN_POSITIVE)) / (127.0 * unit);
        let inverse = 1.0 / step;
        let lines = query.len().div_ceil(LINE);
        let (mut high, mut low) = (vec![[0; LINE]; lines], vec![[0; LINE]; lines]);
        let (mut length, mut error, mut coarse_error) = (0.0, 0.0, 0.0);
        let parts = high.as_flattened_mut().iter_mut().zip(low.as_flattened_mut());
        for ((&value, q), (high, low)) in query.iter().zip(wide).zip(parts) {
            let whole = nearest(q * inverse); // at most 127 * 2^bits
            let upper = (whole + (1 << bits >> 1)) >> bits;
            *high = upper as i8;
            *low = (whole - (upper << bits)) as i8;
            length += f64::from(value) * f64::from(value);
            error += (q - step * f64::from(whole)).powi(2);
            coarse_error += (q - step * f64::from(upper << bits)).powi(2);
        }
        let sum = |part: &Part| part.as_flattened().iter().map(|&v| i32::from(v)).sum::<i32>();
        let added = (sum(&high) << bits).wrapping_add(sum(&low)).wrapping_mul(128);
        let [length, error, coarse_error] = [length, error, coarse_error].map(f64::sqrt);
        Query { high, low, bits, added, length, step, error, coarse_error }
    }

    /// The factor of the coarse product.
    pub(in crate::rank) fn coarse_step(&self) -> f64 {
        self.step * f64::from(1u32 << self.bits)
    }
}

/// Rounds to the nearest integer, ties to even, for values that an i32 holds.
///
/// Between 2^52 and 2^53 an f64 is an integer whose last bit has the value 1: the sum rounds as
/// required, and its low bits are the result. (`round_ties_even` is a function call on a
/// baseline x86-64.)
fn nearest(value: f64) -> i32 {
    let bits = (value + 1.5 * 2f64.powi(52)).to_bits();
    (bits as u32).cast_signed()
}

/// Bits of the low part: at most eight, and few enough that a product with codes, at most `127 *
/// 127 * 2^bits * dim`, fits an i32.
fn bits(dim: usize) -> u32 {
    let most = (i32::MAX as usize / (127 * 127 * dim.max(1))).max(1);
    most.ilog2().min(8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_parts_add_up_to_the_query() {
        let values: Vec<f32> = (0..100).map(|i| ((i * 37 % 101) as f32 - 50.0) / 300.0).collect();
        let query = Query::new(&values, None);
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
    fn query_is_scaled_by_the_spread() {
        let values = [0.5f32, -0.25, 1.0];
        let query = Query::new(&values, Some(&[1.0, 1.0, 0.25]));
        assert_eq!(query.high[0][..3], [127, -63, 64]);
        assert_eq!(query.length, 1.3125f64.sqrt());
        let fine = |d: usize| 256.0 * f64::from(query.high[0][d]) + f64::from(query.low[0][d]);
        assert!((query.step * fine(2) - 0.25).abs() <= query.error);
    }

    #[test]
    fn nearest_rounds_ties_to_even() {
        for at in -4_000..4_000 {
            let value = f64::from(at) / 8.0;
            assert_eq!(f64::from(nearest(value)), value.round_ties_even(), "{value}");
        }
        assert_eq!([32_512.5, -32_512.5].map(nearest), [32_512, -32_512]);
    }

    #[test]
    fn products_of_every_dim_fit_an_i32() {
        for dim in [1, 2, 512, 768, 1024, 1280, 2048, 65_536] {
            let most = 127.0 * 127.0 * 2f64.powi(bits(dim) as i32) * dim as f64;
            assert!(most < f64::from(i32::MAX), "{dim}");
        }
        assert_eq!([512, 768, 1280, 65_536].map(bits), [8, 7, 6, 1]);
    }
}
