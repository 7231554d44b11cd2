//! How weights are kept and multiplied.

use std::fmt;
use std::str::FromStr;

use super::simd::{Amx, Isa};
use crate::Error;

/// How weights are kept and multiplied.
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
    /// f32 throughout, four bytes a weight. The weights are laid out for the processor once,
    /// at load. Where it has AMX each value is multiplied as the sum of three bf16, which is
    /// nearer to the true product than f32's own fused steps are.
    #[default]
    F32,
    /// f16 weights, two bytes each, left in the mapped file where it has them so. They are
    /// widened tile by tile for f32 products: half the reading where a few rows meet a large
    /// weight.
    F16,
    /// bf16 weights, two bytes each, sums in f32. Encoders round what meets them to bf16 and
    /// multiply by AMX or AVX512-BF16 where the processor has it (two to three times the
    /// speed of f32 on AMX; between half and twice on AVX512-BF16), else the weights are
    /// widened on the way. Captioners leave them in the mapped file and round nothing.
    Bf16,
    /// Eight bits a weight and a scale for each 64, 8.5 bits in all, rounded from the file;
    /// what goes into a product is rounded likewise. Norms, biases and embeddings stay as
    /// they are. docs/CAPTIONS.md has the error. The processor alone has it.
    Q8,
}

impl Precision {
    /// All of them, in the order in which they are listed to people.
    pub const ALL: [Precision; 4] =
        [Precision::F32, Precision::F16, Precision::Bf16, Precision::Q8];

    /// Its name: `f32`, `f16`, `bf16` or `q8`.
    pub fn name(self) -> &'static str {
        match self {
            Precision::F32 => "f32",
            Precision::F16 => "f16",
            Precision::Bf16 => "bf16",
            Precision::Q8 => "q8",
        }
    }

    /// The part of this processor that an encoder's products run on: `amx`, `avx512bf16`,
    /// `avx512`, `avx2` or `portable`.
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
