//! SIMD vectors of f32: the operations of each instruction set.
//!
//! Owns the trait [`Simd`], its implementations (one file per instruction set) and their
//! selection at run time. The arithmetic of a layer is written once, generic over the trait, in
//! [`super::kernel`] and its neighbors; no other file depends on an instruction set. Processors
//! without a file of their own (NEON among them) use `portable`, which the compiler vectorizes.

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

pub(crate) use math::{exp, gelu, gelu_tanh, quick_gelu, silu};

/// Vectors in the width of a tile, for every instruction set: a panel of packed weights is `2 *
/// LANES` outputs wide.
pub(crate) const TILE_VECTORS: usize = 2;

/// The most rows of a tile, for any instruction set.
pub(crate) const MAX_ROWS: usize = 14;

/// Values in a block of eight-bit weights: one cache line.
pub(crate) const BLOCK: usize = 64;

/// The operands of one AMX multiplication.
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code, reason = "no other has such a unit"))]
#[derive(Clone, Copy)]
pub(crate) struct TileBlock {
    /// One tile of inputs per step and piece.
    pub(crate) a: *const f32,
    /// The same for the next sixteen rows.
    pub(crate) below: *const f32,
    /// Two tiles of weights per step and piece.
    pub(crate) b: *const f32,
    /// Steps, at least one.
    pub(crate) steps: usize,
    /// 32 rows of 32 sums, aligned to a cache line, initialized unless `fresh`.
    pub(crate) sums: *mut f32,
    /// Whether the sums start at zero.
    pub(crate) fresh: bool,
    /// The prefetch address: a hint, which may be out of bounds.
    pub(crate) ahead: *const f32,
}

/// An instruction set. A value proves that the processor has it: only [`Isa::run`] creates one,
/// after detection.
pub(crate) trait Simd: Copy + Send + Sync {
    /// A vector of [`LANES`](Self::LANES) f32 values.
    type V: Copy;
    /// Values in a vector.
    const LANES: usize;
    /// Rows of a tile: its sums, a row of weights and one value just fill the registers.
    const ROWS: usize;
    /// Input rows per four rows of weights in dot products whose sums stay in lanes: again they
    /// fill the registers.
    const DOT_ROWS: usize;
    /// Whether [`dot`](Self::dot) takes pairs of bf16 in each lane.
    const PAIRS: bool = false;

    /// Rows of a tile of eight-bit weights.
    const BYTE_ROWS: usize;
    /// Four bytes in each lane: the weights of a step.
    type Bytes: Copy;
    /// A vector of [`LANES`](Self::LANES) i32 sums.
    type Sums: Copy;

    /// Runs `kernel` in a function compiled for this instruction set. The kernel and all that it
    /// calls must be `#[inline(always)]` to be compiled with it.
    fn vectorize<K: Kernel>(self, kernel: K) -> K::Out;

    /// `value` in every lane.
    fn splat(self, value: f32) -> Self::V;
    /// Loads the vector at `from`, of any alignment.
    ///
    /// # Safety
    /// `LANES` values must be readable there.
    unsafe fn load(self, from: *const f32) -> Self::V;
    /// Stores the vector at `to`, of any alignment.
    ///
    /// # Safety
    /// `LANES` values must be writable there.
    unsafe fn store(self, to: *mut f32, v: Self::V);
    /// Loads `LANES` f16 values at `from`, widened.
    ///
    /// # Safety
    /// `LANES` 16-bit values must be readable there.
    unsafe fn load_f16(self, from: *const u16) -> Self::V;
    /// Loads `LANES` bf16 values at `from`, widened.
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
    /// `a * b + c`, rounded once if the machine has a fused instruction.
    fn fma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// The greater; `b` where either is NaN.
    fn max(self, a: Self::V, b: Self::V) -> Self::V;
    /// The lesser; `b` where either is NaN.
    fn min(self, a: Self::V, b: Self::V) -> Self::V;
    /// The nearest integer, ties to even, for values within the i32 range.
    fn round(self, a: Self::V) -> Self::V;
    /// `2^n` for integers `n` in -126..=127.
    fn pow2(self, n: Self::V) -> Self::V;
    /// `yes` in the lanes where `a < b`, `no` elsewhere (and where one is NaN).
    fn if_less(self, a: Self::V, b: Self::V, yes: Self::V, no: Self::V) -> Self::V;
    /// The sum of the lanes, in a fixed order that depends on the instruction set.
    fn sum(self, v: Self::V) -> f32;
    /// The greatest lane, of lanes that are not NaN.
    fn highest(self, v: Self::V) -> f32;

