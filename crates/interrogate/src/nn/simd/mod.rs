//! Vectors of f32 and the processor's word for each operation on them.
//!
//! Owns the trait [`Simd`], its implementations (one file a machine) and the
//! choice between them at run time. The arithmetic of a layer is written once,
//! generic over the trait, in [`super::kernel`] and its neighbours; no other
//! file names a machine. A processor without a file of its own (NEON among
//! them) takes `portable`, which the compiler turns into its vectors.

#[cfg(target_arch = "x86_64")]
mod amx;
#[cfg(not(target_arch = "x86_64"))]
#[path = "no_amx.rs"]
mod amx;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod math;
mod portable;

pub(crate) use amx::{Amx, DEPTH, PAIRED, TILE, TILE_LEN};

pub(crate) use math::{exp, gelu, gelu_tanh, quick_gelu};

/// Vectors in the width of a tile, on every machine: a panel of packed weights
/// is `2 * LANES` outputs wide.
pub(crate) const TILE_VECTORS: usize = 2;

/// Rows that a tile may have on any machine.
pub(crate) const MAX_ROWS: usize = 14;

/// Values in a block of eight-bit weights: one cache line.
pub(crate) const BLOCK: usize = 64;

/// What one call of the unit of tiles multiplies.
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code, reason = "no other has such a unit"))]
#[derive(Clone, Copy)]
pub(crate) struct TileBlock {
    /// A tile of inputs a step and piece.
    pub(crate) a: *const f32,
    /// The same of the sixteen rows below.
    pub(crate) below: *const f32,
    /// Two tiles of weights a step and piece.
    pub(crate) b: *const f32,
    /// Steps, at least one.
    pub(crate) steps: usize,
    /// 32 rows of 32, on a cache line, written before unless `fresh`.
    pub(crate) sums: *mut f32,
    /// Whether the sums begin at zero.
    pub(crate) fresh: bool,
    /// What is needed next: a hint, wherever that is.
    pub(crate) ahead: *const f32,
}

/// A vector unit. A value is the proof that the processor has it: it is made by
/// [`Isa::run`] alone, after the check.
pub(crate) trait Simd: Copy + Send + Sync {
    /// A vector of [`LANES`](Self::LANES) f32 values.
    type V: Copy;
    /// Values in a vector.
    const LANES: usize;
    /// Rows of a tile: so many that its sums, a row of weights and one value
    /// just fill the registers.
    const ROWS: usize;
    /// Rows that share four rows of weights whose sums stay in the lanes: again
    /// as many as fill the registers.
    const DOT_ROWS: usize;
    /// Whether [`dot`](Self::dot) takes pairs of bf16 in each lane.
    const PAIRS: bool = false;

    /// Rows that share four blocks of eight-bit weights: 1, or 3 where there are
    /// registers for twelve sums of sixteen.
    const BYTE_ROWS: usize = 1;
    /// Sixteen f32 sums side by side, on every machine.
    type Sums: Copy;

    /// Runs `kernel` in a function compiled for this unit. The kernel and all
    /// that it calls must be `#[inline(always)]` to be compiled with it.
    fn vectorize<K: Kernel>(self, kernel: K) -> K::Out;

    /// `value` in every lane.
    fn splat(self, value: f32) -> Self::V;
    /// The vector at `from`, of any alignment.
    ///
    /// # Safety
    /// `LANES` values must be readable there.
    unsafe fn load(self, from: *const f32) -> Self::V;
    /// Writes the vector to `to`, of any alignment.
    ///
    /// # Safety
    /// `LANES` values must be writable there.
    unsafe fn store(self, to: *mut f32, v: Self::V);
    /// `LANES` f16 values at `from`, widened.
    ///
    /// # Safety
    /// `LANES` 16-bit values must be readable there.
    unsafe fn load_f16(self, from: *const u16) -> Self::V;
    /// `LANES` bf16 values at `from`, widened.
    ///
    /// # Safety
    /// `LANES` 16-bit values must be readable there.
    unsafe fn load_bf16(self, from: *const u16) -> Self::V;

