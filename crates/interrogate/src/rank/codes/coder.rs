//! Quantization of rows, with a proof of each row's error bound.

use half::f16;
use half::slice::HalfFloatSliceExt;

/// The largest code.
const MAX_CODE: f64 = 127.0;

/// The scale and the error bound of a row's codes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Coded {
    /// The factor that codes are multiplied by.
    pub scale: f32,
    /// The greatest difference between the row's score and that of its codes, for a query of
    /// length 1.
    pub error_bound: f32,
}

/// The least spread. A dimension in which rows hardly differ must not widen all steps of a row
/// that differs there.
const MIN_SPREAD: f64 = 1.0 / 16.0;

/// Quantizes rows about their mean. The same rows give the same codes on every machine.
#[derive(Clone, Debug)]
pub struct Coder {
    mean: Vec<f32>,
    spread: Vec<f32>,
    wide: Vec<f32>,
}

impl Coder {
    /// Creates a coder for rows of this mean and spread. A spread shorter than the mean is
    /// padded with 1.
    pub fn new(mean: Vec<f32>, mut spread: Vec<f32>) -> Self {
        let wide = vec![0.0; mean.len()];
        spread.resize(mean.len(), 1.0);
        Coder { mean, spread, wide }
    }

    /// Creates a coder for `rows`, each of `dim` values. Mean and spread are summed in f64, row
    /// after row.
    pub fn of<'a>(dim: usize, rows: impl IntoIterator<Item = &'a [f16]>) -> Self {
        let (mut sums, mut wide, mut count) = (vec![[0.0f64; 2]; dim], vec![0.0f32; dim], 0u64);
        for row in rows {
            row.convert_to_f32_slice(&mut wide);
            for ([sum, squares], &value) in sums.iter_mut().zip(&wide) {
                let value = f64::from(value);
                *sum += value;
                *squares += value * value;
            }
            count += 1;
        }
        let each = 1.0 / count.max(1) as f64;
        let mean = sums.iter().map(|[sum, _]| (sum * each) as f32).collect();
        let deviation =
            |[sum, squares]: &[f64; 2]| (squares * each - (sum * each).powi(2)).max(0.0).sqrt();
        let deviations: Vec<f64> = sums.iter().map(deviation).collect();
        let most = deviations.iter().fold(0.0, |most: f64, &one| most.max(one));
        let known = most > 0.0 && sums.iter().flatten().all(|sum| sum.is_finite());
        let share = |one: f64| if known { (one / most).sqrt().max(MIN_SPREAD) as f32 } else { 1.0 };
        Coder::new(mean, deviations.into_iter().map(share).collect())
    }

    /// The mean, subtracted from every row.
    pub fn mean(&self) -> &[f32] {
        &self.mean
    }

    /// The spread, which rows are divided by after that.
    pub fn spread(&self) -> &[f32] {
        &self.spread
    }

    /// Quantizes `row` into `codes`, both of the mean's length.
    ///
    /// A row with NaN or infinity gets an infinite error bound: its score is unknown.
    pub fn code(&mut self, row: &[f16], codes: &mut [i8]) -> Coded {
        row.convert_to_f32_slice(&mut self.wide);
        let own = self.wide.iter().zip(&self.mean).map(|(&x, &m)| f64::from(x) - f64::from(m));
        let own = own.zip(&self.spread).map(|(r, &w)| r / f64::from(w));
        let most = own.clone().fold(0.0, |most: f64, r| most.max(r.abs()));
        let scale = (most / MAX_CODE) as f32;
        // Zero if the row is the mean, or so near that f32 has no scale for it.
        let inverse = if scale > 0.0 { 1.0 / f64::from(scale) } else { 0.0 };
        for (code, r) in codes.iter_mut().zip(own) {
            *code = round_ties_even(r * inverse).clamp(-MAX_CODE, MAX_CODE) as i8;
        }
        Coded { scale, error_bound: self.bound(codes, scale) }
    }

    /// Returns the error bound that these codes of `row` need. Any greater bound is valid too.
    pub fn error_bound(&mut self, row: &[f16], codes: &[i8], scale: f32) -> f32 {
        row.convert_to_f32_slice(&mut self.wide);
        self.bound(codes, scale)
    }

    /// The error bound of the row in `wide`.
    fn bound(&self, codes: &[i8], scale: f32) -> f32 {
        let (scale, mut lost, mut length) = (f64::from(scale), 0.0f64, 0.0f64);
        let about = self.mean.iter().zip(&self.spread);
        for ((&x, (&m, &w)), &code) in self.wide.iter().zip(about).zip(codes) {
            let error = f64::from(x) - f64::from(m) - scale * f64::from(w) * f64::from(code);
            lost += error * error;
            length += f64::from(x) * f64::from(x);
        }
        // `dot` rounds dim / 16 sums in each of sixteen lanes, then four more; two are to spare,
        // and so is the millionth for the rounding of the sums here.
        let sums = (self.mean.len().div_ceil(16) + 6) as f64 * 2f64.powi(-24);
        let bound = (lost.sqrt() + sums * length.sqrt()) * (1.0 + 1e-6) + 1e-30;
        if bound.is_finite() { (bound as f32).next_up() } else { f32::INFINITY }
    }
}