    /// Loads `4 * LANES` weights at `from`, each stored 128 higher.
    ///
    /// # Safety
    /// `4 * LANES` bytes must be readable there, none of them 0.
    unsafe fn load_bytes(self, from: *const u8) -> Self::Bytes;
    /// The sums before the first of some steps whose inputs add up to `inputs`.
    fn start_sums(self, inputs: i32) -> Self::Sums;
    /// Adds to each lane of `sums` the exact product of the four inputs at `x` with the lane's
    /// four weights.
    ///
    /// # Safety
    /// Four bytes must be readable at `x`, none of them -128.
    unsafe fn add_products(self, sums: Self::Sums, x: *const i8, w: Self::Bytes) -> Self::Sums;
    /// The sums as f32, rounded to nearest even.
    fn sums_to_f32(self, sums: Self::Sums) -> Self::V;
    /// Rounds each lane to a byte, ties to even: -127 to 127, values beyond to the ends, and NaN
    /// to -127.
    ///
    /// # Safety
    /// `LANES` bytes must be writable at `to`.
    unsafe fn round_bytes(self, v: Self::V, to: *mut i8);

    /// Prefetches the cache line at `at`, which may be any address.
    #[inline(always)]
    fn prefetch(self, at: *const u8) {
        let _ = at;
    }

    /// One step of a dot product: `sum + a * w`; with [`PAIRS`](Self::PAIRS) each lane of `a`
    /// and `w` is two bf16 values, and both products are added.
    #[inline(always)]
    fn dot(self, sum: Self::V, a: Self::V, w: Self::V) -> Self::V {
        self.fma(a, w, sum)
    }

    /// Rounds `LANES` values at `from` to bf16, to nearest even.
    ///
    /// # Safety
    /// `LANES` f32 values must be readable, and `LANES` 16-bit values writable.
    #[inline(always)]
    unsafe fn round_bf16(self, from: *const f32, to: *mut u16) {
        for lane in 0..Self::LANES {
            // SAFETY: `lane` is below LANES, within both by the contract.
            unsafe { *to.add(lane) = half::bf16::from_f32(*from.add(lane)).to_bits() };
        }
    }

    /// Loads the first vector of `from`.
    #[inline(always)]
    fn read(self, from: &[f32]) -> Self::V {
        assert!(from.len() >= Self::LANES);
        // SAFETY: the slice holds LANES values.
        unsafe { self.load(from.as_ptr()) }
    }

    /// Stores the vector at the start of `to`.
    #[inline(always)]
    fn write(self, to: &mut [f32], v: Self::V) {
        assert!(to.len() >= Self::LANES);
        // SAFETY: the slice holds LANES values.
        unsafe { self.store(to.as_mut_ptr(), v) }
    }

    /// Loads fewer than `LANES` values, padded with `fill`.
    #[inline(always)]
    fn read_part(self, from: &[f32], fill: f32) -> Self::V {
        let mut lanes = [fill; 16];
        lanes[..from.len()].copy_from_slice(from);
        self.read(&lanes)
    }

    /// Stores the first lanes in `to`, which is shorter than `LANES`.
    #[inline(always)]
    fn write_part(self, to: &mut [f32], v: Self::V) {
        let mut lanes = [0.0; 16];
        self.write(&mut lanes, v);
        to.copy_from_slice(&lanes[..to.len()]);
    }
}