    /// `a + b`.
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a - b`.
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a * b`.
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a / b`.
    fn div(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a * b + c`, rounded once where the machine can.
    fn fma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// The greater; `b` where either is NaN.
    fn max(self, a: Self::V, b: Self::V) -> Self::V;
    /// The lesser; `b` where either is NaN.
    fn min(self, a: Self::V, b: Self::V) -> Self::V;
    /// The nearest integer, ties to even, for values within the i32 range.
    fn round(self, a: Self::V) -> Self::V;
    /// `2^n` for whole `n` in -126..=127.
    fn pow2(self, n: Self::V) -> Self::V;
    /// `yes` in the lanes where `a < b`, `no` elsewhere (and where one is NaN).
    fn if_less(self, a: Self::V, b: Self::V, yes: Self::V, no: Self::V) -> Self::V;
    /// The sum over the lanes, in an order that is the machine's own but fixed.
    fn sum(self, v: Self::V) -> f32;

    /// Sixteen zeros.
    fn no_sums(self) -> Self::Sums;
    /// The sixteen.
    fn lanes(self, sums: Self::Sums) -> [f32; 16];
    /// For each of `J` weights: to lane `l` adds `scale` times the exact sum of
    /// the products `4l..4l + 4` of `x` and `w - 128`, over [`BLOCK`] bytes. The
    /// product with the scale and the addition are rounded one by one, so that
    /// every machine gives the same bits.
    ///
    /// # Safety
    /// [`BLOCK`] bytes must be readable at `x` and at each `w`; none of the
    /// weights is 0, and no `x` is -128.
    unsafe fn add_dots<const J: usize>(
        self,
        x: *const i8,
        w: [*const u8; J],
        scale: [f32; J],
        sums: [Self::Sums; J],
    ) -> [Self::Sums; J];

    /// Says that the cache line at `at` will soon be read, wherever that is.
    #[inline(always)]
    fn prefetch(self, at: *const u8) {
        let _ = at;
    }

    /// One step of a dot product: `sum + a * w`; where [`PAIRS`](Self::PAIRS),
    /// each lane of `a` and `w` is two bf16 values and both products are added.
    #[inline(always)]
    fn dot(self, sum: Self::V, a: Self::V, w: Self::V) -> Self::V {
        self.fma(a, w, sum)
    }

    /// Rounds `LANES` values at `from` to bf16, nearest even.
    ///
    /// # Safety
    /// `LANES` f32 values must be readable, `LANES` 16-bit values writable.
    #[inline(always)]
    unsafe fn round_bf16(self, from: *const f32, to: *mut u16) {
        for lane in 0..Self::LANES {
            // SAFETY: `lane` is below LANES, within both by the contract.
            unsafe { *to.add(lane) = half::bf16::from_f32(*from.add(lane)).to_bits() };
        }
    }

    /// The vector that `from` begins with.
    #[inline(always)]
    fn read(self, from: &[f32]) -> Self::V {
        assert!(from.len() >= Self::LANES);
        // SAFETY: the slice holds LANES values.
        unsafe { self.load(from.as_ptr()) }
    }

    /// Writes the vector to the beginning of `to`.
    #[inline(always)]
    fn write(self, to: &mut [f32], v: Self::V) {
        assert!(to.len() >= Self::LANES);
        // SAFETY: the slice holds LANES values.
        unsafe { self.store(to.as_mut_ptr(), v) }
    }

    /// A vector of the fewer than `LANES` values of `from`, `fill` behind them.
    #[inline(always)]
    fn read_part(self, from: &[f32], fill: f32) -> Self::V {
        let mut lanes = [fill; 16];
        lanes[..from.len()].copy_from_slice(from);
        self.read(&lanes)
    }

