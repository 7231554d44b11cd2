//! AVX-512: sixteen lanes, 32 registers.
//!
//! At level [`VNNI`] also AVX512-VNNI's products of four bytes in a lane, and at level [`PAIRS`]
//! also AVX512-BF16's of two bf16 values: no processor has these without the others.

use std::arch::x86_64::*;

use super::{Kernel, Simd};

/// AVX-512 F, BW, DQ and VL.
pub(super) const PLAIN: u8 = 0;
/// The same with AVX512-VNNI.
pub(super) const VNNI: u8 = 1;
/// The same with AVX512-VNNI and AVX512-BF16.
pub(super) const PAIRS: u8 = 2;

/// Proof that the processor has AVX-512 up to `LEVEL`.
#[derive(Clone, Copy)]
pub(super) struct Avx512<const LEVEL: u8>(());

pub(super) fn has() -> bool {
    super::avx2::has()
        && is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl")
}

pub(super) fn has_vnni() -> bool {
    has() && is_x86_feature_detected!("avx512vnni")
}

pub(super) fn has_pairs() -> bool {
    has_vnni() && is_x86_feature_detected!("avx512bf16")
}

impl<const LEVEL: u8> Avx512<LEVEL> {
    /// # Safety
    /// [`has`] must have been true, [`has_vnni`] from level [`VNNI`] on, and [`has_pairs`] at
    /// level [`PAIRS`].
    #[inline(always)]
    pub(super) unsafe fn new() -> Self {
        Avx512(())
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
fn plain<K: Kernel, const LEVEL: u8>(simd: Avx512<LEVEL>, kernel: K) -> K::Out {
    kernel.run(simd)
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c,avx512vnni")]
fn vnni<K: Kernel, const LEVEL: u8>(simd: Avx512<LEVEL>, kernel: K) -> K::Out {
    kernel.run(simd)
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c,avx512bf16,avx512vnni")]
fn pairs<K: Kernel, const LEVEL: u8>(simd: Avx512<LEVEL>, kernel: K) -> K::Out {
    kernel.run(simd)
}

/// An intrinsic, called where a token exists.
macro_rules! op {
    ($e:expr) => {
        // SAFETY: the processor has the instruction, as `self` proves; pointers are valid by the
        // method's contract.
        unsafe { $e }
    };
}

impl<const LEVEL: u8> Simd for Avx512<LEVEL> {
    type V = __m512;
    const LANES: usize = 16;
    const ROWS: usize = 14;
    const DOT_ROWS: usize = 6;
    const PAIRS: bool = LEVEL >= PAIRS;
    const BYTE_ROWS: usize = if LEVEL >= VNNI { 14 } else { 12 };
    type Bytes = __m512i;
    type Sums = __m512i;

    #[inline]
    fn vectorize<K: Kernel>(self, kernel: K) -> K::Out {
        op!(match LEVEL {
            PLAIN => plain(self, kernel),
            VNNI => vnni(self, kernel),
            _ => pairs(self, kernel),
        })
    }

    #[inline(always)]
    fn splat(self, value: f32) -> __m512 {
        op!(_mm512_set1_ps(value))
    }
    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> __m512 {
        op!(_mm512_loadu_ps(from))
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32, v: __m512) {
        op!(_mm512_storeu_ps(to, v));
    }
    #[inline(always)]
    unsafe fn load_f16(self, from: *const u16) -> __m512 {
        op!(_mm512_cvtph_ps(_mm256_loadu_si256(from.cast())))
    }
    #[inline(always)]
    unsafe fn load_bf16(self, from: *const u16) -> __m512 {
        op!({
            let wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256(from.cast()));
            _mm512_castsi512_ps(_mm512_slli_epi32::<16>(wide))
        })
    }
    #[inline(always)]
    fn add(self, a: __m512, b: __m512) -> __m512 {
        op!(_mm512_add_ps(a, b))
    }
    #[inline(always)]
    fn sub(self, a: __m512, b: __m512) -> __m512 {
        op!(_mm512_sub_ps(a, b))
    }
    #[inline(always)]
    fn mul(self, a: __m512, b: __m512) -> __m512 {
        op!(_mm512_mul_ps(a, b))
    }
    #[inline(always)]
    fn div(self, a: __m512, b: __m512) -> __m512 {
        op!(_mm512_div_ps(a, b))
    }
    #[inline(always)]
    fn fma(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        op!(_mm512_fmadd_ps(a, b, c))
    }
    #[inline(always)]
    fn max(self, a: __m512, b: __m512) -> __m512 {
        op!(_mm512_max_ps(a, b))
    }
    #[inline(always)]
    fn min(self, a: __m512, b: __m512) -> __m512 {
        op!(_mm512_min_ps(a, b))
    }
    #[inline(always)]
    fn round(self, a: __m512) -> __m512 {
        op!(_mm512_roundscale_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(a))
    }
    #[inline(always)]
    fn pow2(self, n: __m512) -> __m512 {
        op!(_mm512_scalef_ps(_mm512_set1_ps(1.0), n))
    }
    #[inline(always)]
    fn if_less(self, a: __m512, b: __m512, yes: __m512, no: __m512) -> __m512 {
        op!(_mm512_mask_blend_ps(_mm512_cmp_ps_mask::<_CMP_LT_OQ>(a, b), no, yes))
    }
    #[inline(always)]
    fn sum(self, v: __m512) -> f32 {
        op!(_mm512_reduce_add_ps(v))
    }
    #[inline(always)]
    fn highest(self, v: __m512) -> f32 {
        op!(_mm512_reduce_max_ps(v))
    }

    #[inline(always)]
    fn dot(self, sum: __m512, a: __m512, w: __m512) -> __m512 {
        if LEVEL >= PAIRS {
            op!({
                // SAFETY (of the two transmutes): 512 bits of plain data each.
                let a: __m512bh = std::mem::transmute(a);
                let w: __m512bh = std::mem::transmute(w);
                _mm512_dpbf16_ps(sum, a, w)
            })
        } else {
            self.fma(a, w, sum)
        }
    }
    #[inline(always)]
    unsafe fn round_bf16(self, from: *const f32, to: *mut u16) {
        if LEVEL >= PAIRS {
            op!({
                // SAFETY (of the transmute): 256 bits of plain data.
                let half: __m256i = std::mem::transmute(_mm512_cvtneps_pbh(_mm512_loadu_ps(from)));
                _mm256_storeu_si256(to.cast(), half);
            });
        } else {
            for lane in 0..Self::LANES {
                op!(*to.add(lane) = half::bf16::from_f32(*from.add(lane)).to_bits());
            }
        }
    }

    #[inline(always)]
    unsafe fn load_bytes(self, from: *const u8) -> __m512i {
        op!({
            let w = _mm512_loadu_si512(from.cast());
            if LEVEL >= VNNI { w } else { _mm512_xor_si512(w, _mm512_set1_epi8(i8::MIN)) }
        })
    }
    #[inline(always)]
    fn start_sums(self, inputs: i32) -> __m512i {
        // Minus 128 times the inputs, which corrects for the weights' offset.
        op!(_mm512_set1_epi32(if LEVEL >= VNNI { -128 * inputs } else { 0 }))
    }
    #[inline(always)]
    unsafe fn add_products(self, sums: __m512i, x: *const i8, w: __m512i) -> __m512i {
        op!({
            let x = _mm512_set1_epi32(x.cast::<i32>().read_unaligned());
            if LEVEL >= VNNI {
                _mm512_dpbusd_epi32(sums, w, x)
            } else {
                // |w|, and x with w's sign: pair sums of at most 2 * 127², which is below 2^15.
                let below = _mm512_movepi8_mask(w);
                let x = _mm512_mask_sub_epi8(x, below, _mm512_setzero_si512(), x);
                let pairs = _mm512_maddubs_epi16(_mm512_abs_epi8(w), x);
                _mm512_add_epi32(sums, _mm512_madd_epi16(pairs, _mm512_set1_epi16(1)))
            }
        })
    }
    #[inline(always)]
    fn sums_to_f32(self, sums: __m512i) -> __m512 {
        op!(_mm512_cvtepi32_ps(sums))
    }
    #[inline(always)]
    unsafe fn round_bytes(self, v: __m512, to: *mut i8) {
        let v = self.min(self.max(v, self.splat(-127.0)), self.splat(127.0));
        op!(_mm_storeu_si128(to.cast(), _mm512_cvtsepi32_epi8(_mm512_cvtps_epi32(v))));
    }

    #[inline(always)]
    fn prefetch(self, at: *const u8) {
        // A hint: an invalid address is ignored.
        op!(_mm_prefetch::<_MM_HINT_T0>(at.cast()));
    }
}
