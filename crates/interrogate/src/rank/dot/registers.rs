//! Loads and stores of sixteen lanes: all unsafe code of the x86 kernels.
//!
//! Every argument is a reference to sixteen values, which makes these functions safe to call
//! from code that has the processor feature.

/// One register of sixteen.
pub(super) mod avx512 {
    use std::arch::x86_64::*;

    use half::f16;

    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(in super::super) fn load(lanes: &[f32; 16]) -> __m512 {
        // SAFETY: 64 readable bytes; the load is unaligned.
        unsafe { _mm512_loadu_ps(lanes.as_ptr()) }
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(in super::super) fn load_half(lanes: &[f16; 16]) -> __m512 {
        // SAFETY: 32 readable bytes, as an f16 is a u16 in memory; the load is unaligned.
        _mm512_cvtph_ps(unsafe { _mm256_loadu_si256(lanes.as_ptr().cast()) })
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(in super::super) fn store(lanes: &mut [f32; 16], register: __m512) {
        // SAFETY: 64 writable bytes; the store is unaligned.
        unsafe { _mm512_storeu_ps(lanes.as_mut_ptr(), register) }
    }

    /// Prefetches the values `distance` bytes after `lanes`. It is a hint, which cannot fault at
    /// any address.
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
        // SAFETY: 64 readable bytes, the second half of which starts at value eight; the loads
        // are unaligned.
        unsafe { [_mm256_loadu_ps(lanes), _mm256_loadu_ps(lanes.add(8))] }
    }

    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    pub(in super::super) fn load_half(lanes: &[f16; 16]) -> Pair {
        let lanes = lanes.as_ptr();
        // SAFETY: 32 readable bytes, as an f16 is a u16 in memory, the second half of which
        // starts at value eight; the loads are unaligned.
        let [low, high] =
            unsafe { [_mm_loadu_si128(lanes.cast()), _mm_loadu_si128(lanes.add(8).cast())] };
        [_mm256_cvtph_ps(low), _mm256_cvtph_ps(high)]
    }

    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    pub(in super::super) fn store(lanes: &mut [f32; 16], registers: Pair) {
        let lanes = lanes.as_mut_ptr();
        // SAFETY: 64 writable bytes, the second half of which starts at value eight; the stores
        // are unaligned.
        unsafe {
            _mm256_storeu_ps(lanes, registers[0]);
            _mm256_storeu_ps(lanes.add(8), registers[1]);
        }
    }

    /// Prefetches as [`avx512::prefetch`](super::avx512::prefetch) does.
    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    pub(in super::super) fn prefetch(lanes: &[f16; 16], distance: usize) {
        _mm_prefetch::<_MM_HINT_T0>(lanes.as_ptr().wrapping_byte_add(distance).cast());
    }
}