/// Rounds to the nearest integer, and between two to the even one. For values of at most 2^51,
/// infinity and NaN; the sign of a zero is lost. `f64::round_ties_even` is a call of a function
/// where the target has no instruction for it.
fn round_ties_even(value: f64) -> f64 {
    // From here to 2^53, f64 has the integers only.
    const INTEGERS: f64 = 3.0 * (1u64 << 51) as f64;
    (value + INTEGERS) - INTEGERS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_agrees_with_the_standard_library() {
        let steps = (-20_000..20_000).map(|step| f64::from(step) / 128.0);
        for value in steps.chain([0.5f64.next_down(), 0.5f64.next_up(), 126.5, f64::INFINITY]) {
            for value in [value, -value] {
                assert_eq!(round_ties_even(value), value.round_ties_even(), "{value}");
            }
        }
        assert!(round_ties_even(f64::NAN).is_nan());
    }

    fn halves(values: &[f32]) -> Vec<f16> {
        values.iter().map(|&v| f16::from_f32(v)).collect()
    }

    #[test]
    fn codes_are_steps_from_the_mean() {
        let rows = [halves(&[1.0, 0.5, 0.0]), halves(&[0.0, 0.5, 0.5])];
        let mut coder = Coder::of(3, rows.iter().map(Vec::as_slice));
        assert_eq!(coder.mean(), [0.5, 0.5, 0.25]);
        // Standard deviations of 0.5, 0 and 0.25.
        assert_eq!(coder.spread(), [1.0, MIN_SPREAD as f32, 0.5f32.sqrt()]);
        let mut codes = [0; 3];
        let coded = coder.code(&rows[0], &mut codes);
        assert_eq!((codes, coded.scale), ([127, 0, -90], 0.5 / 127.0));
        // -0.25 is 89.8 steps of the third dimension: a fifth of a step is lost, and the
        // rounding of three sums.
        let lost = (0.25 - 90.0 * 0.5f32.sqrt() * 0.5 / 127.0).abs();
        assert!((lost..lost + 1e-6).contains(&coded.error_bound), "{coded:?}");
        assert_eq!(coder.error_bound(&rows[0], &codes, coded.scale), coded.error_bound);

        let mut even = Coder::new(coder.mean().to_vec(), Vec::new());
        let coded = even.code(&rows[0], &mut codes);
        assert_eq!((codes, coded.scale), ([127, 0, -64], 0.5 / 127.0));
        // -0.25 is 63.5 steps: half a step is lost.
        let lost = 0.5 * 0.5 / 127.0;
        assert!((lost..lost + 1e-6).contains(&coded.error_bound), "{coded:?}");
    }

    #[test]
    fn spread_reduces_the_error_bound() {
        // Rows differ ten times as much in two dimensions as in the others.
        let noise = |at: usize| (at * 7919 % 2001) as f32 / 1000.0 - 1.0;
        let value = |at: usize| if at % 32 < 2 { noise(at) } else { 0.1 * noise(at) };
        let rows: Vec<Vec<f16>> =
            (0..200).map(|r| halves(&Vec::from_iter((r * 32..r * 32 + 32).map(value)))).collect();
        let mut coder = Coder::of(32, rows.iter().map(Vec::as_slice));
        let mut even = Coder::new(coder.mean().to_vec(), Vec::new());
        let total = |coder: &mut Coder| -> f32 {
            rows.iter().map(|row| coder.code(row, &mut [0; 32]).error_bound).sum()
        };
        let [by_spread, even] = [total(&mut coder), total(&mut even)];
        assert!(by_spread < 0.6 * even, "{by_spread} {even}");
    }

    #[test]
    fn row_equal_to_the_mean_has_zero_codes() {
        let row = halves(&[0.6, 0.8]);
        let mut coder = Coder::of(2, [&row[..]]);
        let mut codes = [1; 2];
        let coded = coder.code(&row, &mut codes);
        assert_eq!((codes, coded.scale), ([0, 0], 0.0));
        assert!(coded.error_bound > 0.0 && coded.error_bound < 1e-6);
    }

    #[test]
    fn non_finite_row_has_an_infinite_error_bound() {
        let mut coder = Coder::new(vec![0.0; 2], vec![1.0; 2]);
        for value in [f32::NAN, f32::INFINITY] {
            let coded = coder.code(&halves(&[value, 1.0]), &mut [0; 2]);
            assert_eq!(coded.error_bound, f32::INFINITY);
        }
    }
}
