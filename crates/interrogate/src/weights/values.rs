//! The values of one weight, in the file's own type.
//!
//! Owns the conversion of each stored type to f32. Values that are in row-major order in the
//! file are not copied: they are converted on each read.

use std::ops::Range;
use std::sync::Arc;

use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};
use rayon::prelude::*;
use safetensors::Dtype;

use crate::mmap::Mmap;

/// Shared bytes: a mapped file or a buffer.
pub(crate) type Bytes = Arc<dyn AsRef<[u8]> + Send + Sync>;

/// The type of a stored value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Float {
    F64,
    F32,
    F16,
    Bf16,
}

impl Float {
    /// Converts a safetensors type; `None` if it is not a float.
    pub(super) fn of(dtype: Dtype) -> Option<Self> {
        match dtype {
            Dtype::F64 => Some(Float::F64),
            Dtype::F32 => Some(Float::F32),
            Dtype::F16 => Some(Float::F16),
            Dtype::BF16 => Some(Float::Bf16),
            _ => None,
        }
    }

    /// Returns the bytes per value.
    pub(crate) fn size(self) -> usize {
        match self {
            Float::F64 => 8,
            Float::F32 => 4,
            Float::F16 | Float::Bf16 => 2,
        }
    }
}

/// The bytes of a weight in row-major order. Cloning does not copy them.
#[derive(Clone, Debug)]
pub(super) enum Backing {
    /// A range of a mapped file.
    Mapped(Arc<Mmap>, Range<usize>),
    /// Compiled into the program.
    Embedded(&'static [u8]),
    /// A copy, because the file has another order or type.
    Owned(Arc<Vec<u8>>),
}

/// The values of a weight, little-endian, in row-major order. Cloning does not copy them.
#[derive(Clone, Debug)]
pub(crate) struct Values {
    place: Backing,
    float: Float,
}

impl Values {
    pub(super) fn new(place: Backing, float: Float) -> Self {
        Values { place, float }
    }

    /// Copies `values`.
    pub(crate) fn owned(values: &[f32]) -> Self {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Values { place: Backing::Owned(Arc::new(bytes)), float: Float::F32 }
    }

    /// Returns the type of the values.
    pub(super) fn float(&self) -> Float {
        self.float
    }

    /// Returns the number of values.
    pub(crate) fn len(&self) -> usize {
        self.bytes().len() / self.float.size()
    }

    /// Whether both have the same type and the same bits.
    pub(crate) fn bit_eq(&self, other: &Values) -> bool {
        self.float == other.float && self.bytes() == other.bytes()
    }

    /// Returns the shared bytes and the offset of the first value.
    pub(crate) fn bytes_and_offset(&self) -> (Bytes, usize) {
        match &self.place {
            Backing::Mapped(file, range) => (Arc::clone(file) as Bytes, range.start),
            Backing::Embedded(bytes) => (Arc::new(*bytes), 0),
            Backing::Owned(bytes) => (Arc::clone(bytes) as Bytes, 0),
        }
    }

    /// Returns the values in `range`. Copies them only if they are owned.
    pub(crate) fn slice(&self, range: Range<usize>) -> Self {
        let size = self.float.size();
        let bytes = range.start * size..range.end * size;
        let place = match &self.place {
            Backing::Mapped(file, all) => {
                Backing::Mapped(Arc::clone(file), all.start + bytes.start..all.start + bytes.end)
            }
            Backing::Embedded(all) => Backing::Embedded(&all[bytes]),
            Backing::Owned(all) => Backing::Owned(Arc::new(all[bytes].to_vec())),
        };
        Values { place, float: self.float }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        match &self.place {
            // The range was checked against the file's length on opening.
            Backing::Mapped(file, range) => &(**file).as_ref()[range.clone()],
            Backing::Embedded(bytes) => bytes,
            Backing::Owned(bytes) => bytes,
        }
    }

    /// Converts all values to f32, on all threads.
    pub(crate) fn to_f32(&self) -> Vec<f32> {
        const PART: usize = 1 << 16;
        let mut values = vec![0.0; self.len()];
        let parts = values.par_chunks_mut(PART).enumerate();
        parts.for_each(|(number, part)| self.widen(number * PART, part));
        values
    }

