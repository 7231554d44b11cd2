//! The precision of weights and products.

use std::fmt;
use std::str::FromStr;

use super::simd::{Amx, Isa};
use crate::Error;

/// The precision of weights and products.
///
/// On a GPU, F16 and Bf16 also keep the rows between layers in that type; residual sums, norms,
/// softmax and the sums of products are f32.
///
/// ```
/// use interrogate::Precision;
///
/// assert_eq!("bf16".parse::<Precision>()?, Precision::Bf16);
/// assert_eq!(Precision::default().to_string(), "f32");
/// # Ok::<(), interrogate::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Precision {
    /// f32 throughout, 4 bytes per weight. Weights are packed for the processor once, at load.
    /// With AMX each value is multiplied as the sum of three bf16 values, which is more accurate
    /// than f32's own fused steps.
    #[default]
    F32,
    /// f16 weights, 2 bytes each, left in the mapped file if it has them in f16. They are
    /// widened tile by tile for f32 products, which halves the reads where a few rows meet a
    /// large weight.
    F16,
    /// bf16 weights, 2 bytes each, with sums in f32. Encoders round the inputs of products to
    /// bf16 and use AMX or AVX512-BF16 if the processor has it (2 to 3 times the speed of f32
    /// with AMX; 0.5 to 2 times with AVX512-BF16); otherwise the weights are widened on the fly.
    /// Captioners leave them in the mapped file and round no inputs.
    Bf16,
    /// 8 bits per weight and a scale per 64 weights, 8.5 bits in all, rounded from the file;
    /// inputs of products are rounded likewise. Norms, biases and embeddings stay as they are.
    /// docs/CAPTIONS.md states the error. CPU only.
    Q8,
}

impl Precision {
    /// All precisions, in display order.
    pub const ALL: [Precision; 4] =
        [Precision::F32, Precision::F16, Precision::Bf16, Precision::Q8];

    /// The name: `f32`, `f16`, `bf16` or `q8`.
    pub fn name(self) -> &'static str {
        match self {
            Precision::F32 => "f32",
            Precision::F16 => "f16",
            Precision::Bf16 => "bf16",
            Precision::Q8 => "q8",
        }
    }

    /// The instruction set that an encoder's products use on this processor: `amx`,
    /// `avx512bf16`, `avx512`, `avx2` or `portable`.
    pub fn kernel(self) -> &'static str {
        match (self, Amx::get(), Isa::bf16_pairs()) {
            (Precision::F32 | Precision::Bf16, Some(_), _) => "amx",
            (Precision::Bf16, None, Some(isa)) => isa.name(),
            (Precision::Q8, ..) => Isa::int8().name(),
            _ => Isa::best().name(),
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Precision {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let known = Precision::ALL.into_iter().find(|known| known.name() == name);
        known.ok_or_else(|| {
            Error::mismatch(
                "precision",
                "name",
                Precision::ALL.map(Precision::name).join(", "),
                name,
            )
        })
    }
}
