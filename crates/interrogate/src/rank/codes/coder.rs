//! Rows into codes, and the proof of a row's slack.

use half::f16;
use half::slice::HalfFloatSliceExt;

/// The largest code.
const MOST: f64 = 127.0;

/// What a row's codes come with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Coded {
    /// What the codes are multiplied by.
    pub scale: f32,
    /// How far the score of a query of length 1 may be from that of the codes.
    pub slack: f32,
}

/// Codes rows about their mean. The same rows give the same codes everywhere.
#[derive(Clone, Debug)]
pub struct Coder {
    mean: Vec<f32>,
    wide: Vec<f32>,
}

impl Coder {
    /// A coder for rows of this mean.
    pub fn new(mean: Vec<f32>) -> Self {
        let wide = vec![0.0; mean.len()];
        Coder { mean, wide }
    }

    /// A coder for `rows`, each of `dim` values: their mean is summed in f64, one
    /// row after the other.
    pub fn of<'a>(dim: usize, rows: impl IntoIterator<Item = &'a [f16]>) -> Self {
        let (mut sums, mut wide, mut count) = (vec![0.0f64; dim], vec![0.0f32; dim], 0u64);
        for row in rows {
            row.convert_to_f32_slice(&mut wide);
            sums.iter_mut().zip(&wide).for_each(|(sum, &value)| *sum += f64::from(value));
            count += 1;
        }
        Coder::new(sums.iter().map(|sum| (sum / count.max(1) as f64) as f32).collect())
    }

    /// What is taken off every row.
    pub fn mean(&self) -> &[f32] {
        &self.mean
    }

    /// Codes `row` into `codes`, both of the mean's length.
    ///
    /// A row that is not finite gets an infinite slack: nothing is known of its
    /// score.
    pub fn code(&mut self, row: &[f16], codes: &mut [i8]) -> Coded {
        row.convert_to_f32_slice(&mut self.wide);
        let own = self.wide.iter().zip(&self.mean).map(|(&x, &m)| f64::from(x) - f64::from(m));
        let most = own.clone().fold(0.0, |most: f64, r| most.max(r.abs()));
        let scale = (most / MOST) as f32;
        // Zero where the row is the mean, or so near that f32 has no scale for it.
        let inverse = if scale > 0.0 { 1.0 / f64::from(scale) } else { 0.0 };
        for (code, r) in codes.iter_mut().zip(own) {
            *code = (r * inverse).round_ties_even().clamp(-MOST, MOST) as i8;
        }
        Coded { scale, slack: self.bound(codes, scale) }
    }

    /// The slack that these codes of `row` need. Another that is not less holds
    /// as well.
    pub fn slack(&mut self, row: &[f16], codes: &[i8], scale: f32) -> f32 {
        row.convert_to_f32_slice(&mut self.wide);
        self.bound(codes, scale)
    }

    /// The slack of the row in `wide`.
    fn bound(&self, codes: &[i8], scale: f32) -> f32 {
        let (scale, mut lost, mut length) = (f64::from(scale), 0.0f64, 0.0f64);
        for ((&x, &m), &code) in self.wide.iter().zip(&self.mean).zip(codes) {
            let error = f64::from(x) - f64::from(m) - scale * f64::from(code);
            lost += error * error;
            length += f64::from(x) * f64::from(x);
        }
        // Sixteen lanes of dim / 16 rounded sums, then four more (`dot`); two are
        // to spare, and so is the millionth for the rounding of these sums here.
        let sums = (self.mean.len().div_ceil(16) + 6) as f64 * 2f64.powi(-24);
        let bound = (lost.sqrt() + sums * length.sqrt()) * (1.0 + 1e-6) + 1e-30;
        if bound.is_finite() { (bound as f32).next_up() } else { f32::INFINITY }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn halves(values: &[f32]) -> Vec<f16> {
        values.iter().map(|&v| f16::from_f32(v)).collect()
    }

    #[test]
    fn a_code_is_a_step_of_what_the_row_has_of_its_own() {
        let rows = [halves(&[1.0, 0.5, 0.0]), halves(&[0.0, 0.5, 0.5])];
        let mut coder = Coder::of(3, rows.iter().map(Vec::as_slice));
        assert_eq!(coder.mean(), [0.5, 0.5, 0.25]);
        let mut codes = [0; 3];
        let coded = coder.code(&rows[0], &mut codes);
        assert_eq!((codes, coded.scale), ([127, 0, -64], 0.5 / 127.0));
        // -0.25 is 63.5 steps: half a step is lost, and the rounding of three sums.
        let lost = 0.5 * 0.5 / 127.0;
        assert!((lost..lost + 1e-6).contains(&coded.slack), "{coded:?}");
        assert_eq!(coder.slack(&rows[0], &codes, coded.scale), coded.slack);
    }

    #[test]
    fn a_row_that_is_the_mean_has_codes_of_zero() {
        let row = halves(&[0.6, 0.8]);
        let mut coder = Coder::of(2, [&row[..]]);
        let mut codes = [1; 2];
        let coded = coder.code(&row, &mut codes);
        assert_eq!((codes, coded.scale), ([0, 0], 0.0));
        assert!(coded.slack > 0.0 && coded.slack < 1e-6);
    }

    #[test]
    fn nothing_is_known_of_a_row_that_is_not_finite() {
        let mut coder = Coder::new(vec![0.0; 2]);
        for value in [f32::NAN, f32::INFINITY] {
            let coded = coder.code(&halves(&[value, 1.0]), &mut [0; 2]);
            assert_eq!(coded.slack, f32::INFINITY);
        }
    }
}