    /// Releases the mapped pages, after the values were copied.
    pub(crate) fn release(&self) {
        if let Backing::Mapped(file, range) = &self.place {
            file.release(range.clone());
        }
    }

    /// Converts the values from index `from` on to f32 and writes them to `out`.
    pub(crate) fn widen(&self, from: usize, out: &mut [f32]) {
        let size = self.float.size();
        let bytes = &self.bytes()[from * size..][..out.len() * size];
        match self.float {
            Float::F64 => {
                let (values, _) = bytes.as_chunks::<8>();
                out.iter_mut().zip(values).for_each(|(o, b)| *o = f64::from_le_bytes(*b) as f32);
            }
            Float::F32 => {
                let (values, _) = bytes.as_chunks::<4>();
                out.iter_mut().zip(values).for_each(|(o, b)| *o = f32::from_le_bytes(*b));
            }
            Float::Bf16 => {
                let (values, _) = bytes.as_chunks::<2>();
                let wide = |b: [u8; 2]| f32::from_bits(u32::from(u16::from_le_bytes(b)) << 16);
                out.iter_mut().zip(values).for_each(|(o, b)| *o = wide(*b));
            }
            Float::F16 => {
                // Through a buffer of aligned f16, which the CPU converts eight or sixteen at a
                // time.
                let mut buffer = [f16::ZERO; 256];
                for (out, bytes) in out.chunks_mut(256).zip(bytes.chunks(512)) {
                    let (values, _) = bytes.as_chunks::<2>();
                    let buffer = &mut buffer[..out.len()];
                    buffer.iter_mut().zip(values).for_each(|(h, b)| *h = f16::from_le_bytes(*b));
                    buffer.convert_to_f32_slice(out);
                }
            }
        }
    }

    /// Converts the values to `float`: copied and rounded, unless that is already their type.
    pub(crate) fn into_float(self, float: Float) -> Self {
        if self.float == float {
            return self;
        }
        let wide = self.to_f32();
        let bytes: Vec<u8> = match float {
            Float::F64 => wide.iter().flat_map(|&v| f64::from(v).to_le_bytes()).collect(),
            Float::F32 => wide.iter().flat_map(|v| v.to_le_bytes()).collect(),
            Float::F16 => wide.iter().flat_map(|&v| f16::from_f32(v).to_le_bytes()).collect(),
            Float::Bf16 => wide.iter().flat_map(|&v| bf16::from_f32(v).to_le_bytes()).collect(),
        };
        self.release();
        Values { place: Backing::Owned(Arc::new(bytes)), float }
    }

    /// Transposes the matrix `(rows, columns)`; the result is f32.
    pub(super) fn transposed(&self, [rows, columns]: [usize; 2]) -> Self {
        let wide = self.to_f32();
        let at = |i: usize| wide[i % rows * columns + i / rows];
        Values::owned(&(0..rows * columns).map(at).collect::<Vec<f32>>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_f16_and_bf16_converts_exactly() {
        let all: Vec<f32> = (0..=u16::MAX).map(|b| f16::from_bits(b).to_f32()).collect();
        let halves = Values::owned(&all).into_float(Float::F16);
        assert_eq!(halves.len(), 65_536);
        let same = |a: f32, b: f32| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan());
        assert!(halves.to_f32().iter().zip(&all).all(|(&a, &b)| same(a, b)));
        let all: Vec<f32> = (0..=u16::MAX).map(|b| bf16::from_bits(b).to_f32()).collect();
        let halves = Values::owned(&all).into_float(Float::Bf16).to_f32();
        assert!(halves.iter().zip(&all).all(|(&a, &b)| same(a, b)));
    }

    #[test]
    fn widen_and_slice_start_at_any_value() {
        for float in [Float::F64, Float::F32, Float::F16, Float::Bf16] {
            let values = Values::owned(&[1.0, -2.0, 0.5, 4.0]).into_float(float);
            let mut part = [0.0; 2];
            values.widen(1, &mut part);
            assert_eq!((part, values.float()), ([-2.0, 0.5], float));
            assert_eq!(values.slice(2..4).to_f32(), [0.5, 4.0]);
        }
    }

    #[test]
    fn transposed_exchanges_rows_and_columns() {
        let values = Values::owned(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        assert_eq!(values.transposed([2, 3]).to_f32(), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
    }
}
