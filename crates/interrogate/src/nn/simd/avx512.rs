//! AVX-512: sixteen lanes, 32 registers.
//!
//! With `PAIRS`, the dot products of AVX512-BF16 over two bf16 values per lane, and those of
//! AVX512-VNNI over four bytes: no processor has the first without the second.

use std::arch::x86_64::*;

use super::{Kernel, Simd};

/// Proof that the processor has AVX-512 F, BW, DQ and VL, and with `PAIRS` also AVX512-BF16 and
/// AVX512-VNNI.
#[derive(Clone, Copy)]
pub(super) struct Avx512<const PAIRS: bool>(());

pub(super) fn has() -> bool {
    super::avx2::has()
        && is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl")
}

pub(super) fn has_pairs() -> bool {
    has() && is_x86_feature_detected!("avx512bf16") && is_x86_feature_detected!("avx512vnni")
}

impl<const PAIRS: bool> Avx512<PAIRS> {
    /// # Safety
    /// [`has`], or [`has_pairs`] where `PAIRS`, must have been true.
    #[inline(always)]
    pub(super) unsafe fn new() -> Self {
        Avx512(())
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
fn plain<K: Kernel, const PAIRS: bool>(simd: Avx512<PAIRS>, kernel: K) -> K::Out {
    kernel.run(simd)
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c,avx512bf16,avx512vnni")]
fn pairs<K: Kernel, const PAIRS: bool>(simd: Avx512<PAIRS>, kernel: K) -> K::Out {
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

impl<const PAIRS: bool> Simd for Avx512<PAIRS> {
    type V = __m512;
    const LANES: usize = 16;
    const ROWS: usize = 14;
    const DOT_ROWS: usize = 6;
    const PAIRS: bool = PAIRS;
    const BYTE_ROWS: usize = 3;
    type Sums = __m512;

    #[inline]
    fn vectorize<K: Kernel>(self, kernel: K) -> K::Out {
        op!(if PAIRS { pairs(self, kernel) } else { plain(self, kernel) })
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
    fn dot(self, sum: __m512, a: __m512, w: __m512) -> __m512 {
        if PAIRS {
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
        if PAIRS {
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
    fn no_sums(self) -> __m512 {
        self.splat(0.0)
    }
    #[inline(always)]
    fn lanes(self, sums: __m512) -> [f32; 16] {
        let mut lanes = [0.0; 16];
        self.write(&mut lanes, sums);
        lanes
    }
    #[inline(always)]
    unsafe fn add_dots<const J: usize>(
        self,
        x: *const i8,
        w: [*const u8; J],
        scale: [f32; J],
        mut sums: [__m512; J],
    ) -> [__m512; J] {
        op!({
            let x = _mm512_loadu_si512(x.cast());
            // Minus 128 times x, which corrects for the weights' offset.
            let shift = if PAIRS {
                let shift = _mm512_set1_epi8(i8::MIN); // 128 as an unsigned byte
                let over = _mm512_dpbusd_epi32(_mm512_setzero_si512(), shift, x);
                _mm512_sub_epi32(_mm512_setzero_si512(), over)
            } else {
                _mm512_setzero_si512()
            };
            for ((sum, w), scale) in sums.iter_mut().zip(w).zip(scale) {
                let w = _mm512_loadu_si512(w.cast());
                let dots = if PAIRS {
                    _mm512_dpbusd_epi32(shift, w, x)
                } else {
                    // |w|, and x with w's sign: pair sums of at most 2 * 127², which is
                    // below 2^15.
                    let w = _mm512_xor_si512(w, _mm512_set1_epi8(i8::MIN));
                    let below = _mm512_movepi8_mask(w);
                    let x = _mm512_mask_sub_epi8(x, below, _mm512_setzero_si512(), x);
                    let pairs = _mm512_maddubs_epi16(_mm512_abs_epi8(w), x);
                    _mm512_madd_epi16(pairs, _mm512_set1_epi16(1))
                };
                let part = _mm512_mul_ps(_mm512_cvtepi32_ps(dots), _mm512_set1_ps(scale));
                *sum = _mm512_add_ps(*sum, part);
            }
        });
        sums
    }

    #[inline(always)]
    fn prefetch(self, at: *const u8) {
        // A hint: an invalid address is ignored.
        op!(_mm_prefetch::<_MM_HINT_T0>(at.cast()));
    }
}