/// A computation that is generic over [`Simd`].
///
/// A kernel is compiled for every f32 instruction set, and for those with products of bf16 or of
/// bytes only if it says that it calls them.
pub(crate) trait Kernel {
    /// Whether it calls [`Simd::dot`] or [`Simd::round_bf16`] with pairs of bf16.
    const PAIRS: bool = false;
    /// Whether it calls [`Simd::add_products`].
    const BYTES: bool = false;
    /// The result.
    type Out;
    /// Runs the computation; `#[inline(always)]` in every implementation.
    fn run<S: Simd>(self, simd: S) -> Self::Out;
}

/// An instruction set of this processor.
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
    Avx512Vnni,
    #[cfg(target_arch = "x86_64")]
    Avx512Bf16,
}

impl Isa {
    /// The instruction set of every processor.
    #[cfg(test)]
    pub(crate) const PORTABLE: Isa = Isa(Unit::Portable);

    /// The widest f32 instruction set of this processor. Detection is cached.
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

    /// The instruction set whose [`Simd::dot`] takes pairs of bf16, if the processor has one.
    pub(crate) fn bf16_pairs() -> Option<Isa> {
        #[cfg(target_arch = "x86_64")]
        if avx512::has_pairs() {
            return Some(Isa(Unit::Avx512Bf16));
        }
        None
    }

    /// The fastest instruction set for products of bytes; all compute the same bits.
    pub(crate) fn int8() -> Isa {
        #[cfg(target_arch = "x86_64")]
        if avx512::has_vnni() {
            return Isa(Unit::Avx512Vnni);
        }
        Isa::best()
    }

    /// All f32 instruction sets of this processor, for tests that compare them.
    #[cfg(test)]
    pub(crate) fn all() -> Vec<Isa> {
        #[cfg(target_arch = "x86_64")]
        let others =
            [avx2::has().then_some(Isa(Unit::Avx2)), avx512::has().then_some(Isa(Unit::Avx512))];
        #[cfg(not(target_arch = "x86_64"))]
        let others: [Option<Isa>; 0] = [];
        std::iter::once(Isa::PORTABLE).chain(others.into_iter().flatten()).collect()
    }

    /// Runs `kernel` with this instruction set, or, if that has only products of narrow values
    /// which `kernel` does not call, with the set it extends.
    #[inline]
    pub(crate) fn run<K: Kernel>(self, kernel: K) -> K::Out {
        // `new` is unsafe because a token claims that the processor has the instruction set.
        // Every Isa but Portable comes from the functions above, which checked that.
        match self.0 {
            Unit::Portable => portable::Portable.vectorize(kernel),
            #[cfg(target_arch = "x86_64")]
            // SAFETY: this Isa exists, so `avx2::has()` was true.
            Unit::Avx2 => unsafe { avx2::Avx2::new() }.vectorize(kernel),
            #[cfg(target_arch = "x86_64")]
            Unit::Avx512Vnni if K::BYTES => {
                // SAFETY: this Isa exists, so `avx512::has_vnni()` was true.
                unsafe { avx512::Avx512::<{ avx512::VNNI }>::new() }.vectorize(kernel)
            }
            #[cfg(target_arch = "x86_64")]
            Unit::Avx512Bf16 if K::PAIRS => {
                // SAFETY: this Isa exists, so `avx512::has_pairs()` was true.
                unsafe { avx512::Avx512::<{ avx512::PAIRS }>::new() }.vectorize(kernel)
            }
            #[cfg(target_arch = "x86_64")]
            Unit::Avx512 | Unit::Avx512Vnni | Unit::Avx512Bf16 => {
                // SAFETY: this Isa exists, so `avx512::has()` was true, which the others imply.
                unsafe { avx512::Avx512::<{ avx512::PLAIN }>::new() }.vectorize(kernel)
            }
        }
    }

    /// The name, as vendors write it, in lower case.
    pub(crate) fn name(self) -> &'static str {
        match self.0 {
            Unit::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Unit::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Unit::Avx512 => "avx512",
            #[cfg(target_arch = "x86_64")]
            Unit::Avx512Vnni => "avx512vnni",
            #[cfg(target_arch = "x86_64")]
            Unit::Avx512Bf16 => "avx512bf16",
        }
    }

    /// Outputs in a panel of packed weights.
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
