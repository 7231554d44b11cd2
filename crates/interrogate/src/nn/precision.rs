//! What is asked of a product's arithmetic, and who does it.

use candle_core::DType;

use super::simd::{Amx, Level};

/// How weights are kept and multiplied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// f32 throughout. The weights are laid out for the processor once, at
    /// load. Where it has AMX each value is multiplied as the sum of three bf16,
    /// which is nearer to the true product than f32's own fused steps are.
    #[default]
    F32,
    /// bf16 weights, activations rounded to bf16, sums in f32: by AMX or
    /// AVX512-BF16 where the processor has it (two to three times the speed of
    /// f32 on AMX; between half and twice on AVX512-BF16), else the weights are
    /// widened on the way (slower than f32, but half the memory).
    Bf16,
    /// f16 weights, widened tile by tile, f32 products: half the memory, and
    /// half the reading where a few rows meet a large weight.
    F16,
}

impl Precision {
    /// Its name: `f32`, `bf16` or `f16`.
    pub fn name(self) -> &'static str {
        match self {
            Precision::F32 => "f32",
            Precision::Bf16 => "bf16",
            Precision::F16 => "f16",
        }
    }
    /// Its type in the tensor engine.
    pub(crate) fn dtype(self) -> DType {
        match self {
            Precision::F32 => DType::F32,
            Precision::Bf16 => DType::BF16,
            Precision::F16 => DType::F16,
        }
    }

    /// The part of this processor that multiplies so: `amx`, `avx512bf16`, `avx512`,
    /// `avx2` or `portable`.
    pub fn kernel(self) -> &'static str {
        match (self, Amx::get(), Level::pairs()) {
            (Precision::F32 | Precision::Bf16, Some(_), _) => "amx",
            (Precision::Bf16, None, Some(level)) => level.name(),
            _ => Level::best().name(),
        }
    }
}