    /// Writes as many lanes as `to` is long, fewer than `LANES`.
    #[inline(always)]
    fn write_part(self, to: &mut [f32], v: Self::V) {
        let mut lanes = [0.0; 16];
        self.write(&mut lanes, v);
        to.copy_from_slice(&lanes[..to.len()]);
    }
}

/// A computation written over any [`Simd`].
pub(crate) trait Kernel {
    /// What it gives.
    type Out;
    /// Runs it; `#[inline(always)]` in every implementation.
    fn run<S: Simd>(self, simd: S) -> Self::Out;
}

/// A vector unit that this processor has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Isa(Unit);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx512Bf16,
}

impl Isa {
    /// What every processor has.
    #[cfg(test)]
    pub(crate) const PORTABLE: Isa = Isa(Unit::Portable);

    /// The widest unit here for f32. The question is answered from a cache.
    pub(crate) fn best() -> Isa {
        #[cfg(target_arch = "x86_64")]
        {
            if avx512::has() {
                return Isa(Unit::Avx512);
            }
            if avx2::has() {
                return Isa(Unit::Avx2);
            }
        }
        Isa(Unit::Portable)
    }

    /// The unit whose [`Simd::dot`] takes pairs of bf16, where there is one.
    pub(crate) fn bf16_pairs() -> Option<Isa> {
        #[cfg(target_arch = "x86_64")]
        if avx512::has_pairs() {
            return Some(Isa(Unit::Avx512Bf16));
        }
        None
    }

    /// The unit that is best at products of bytes; all give the same bits.
    pub(crate) fn int8() -> Isa {
        Isa::bf16_pairs().unwrap_or(Isa::best())
    }

    /// Every f32 unit of this processor, for tests that compare them.
    #[cfg(test)]
    pub(crate) fn all() -> Vec<Isa> {
        #[cfg(target_arch = "x86_64")]
        let others =
            [avx2::has().then_some(Isa(Unit::Avx2)), avx512::has().then_some(Isa(Unit::Avx512))];
        #[cfg(not(target_arch = "x86_64"))]
        let others: [Option<Isa>; 0] = [];
        std::iter::once(Isa::PORTABLE).chain(others.into_iter().flatten()).collect()
    }

    /// Runs `kernel` on this unit.
    #[inline]
    pub(crate) fn run<K: Kernel>(self, kernel: K) -> K::Out {
        // The tokens' makers are unsafe because they claim the unit. A Isa
        // other than Portable comes out of the functions above alone, which
        // asked the processor first.
        match self.0 {
            Unit::Portable => portable::Portable.vectorize(kernel),
            #[cfg(target_arch = "x86_64")]
            // SAFETY: this Isa exists, so `avx2::has()` was true.
            Unit::Avx2 => unsafe { avx2::Avx2::new() }.vectorize(kernel),
            #[cfg(target_arch = "x86_64")]
            // SAFETY: this Isa exists, so `avx512::has()` was true.
            Unit::Avx512 => unsafe { avx512::Avx512::<false>::new() }.vectorize(kernel),
            #[cfg(target_arch = "x86_64")]
            // SAFETY: this Isa exists, so `avx512::has_pairs()` was true.
            Unit::Avx512Bf16 => unsafe { avx512::Avx512::<true>::new() }.vectorize(kernel),
        }
    }

    /// Its name, as processors' makers write it, in small letters.
    pub(crate) fn name(self) -> &'static str {
        match self.0 {
            Unit::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Unit::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Unit::Avx512 => "avx512",
            #[cfg(target_arch = "x86_64")]
            Unit::Avx512Bf16 => "avx512bf16",
        }
    }

    /// Outputs in a panel of weights for this unit.
    pub(crate) fn panel(self) -> usize {
        struct Width;
        impl Kernel for Width {
            type Out = usize;
            #[inline(always)]
            fn run<S: Simd>(self, _: S) -> usize {
                TILE_VECTORS * S::LANES
            }
        }
        self.run(Width)
    }
}

#[cfg(test)]
mod tests;
