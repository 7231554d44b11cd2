//! A weight where it lies in the file, in the type it has there.
//!
//! Owns the three types of a value on disk and how each becomes an f32. A half
//! weight is never copied: its bytes are widened tile by tile as they are read.

use std::sync::Arc;

use candle_core::DType;
use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};
use rayon::prelude::*;
use safetensors::Dtype;

use crate::nn;
use crate::weights::Place;

/// The type of a stored value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    F32,
    F16,
    Bf16,
}

impl Kind {
    /// `None` for the types that hold no weight.
    pub(crate) fn of(dtype: Dtype) -> Option<Self> {
        match dtype {
            Dtype::F32 => Some(Kind::F32),
            Dtype::F16 => Some(Kind::F16),
            Dtype::BF16 => Some(Kind::Bf16),
            _ => None,
        }
    }

    /// The engine's name for it.
    pub(crate) fn dtype(self) -> DType {
        match self {
            Kind::F32 => DType::F32,
            Kind::F16 => DType::F16,
            Kind::Bf16 => DType::BF16,
        }
    }

    /// Bytes of a value.
    fn size(self) -> usize {
        match self {
            Kind::F32 => 4,
            Kind::F16 | Kind::Bf16 => 2,
        }
    }
}

/// The values of a weight, little-endian. Cloning copies no value.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    bytes: Place,
    kind: Kind,
}

impl Stored {
    /// The values at a place.
    pub(crate) fn new(bytes: Place, kind: Kind) -> Self {
        Stored { bytes, kind }
    }

    /// Whether the values are the same, bit by bit, of one type.
    pub(crate) fn same(&self, other: &Stored) -> bool {
        self.kind == other.kind && self.bytes() == other.bytes()
    }

    /// These values, as f32.
    #[cfg(test)]
    pub(crate) fn owned(values: &[f32]) -> Self {
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        Stored { bytes: Place::Owned(Arc::new(bytes)), kind: Kind::F32 }
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// Number of values.
    pub(crate) fn len(&self) -> usize {
        self.bytes().len() / self.kind.size()
    }

    /// What holds the values, kept alive, and where they begin in it.
    pub(crate) fn place(&self) -> (nn::Bytes, usize) {
        match &self.bytes {
            Place::Mapped(file, range) => (Arc::clone(file) as nn::Bytes, range.start),
            Place::Owned(bytes) => (Arc::clone(bytes) as nn::Bytes, 0),
        }
    }

    fn bytes(&self) -> &[u8] {
        match &self.bytes {
            // The range was checked against the file when it was opened.
            Place::Mapped(file, range) => &(**file).as_ref()[range.clone()],
            Place::Owned(bytes) => bytes,
        }
    }

    /// All values as f32, on all threads.
    pub(crate) fn to_f32(&self) -> Vec<f32> {
        const PART: usize = 1 << 16;
        let mut values = vec![0.0; self.len()];
        let parts = values.par_chunks_mut(PART).enumerate();
        parts.for_each(|(number, part)| self.widen(number * PART, part));
        values
    }

    /// Lets go of the file's pages, where values that were read have been copied.
    pub(crate) fn release(&self) {
        if let Place::Mapped(file, range) = &self.bytes {
            file.release(range.clone());
        }
    }

    /// The values from number `from` on, as many as `out` has room for.
    pub(crate) fn widen(&self, from: usize, out: &mut [f32]) {
        let size = self.kind.size();
        let bytes = &self.bytes()[from * size..][..out.len() * size];
        match self.kind {
            Kind::F32 => {
                let (values, _) = bytes.as_chunks::<4>();
                out.iter_mut().zip(values).for_each(|(o, b)| *o = f32::from_le_bytes(*b));
            }
            Kind::Bf16 => {
                let (values, _) = bytes.as_chunks::<2>();
                let wide = |b: [u8; 2]| f32::from_bits(u32::from(u16::from_le_bytes(b)) << 16);
                out.iter_mut().zip(values).for_each(|(o, b)| *o = wide(*b));
            }
            Kind::F16 => {
                // Through a buffer of whole f16, which the machine widens eight
                // or sixteen at a time.
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

    /// The same values as `kind`, copied and rounded where it is another.
    pub(crate) fn into_kind(self, kind: Kind) -> Self {
        if self.kind == kind {
            return self;
        }
        let wide = self.to_f32();
        let bytes: Vec<u8> = match kind {
            Kind::F32 => wide.iter().flat_map(|v| v.to_le_bytes()).collect(),
            Kind::F16 => wide.iter().flat_map(|&v| f16::from_f32(v).to_le_bytes()).collect(),
            Kind::Bf16 => wide.iter().flat_map(|&v| bf16::from_f32(v).to_le_bytes()).collect(),
        };
        Stored { bytes: Place::Owned(Arc::new(bytes)), kind }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_half_becomes_the_f32_that_it_is() {
        let all: Vec<f32> = (0..=u16::MAX).map(|b| f16::from_bits(b).to_f32()).collect();
        let halves = Stored::owned(&all).into_kind(Kind::F16);
        assert_eq!(halves.len(), 65_536);
        let same = |a: f32, b: f32| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan());
        assert!(halves.to_f32().iter().zip(&all).all(|(&a, &b)| same(a, b)));
        let all: Vec<f32> = (0..=u16::MAX).map(|b| bf16::from_bits(b).to_f32()).collect();
        let halves = Stored::owned(&all).into_kind(Kind::Bf16).to_f32();
        assert!(halves.iter().zip(&all).all(|(&a, &b)| same(a, b)));
    }

    #[test]
    fn a_part_is_widened_from_its_first_value_on() {
        for kind in [Kind::F32, Kind::F16, Kind::Bf16] {
            let stored = Stored::owned(&[1.0, -2.0, 0.5, 4.0]).into_kind(kind);
            let mut part = [0.0; 2];
            stored.widen(1, &mut part);
            assert_eq!((part, stored.kind()), ([-2.0, 0.5], kind));
        }
    }
}
