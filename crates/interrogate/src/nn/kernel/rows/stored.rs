//! The stored types, of two bytes, widened to f32.

use super::super::super::simd::Simd;

/// A stored type, as a type parameter of the kernel.
pub(super) trait Stored: Copy + Send + Sync {
    /// # Safety
    /// `LANES` values must be readable at `from`, of any alignment.
    unsafe fn load<S: Simd>(s: S, from: *const u8) -> S::V;
}

macro_rules! stored {
    ($name:ident, $load:ident) => {
        #[derive(Clone, Copy)]
        pub(super) struct $name;
        impl Stored for $name {
            #[inline(always)]
            unsafe fn load<S: Simd>(s: S, from: *const u8) -> S::V {
                // SAFETY: the contract is the same; the loads are unaligned.
                unsafe { s.$load(from.cast()) }
            }
        }
    };
}
stored!(F16, load_f16);
stored!(Bf16, load_bf16);

/// Loads fewer than `LANES` values, padded with zeros.
#[inline(always)]
pub(super) fn load_part<S: Simd, W: Stored>(s: S, from: &[u8]) -> S::V {
    let mut lanes = [0u8; 32];
    lanes[..from.len()].copy_from_slice(from);
    // SAFETY: 32 bytes hold sixteen values of two bytes.
    unsafe { W::load(s, lanes.as_ptr()) }
}
