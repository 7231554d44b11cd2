//! Decoding of the kernels' keys: a score and a row number in 64 bits.

use half::f16;

use super::rescore::{CoarseTop, RestBound};

/// Decodes the rows of `keys`, or the rows and true scores of `exact`.
pub(super) fn decode(keys: &[u64], exact: Option<&[u64]>, rest: Option<RestBound>) -> CoarseTop {
    let keys = exact.unwrap_or(keys).iter().copied().filter(|&key| key != 0);
    let (rows, scores): (Vec<u32>, Vec<f32>) =
        keys.map(|key| (u32::MAX - key as u32, score_of(key))).unzip();
    // Without a bound for the rest, the scores of `keys` are true.
    let scores = (exact.is_some() || rest.is_none()).then_some(scores);
    CoarseTop { rows, scores, rest }
}

/// The score in a key; the greatest and the least stand for NaN.
pub(super) fn score_of(key: u64) -> f32 {
    match (key >> 32) as u32 {
        0 | u32::MAX => f32::NAN,
        ordered if ordered >> 31 == 1 => f32::from_bits(ordered ^ 1 << 31),
        ordered => f32::from_bits(!ordered),
    }
}

/// The error bound of the tensor cores' scores, for a row of length 1.
pub(super) fn bound(query: &[f32]) -> f64 {
    let square = |sum, value: f64| sum + value * value;
    let length = query.iter().map(|&v| f64::from(v)).fold(0.0, square).sqrt();
    let lost = query.iter().map(|&v| f64::from(v) - f64::from(f16::from_f32(v)));
    lost.fold(0.0, square).sqrt() + (query.len() + 8) as f64 * 2f64.powi(-21) * length
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
        assert!(score_of(7).is_nan() && score_of(u64::MAX).is_nan());
    }
}
