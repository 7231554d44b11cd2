//! Loads of codes into registers: all unsafe code of the x86 kernels.

/// Prefetch distance in bytes, as in [`crate::rank::dot`].
const PREFETCH_DISTANCE: usize = 8 << 10;

pub(super) mod avx512 {
    use std::arch::x86_64::*;

    use super::super::panel::Quads;

    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(in super::super) fn load(line: &[i8; 64]) -> __m512i {
        // SAFETY: 64 readable bytes; the load is unaligned.
        unsafe { _mm512_loadu_si512(line.as_ptr().cast()) }
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(in super::super) fn load_quads(quads: &Quads) -> __m512i {
        // SAFETY: 64 readable bytes; the load is unaligned.
        unsafe { _mm512_loadu_si512(quads.0.as_ptr().cast()) }
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(in super::super) fn load_lanes(lanes: &[f32; 16]) -> __m512 {
        // SAFETY: 64 readable bytes; the load is unaligned.
        unsafe { _mm512_loadu_ps(lanes.as_ptr()) }
    }

    /// Prefetches the codes [`PREFETCH_DISTANCE`](super::PREFETCH_DISTANCE) bytes after `line`.
    /// It is a hint, which cannot fault at any address.
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(in super::super) fn prefetch(line: &[i8; 64]) {
        _mm_prefetch::<_MM_HINT_T0>(
            line.as_ptr().wrapping_byte_add(super::PREFETCH_DISTANCE).cast(),
        );
    }
}

pub(super) mod avx2 {
    use std::arch::x86_64::*;

    #[inline]
    #[target_feature(enable = "avx2")]
    pub(in super::super) fn load(half: &[i8; 32]) -> __m256i {
        // SAFETY: 32 readable bytes; the load is unaligned.
        unsafe { _mm256_loadu_si256(half.as_ptr().cast()) }
    }

    /// Prefetches as [`avx512::prefetch`](super::avx512::prefetch) does.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(in super::super) fn prefetch(half: &[i8; 32]) {
        _mm_prefetch::<_MM_HINT_T0>(
            half.as_ptr().wrapping_byte_add(super::PREFETCH_DISTANCE).cast(),
        );
    }
}
