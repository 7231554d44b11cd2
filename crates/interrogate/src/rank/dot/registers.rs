//! Sixteen lanes into registers and back: all of the x86 kernels' unsafe code.
//!
//! Every argument is a reference to sixteen values, which is what makes these
//! functions safe to call for code that has the processor's feature.

/// One register of sixteen.
pub(super) mod avx512 {
    use std::arch::x86_64::*;

    use half::f16;

    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(in super::super) fn load(lanes: &[f32; 16]) -> __m512 {
        // SAFETY: 64 readable bytes; no alignment is asked for.
        unsafe { _mm512_loadu_ps(lanes.as_ptr()) }
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(in super::super) fn load_half(lanes: &[f16; 16]) -> __m512 {
        // SAFETY: 32 readable bytes, for an f16 is a u16 in memory; no alignment
        // is asked for.
        _mm512_cvtph_ps(unsafe { _mm256_loadu_si256(lanes.as_ptr().cast()) })
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(in super::super) fn store(lanes: &mut [f32; 16], register: __m512) {
        // SAFETY: 64 writable bytes; no alignment is asked for.
        unsafe { _mm512_storeu_ps(lanes.as_mut_ptr(), register) }
    }

    /// Asks for what lies `ahead` bytes of `lanes`; a hint that cannot fault,
    /// wherever that is.
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(in super::super) fn prefetch(lanes: &[f16; 16], distance: usize) {
        _mm_prefetch::<_MM_HINT_T0>(lanes.as_ptr().wrapping_byte_add(distance).cast());
    }
}

/// Two registers of eight: lanes 0 to 7, and 8 to 15.
pub(super) mod avx2 {
    use std::arch::x86_64::*;

    use half::f16;

    pub(in super::super) type Pair = [__m256; 2];

    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    pub(in super::super) fn load(lanes: &[f32; 16]) -> Pair {
        let lanes = lanes.as_ptr();
        // SAFETY: 64 readable bytes, the later half of which starts eight values
        // on; no alignment is asked for.
        unsafe { [_mm256_loadu_ps(lanes), _mm256_loadu_ps(lanes.add(8))] }
    }

    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    pub(in super::super) fn load_half(lanes: &[f16; 16]) -> Pair {
        let lanes = lanes.as_ptr();
        // SAFETY: 32 readable bytes, for an f16 is a u16 in memory, the later half
        // of which starts eight values on; no alignment is asked for.
        let [low, high] =
            unsafe { [_mm_loadu_si128(lanes.cast()), _mm_loadu_si128(lanes.add(8).cast())] };
        [_mm256_cvtph_ps(low), _mm256_cvtph_ps(high)]
    }

    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    pub(in super::super) fn store(lanes: &mut [f32; 16], registers: Pair) {
        let lanes = lanes.as_mut_ptr();
        // SAFETY: 64 writable bytes, the later half of which starts eight values
        // on; no alignment is asked for.
        unsafe {
            _mm256_storeu_ps(lanes, registers[0]);
            _mm256_storeu_ps(lanes.add(8), registers[1]);
        }
    }

    /// As for AVX-512.
    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    pub(in super::super) fn prefetch(lanes: &[f16; 16], distance: usize) {
        _mm_prefetch::<_MM_HINT_T0>(lanes.as_ptr().wrapping_byte_add(distance).cast());
    }
}
