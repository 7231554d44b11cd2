//! Writes the values of a weight in the type that a model computes in.

use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};
use rayon::prelude::*;

use super::values::{Float, Values};

/// Values that a thread converts in one task.
const PART: usize = 1 << 16;

/// Values that are rounded at once.
const WIDE: usize = 256;

/// A type of weights in memory.
pub(crate) trait Target: Copy + Default + Send + Sync {
    /// The same type in a file.
    const FLOAT: Float;

    /// Converts the bytes of values of this type.
    fn read(bytes: &[u8], out: &mut [Self]);

    /// Rounds to the nearest value.
    fn round(values: &[f32], out: &mut [Self]);
}

impl Target for f32 {
    const FLOAT: Float = Float::F32;

    fn read(bytes: &[u8], out: &mut [f32]) {
        let (values, _) = bytes.as_chunks::<4>();
        out.iter_mut().zip(values).for_each(|(out, bytes)| *out = f32::from_le_bytes(*bytes));
    }

    fn round(values: &[f32], out: &mut [f32]) {
        out.copy_from_slice(values);
    }
}

impl Target for f16 {
    const FLOAT: Float = Float::F16;

    fn read(bytes: &[u8], out: &mut [f16]) {
        let (values, _) = bytes.as_chunks::<2>();
        out.iter_mut().zip(values).for_each(|(out, bytes)| *out = f16::from_le_bytes(*bytes));
    }

    fn round(values: &[f32], out: &mut [f16]) {
        out.convert_from_f32_slice(values);
    }
}

impl Target for bf16 {
    const FLOAT: Float = Float::Bf16;

    fn read(bytes: &[u8], out: &mut [bf16]) {
        let (values, _) = bytes.as_chunks::<2>();
        out.iter_mut().zip(values).for_each(|(out, bytes)| *out = bf16::from_le_bytes(*bytes));
    }

    fn round(values: &[f32], out: &mut [bf16]) {
        out.convert_from_f32_slice(values);
    }
}

impl Values {
    /// Writes the values from index `from` on to `out`, on all threads, rounded where `T` is
    /// narrower than the stored type.
    pub(crate) fn convert<T: Target>(&self, from: usize, out: &mut [T]) {
        let parts = out.par_chunks_mut(PART).enumerate();
        parts.for_each(|(number, part)| self.convert_part(from + number * PART, part));
    }

    fn convert_part<T: Target>(&self, from: usize, out: &mut [T]) {
        let size = self.float().size();
        if self.float() == T::FLOAT {
            return T::read(&self.bytes()[from * size..][..out.len() * size], out);
        }
        let mut wide = [0.0; WIDE];
        for (number, out) in out.chunks_mut(WIDE).enumerate() {
            let wide = &mut wide[..out.len()];
            self.widen(from + number * WIDE, wide);
            T::round(wide, out);
        }
    }
}

/// Writes `values` from index `from` on to `out`, on all threads.
pub(crate) fn convert_f32<T: Target>(values: &[f32], from: usize, out: &mut [T]) {
    let values = values[from..][..out.len()].par_chunks(PART);
    out.par_chunks_mut(PART).zip(values).for_each(|(out, values)| T::round(values, out));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of which some need rounding, over several parts.
    fn values() -> Vec<f32> {
        (0..2 * PART + WIDE + 7).map(|i| ((i * 37) % 6007) as f32 / 977.0 - 3.0).collect()
    }

    fn check<T: Target + PartialEq + std::fmt::Debug>(expected: impl Fn(f32) -> T) {
        for float in [Float::F64, Float::F32, Float::F16, Float::Bf16] {
            let stored = Values::owned(&values()).into_float(float);
            let wide = stored.to_f32();
            for from in [0, 1, PART - 3, wide.len() - 5, wide.len()] {
                let mut found = vec![T::default(); wide.len() - from];
                stored.convert(from, &mut found);
                let expected: Vec<T> = wide[from..].iter().map(|&value| expected(value)).collect();
                assert!(found == expected, "{float:?} from {from}");
                let mut found = vec![T::default(); wide.len() - from];
                convert_f32(&wide, from, &mut found);
                assert!(found == expected, "f32 from {from}");
            }
        }
    }

    #[test]
    fn values_of_each_type_are_rounded_to_nearest() {
        check::<f32>(|value| value);
        check(f16::from_f32);
        check(bf16::from_f32);
    }
}
