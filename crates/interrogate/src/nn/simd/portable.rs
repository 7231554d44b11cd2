//! The portable instruction set: arrays of eight lanes.
//!
//! The compiler maps them to the target's vectors (two NEON or SSE registers). A multiply-add is
//! fused if that is an instruction of the target and not a call.

use super::{Kernel, Simd};

const LANES: usize = 8;

#[derive(Clone, Copy)]
pub(super) struct Portable;

const FUSED: bool = cfg!(any(target_arch = "aarch64", target_feature = "fma"));

#[inline(always)]
fn each(f: impl Fn(usize) -> f32) -> [f32; LANES] {
    std::array::from_fn(f)
}

impl Simd for Portable {
    type V = [f32; LANES];
    const LANES: usize = LANES;
    const ROWS: usize = 4;
    const DOT_ROWS: usize = 2;
    const BYTE_ROWS: usize = 1;
    type Bytes = [[u8; 4]; 8];
    type Sums = [i32; 8];

    fn vectorize<K: Kernel>(self, kernel: K) -> K::Out {
        kernel.run(self)
    }

    #[inline(always)]
    fn splat(self, value: f32) -> Self::V {
        [value; LANES]
    }
    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> Self::V {
        // SAFETY: by the trait's contract; `read_unaligned` needs no alignment.
        unsafe { from.cast::<Self::V>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32, v: Self::V) {
        // SAFETY: as for `load`.
        unsafe { to.cast::<Self::V>().write_unaligned(v) }
    }
    #[inline(always)]
    unsafe fn load_f16(self, from: *const u16) -> Self::V {
        // SAFETY: as for `load`.
        let bits = unsafe { from.cast::<[u16; LANES]>().read_unaligned() };
        each(|lane| half::f16::from_bits(bits[lane]).to_f32())
    }
    #[inline(always)]
    unsafe fn load_bf16(self, from: *const u16) -> Self::V {
        // SAFETY: as for `load`.
        let bits = unsafe { from.cast::<[u16; LANES]>().read_unaligned() };
        each(|lane| f32::from_bits(u32::from(bits[lane]) << 16))
    }
    #[inline(always)]
    fn add(self, a: Self::V, b: Self::V) -> Self::V {
        each(|lane| a[lane] + b[lane])
    }
    #[inline(always)]
    fn sub(self, a: Self::V, b: Self::V) -> Self::V {
        each(|lane| a[lane] - b[lane])
    }
    #[inline(always)]
    fn mul(self, a: Self::V, b: Self::V) -> Self::V {
        each(|lane| a[lane] * b[lane])
    }
    #[inline(always)]
    fn div(self, a: Self::V, b: Self::V) -> Self::V {
        each(|lane| a[lane] / b[lane])
    }
    #[inline(always)]
    fn fma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        each(
            |lane| {
                if FUSED { a[lane].mul_add(b[lane], c[lane]) } else { a[lane] * b[lane] + c[lane] }
            },
        )
    }
    #[inline(always)]
    fn max(self, a: Self::V, b: Self::V) -> Self::V {
        each(|lane| if a[lane] > b[lane] { a[lane] } else { b[lane] })
    }
    #[inline(always)]
    fn min(self, a: Self::V, b: Self::V) -> Self::V {
        each(|lane| if a[lane] < b[lane] { a[lane] } else { b[lane] })
    }
    #[inline(always)]
    fn round(self, a: Self::V) -> Self::V {
        // 1.5 * 2^23: adding it rounds |a| < 2^22 to an integer, by the processor's rounding;
        // larger values are returned unchanged.
        const SHIFT: f32 = 12_582_912.0;
        each(|lane| if a[lane].abs() < 4_194_304.0 { (a[lane] + SHIFT) - SHIFT } else { a[lane] })
    }
    #[inline(always)]
    fn pow2(self, n: Self::V) -> Self::V {
        // A cast saturates, and the sum stays far from the ends of the i32 range.
        each(|lane| f32::from_bits(((n[lane] as i32).clamp(-126, 127) + 127).cast_unsigned() << 23))
    }
    #[inline(always)]
    fn if_less(self, a: Self::V, b: Self::V, yes: Self::V, no: Self::V) -> Self::V {
        each(|lane| if a[lane] < b[lane] { yes[lane] } else { no[lane] })
    }
    #[inline(always)]
    fn sum(self, v: Self::V) -> f32 {
        ((v[0] + v[4]) + (v[2] + v[6])) + ((v[1] + v[5]) + (v[3] + v[7]))
    }
    #[inline(always)]
    fn highest(self, v: Self::V) -> f32 {
        v.into_iter().fold(f32::NEG_INFINITY, |a, b| if a > b { a } else { b })
    }

    #[inline(always)]
    unsafe fn load_bytes(self, from: *const u8) -> Self::Bytes {
        // SAFETY: as for `load`.
        unsafe { from.cast::<Self::Bytes>().read_unaligned() }
    }
    #[inline(always)]
    fn start_sums(self, _: i32) -> Self::Sums {
        [0; 8]
    }
    #[inline(always)]
    unsafe fn add_products(self, sums: Self::Sums, x: *const i8, w: Self::Bytes) -> Self::Sums {
        // SAFETY: as for `load`.
        let x = unsafe { x.cast::<[i8; 4]>().read_unaligned() };
        let product = |lane: usize, i: usize| i32::from(x[i]) * (i32::from(w[lane][i]) - 128);
        std::array::from_fn(|lane| sums[lane] + (0..4).map(|i| product(lane, i)).sum::<i32>())
    }
    #[inline(always)]
    fn sums_to_f32(self, sums: Self::Sums) -> Self::V {
        each(|lane| sums[lane] as f32)
    }
    #[inline(always)]
    unsafe fn round_bytes(self, v: Self::V, to: *mut i8) {
        let code = |v: f32| if v > -127.0 { v.min(127.0).round_ties_even() as i8 } else { -127 };
        // SAFETY: as for `store`.
        unsafe { to.cast::<[i8; LANES]>().write_unaligned(v.map(code)) };
    }
}
