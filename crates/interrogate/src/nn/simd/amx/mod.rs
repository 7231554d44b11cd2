//! AMX: multiplies a tile of sixteen rows by a tile of sixteen columns.
//!
//! One instruction sums over 32 bf16 values, at sixteen times the rate of AVX-512's f32.
//!
//! An f32 has 24 significant bits and a bf16 has eight, so an f32 is exactly the sum of three
//! bf16 values. Of the nine products of such pieces the six largest are computed; the other
//! three are below 2^-24 of the product (Henry, Tang and Heinecke, 2019, "Leveraging the
//! bfloat16 Artificial Intelligence Datatype For Higher-Precision Computations"). Sums are in
//! f32. Six passes are as accurate as f32 arithmetic, at more than twice its speed.
//!
//! It differs from f32 at the ends of the range: a value above 3.39e38 gives NaN, and a value
//! below 2^-110 loses its last bits, because AMX treats denormal numbers as zero.

mod multiply;
mod pack;

use std::arch::asm;
use std::arch::x86_64::__cpuid_count;
use std::marker::PhantomData;
use std::ops::Range;
use std::sync::LazyLock;

/// Rows of a tile of inputs, and columns of a tile of weights.
pub(crate) const TILE: usize = 16;

/// Input values that one instruction sums over.
pub(crate) const DEPTH: usize = 32;

/// The size of a tile in f32 values: sixteen cache lines.
pub(crate) const TILE_LEN: usize = 256;

/// The size of a tile of weights kept as f32 until it is split into pieces: for each pair of
/// inputs, the two values of each of sixteen outputs.
pub(crate) const PAIRED: usize = 2 * TILE_LEN;

/// Proof that the processor has AMX and that this process may use it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Amx(());

impl Amx {
    /// Returns the proof, or `None` without AMX. Detection runs once per process.
    pub(crate) fn get() -> Option<Amx> {
        static AVAILABLE: LazyLock<bool> = LazyLock::new(|| has() && permitted());
        AVAILABLE.then_some(Amx(()))
    }

    /// Configures the tiles of this thread, until the guard is dropped.
    pub(crate) fn configure(self) -> TileConfig {
        #[repr(C, align(64))]
        struct Shape {
            palette: u8,
            start_row: u8,
            reserved: [u8; 14],
            bytes: [u16; 16],
            rows: [u8; 16],
        }
        let mut shape =
            Shape { palette: 1, start_row: 0, reserved: [0; 14], bytes: [0; 16], rows: [0; 16] };
        shape.bytes[..8].fill(64);
        shape.rows[..8].fill(TILE as u8);
        // SAFETY: AMX is present and permitted, as `self` proves; the 64 bytes describe
        // palette 1 with its eight tiles at full size.
        unsafe { asm!("ldtilecfg [{}]", in(reg) &shape, options(nostack, readonly)) };
        TileConfig(PhantomData)
    }

    /// Packs `steps` of `x` (rows, k) into tiles of `PIECES` pieces each: for every sixteen
    /// rows, for every step, one tile per piece, the largest piece first. A row's last step
    /// is padded with zeros; tile rows past the last row keep their old contents.
    ///
    /// # Panics
    /// If `x` or `to` is too short, or `PIECES` is neither 1 nor 3.
    pub(crate) fn pack<const PIECES: usize>(
        self,
        x: &[f32],
        (rows, k): (usize, usize),
        steps: Range<usize>,
        to: &mut [f32],
    ) {
        assert!(x.len() >= rows * k && steps.end <= k.div_ceil(DEPTH));
        assert!(to.len() >= rows.div_ceil(TILE) * steps.len() * PIECES * TILE_LEN);
        assert!(PIECES == 1 || PIECES == 3);
        // SAFETY: `has` checked these extensions, and the assertions above the lengths.
        unsafe { pack::rows::<PIECES>(x, (rows, k), steps, to.as_mut_ptr()) }
    }

    /// Splits f32 weights in the [`PAIRED`] layout into tiles of three bf16 pieces: for every
    /// two tiles of `weights`, two tiles per piece, the largest piece first.
    ///
    /// # Panics
    /// If `weights` is not a whole number of steps, or `to` is shorter than 1.5 times it.
    pub(crate) fn split(self, weights: &[f32], to: &mut [f32]) {
        assert!(weights.len().is_multiple_of(2 * PAIRED) && to.len() >= weights.len() / 2 * 3);
        // SAFETY: `has` checked these extensions, and the assertion above the lengths.
        unsafe { pack::split(weights, to.as_mut_ptr()) }
    }
}

/// The tile configuration of this thread, released on drop.
pub(crate) struct TileConfig(PhantomData<*mut ()>);

impl Drop for TileConfig {
    fn drop(&mut self) {
        // SAFETY: AMX is present, and no tile holds a value that is still needed. Releasing
        // the tiles also spares the kernel saving them at a context switch.
        unsafe { asm!("tilerelease", options(nostack, nomem)) };
    }
}

/// Whether the processor has AMX-BF16 and the AVX-512 extensions that packing needs.
fn has() -> bool {
    if cfg!(miri) || !super::avx512::has_pairs() {
        return false;
    }
    let features = __cpuid_count(7, 0).edx;
    let bit = |n: u32| features >> n & 1 == 1;
    bit(22) && bit(24) // AMX-BF16, AMX-TILE
}

/// Requests permission from Linux to use tiles, which enlarge a thread's saved state by
/// 8 KiB.
#[cfg(target_os = "linux")]
fn permitted() -> bool {
    const ARCH_REQ_XCOMP_PERM: libc::c_long = 0x1023;
    const TILE_DATA: libc::c_long = 18;
    // SAFETY: the call takes two numbers, writes no memory, and returns an error on a kernel
    // that does not know it.
    unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, TILE_DATA) == 0 }
}

/// Other systems are not supported: none has been tested.
#[cfg(not(target_os = "linux"))]
fn permitted() -> bool {
    false
}
