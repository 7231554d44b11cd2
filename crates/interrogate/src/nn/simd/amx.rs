//! AMX: a unit that multiplies tiles of sixteen rows by tiles of sixteen
//! columns, 32 steps of bf16 at once, sixteen times the rate of AVX-512.
//!
//! An f32 has 24 significant bits, a bf16 eight: an f32 is the sum of three bf16,
//! exactly. Of the nine products of such pieces the six largest are taken; the
//! other three are below 2^-24 of the whole (Henry, Tang and Heinecke, 2019,
//! "Leveraging the bfloat16 Artificial Intelligence Datatype For Higher-Precision
//! Computations"). Sums are f32. So six passes give a product as near to the true
//! one as f32 arithmetic does, at more than twice its speed.
//!
//! Where it differs from f32: a value beyond 3.39e38 gives NaN, and what is below
//! 2^-110 loses its last bits, for the unit takes denormal numbers as zero.

use std::arch::asm;
use std::arch::x86_64::*;
use std::marker::PhantomData;
use std::ops::Range;
use std::sync::LazyLock;

use super::TileBlock;

/// Rows of a tile of inputs, and columns of a tile of weights.
pub(crate) const TILE: usize = 16;

/// Inputs that one instruction sums over.
pub(crate) const DEPTH: usize = 32;

/// A tile in places of f32: sixteen lines of cache.
pub(crate) const TILE_LEN: usize = 256;

/// The weights of a tile as f32, before they are split: for each pair of inputs, the
/// two values of each of sixteen outputs.
pub(crate) const PAIRED: usize = 2 * TILE_LEN;

/// The proof that the processor has the unit and that this process may use it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Amx(());

impl Amx {
    /// The unit, where there is one. The question is asked once a process.
    pub(crate) fn get() -> Option<Amx> {
        static HERE: LazyLock<bool> = LazyLock::new(|| has() && permitted());
        HERE.then_some(Amx(()))
    }

    /// Takes the unit for this thread, until the guard is dropped.
    pub(crate) fn take(self) -> Taken {
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
        // SAFETY: the unit is here and permitted, as `self` proves; the 64 bytes are
        // palette 1 with its eight tiles at their full size.
        unsafe { asm!("ldtilecfg [{}]", in(reg) &shape, options(nostack, readonly)) };
        Taken(PhantomData)
    }

    /// Lays out some steps of `x` (rows, k) as tiles of `PIECES` pieces each: for
    /// each sixteen rows, for each step, for each piece, from the largest, a tile.
    /// Behind the last value of a row come zeros, and behind the last row whatever
    /// was there.
    ///
    /// # Panics
    /// Where `x` or `to` is shorter than that, or `PIECES` is neither 1 nor 3.
    pub(crate) fn lay<const PIECES: usize>(
        self,
        x: &[f32],
        (rows, k): (usize, usize),
        steps: Range<usize>,
        to: &mut [f32],
    ) {
        assert!(x.len() >= rows * k && steps.end <= k.div_ceil(DEPTH));
        assert!(to.len() >= rows.div_ceil(TILE) * steps.len() * PIECES * TILE_LEN);
        assert!(PIECES == 1 || PIECES == 3);
        // SAFETY: a processor with AMX has these extensions: `has` asked for them.
        // The slices are as long as the function needs, as just asserted.
        unsafe { lay::<PIECES>(x, (rows, k), steps, to.as_mut_ptr()) }
    }

    /// Splits weights that stand as [`PAIRED`] lines into tiles of three pieces: for
    /// each two tiles of lines, for each piece, from the largest, two tiles.
    ///
    /// # Panics
    /// Where `weights` is no whole steps, or `to` not half again as long.
    pub(crate) fn split(self, weights: &[f32], to: &mut [f32]) {
        assert!(weights.len().is_multiple_of(2 * PAIRED) && to.len() >= weights.len() / 2 * 3);
        // SAFETY: a processor with AMX has these extensions: `has` asked for them.
        // The slices are as long as the function needs, as just asserted.
        unsafe { split(weights, to.as_mut_ptr()) }
    }
}

/// The unit, configured on this thread; other threads have their own.
pub(crate) struct Taken(PhantomData<*mut ()>);

impl Drop for Taken {
    fn drop(&mut self) {
        // SAFETY: the unit is here; no tile holds what is needed later. A thread
        // without tiles has nothing to save when another takes its processor.
        unsafe { asm!("tilerelease", options(nostack, nomem)) };
    }
}

/// The six products of three pieces, the largest neither first nor last: each
/// differs from its neighbours by one side alone, which is all that is loaded.
macro_rules! thrice {
    ($meet:ident) => {
        concat!($meet!(2, 0), $meet!(0, -), $meet!(-, 2), $meet!(-, 1), $meet!(1, -), $meet!(-, 0))
    };
}

macro_rules! once {
    ($meet:ident) => {
        $meet!(0, 0)
    };
}

/// Where piece number so-and-so begins, of the inputs and of the weights.
macro_rules! at {
    (a 0) => {
        ""
    };
    (a 1) => {
        " + 1024"
    };
    (a 2) => {
        " + 2048"
    };
    (b 0) => {
        ""
    };
    (b 1) => {
        " + 2048"
    };
    (b 2) => {
        " + 4096"
    };
}

/// One piece of the inputs by one of the weights, two tiles of each; `-` is the
/// piece that is loaded already. Tiles 0 to 3 are sums, 4 and 5 inputs, 6 and 7
/// weights.
macro_rules! pair {
    (- , $b:tt) => {
        concat!(
            "tileloadd tmm6, [{b} + {line}*1", at!(b $b), "]\n",
            "tdpbf16ps tmm0, tmm4, tmm6\n",
            "tdpbf16ps tmm2, tmm5, tmm6\n",
            "tileloadd tmm7, [{b} + {line}*1 + 1024", at!(b $b), "]\n",
            "tdpbf16ps tmm1, tmm4, tmm7\n",
            "tdpbf16ps tmm3, tmm5, tmm7\n",
        )
    };
    ($a:tt, -) => {
        concat!(
            "tileloadd tmm4, [{a} + {line}*1", at!(a $a), "]\n",
            "tdpbf16ps tmm0, tmm4, tmm6\n",
            "tdpbf16ps tmm1, tmm4, tmm7\n",
            "tileloadd tmm5, [{below} + {line}*1", at!(a $a), "]\n",
            "tdpbf16ps tmm2, tmm5, tmm6\n",
            "tdpbf16ps tmm3, tmm5, tmm7\n",
        )
    };
    ($a:tt, $b:tt) => {
        concat!(
            "tileloadd tmm4, [{a} + {line}*1", at!(a $a), "]\n",
            "tileloadd tmm6, [{b} + {line}*1", at!(b $b), "]\n",
            "tdpbf16ps tmm0, tmm4, tmm6\n",
            "tileloadd tmm7, [{b} + {line}*1 + 1024", at!(b $b), "]\n",
            "tdpbf16ps tmm1, tmm4, tmm7\n",
            "tileloadd tmm5, [{below} + {line}*1", at!(a $a), "]\n",
            "tdpbf16ps tmm2, tmm5, tmm6\n",
            "tdpbf16ps tmm3, tmm5, tmm7\n",
        )
    };
}

/// The same for one tile of inputs.
macro_rules! single {
    (- , $b:tt) => {
        concat!(
            "tileloadd tmm6, [{b} + {line}*1", at!(b $b), "]\n",
            "tdpbf16ps tmm0, tmm4, tmm6\n",
            "tileloadd tmm7, [{b} + {line}*1 + 1024", at!(b $b), "]\n",
            "tdpbf16ps tmm1, tmm4, tmm7\n",
        )
    };
    ($a:tt, -) => {
        concat!(
            "tileloadd tmm4, [{a} + {line}*1", at!(a $a), "]\n",
            "tdpbf16ps tmm0, tmm4, tmm6\n",
            "tdpbf16ps tmm1, tmm4, tmm7\n",
        )
    };
    ($a:tt, $b:tt) => {
        concat!(
            "tileloadd tmm4, [{a} + {line}*1", at!(a $a), "]\n",
            "tileloadd tmm6, [{b} + {line}*1", at!(b $b), "]\n",
            "tdpbf16ps tmm0, tmm4, tmm6\n",
            "tileloadd tmm7, [{b} + {line}*1 + 1024", at!(b $b), "]\n",
            "tdpbf16ps tmm1, tmm4, tmm7\n",
        )
    };
}

/// Asks for so many KiB from `ahead` on, a line of cache each 64 bytes.
macro_rules! fetch {
    (1) => { fetch!(@ "0") };
    (2) => { concat!(fetch!(1), fetch!(@ "1024")) };
    (4) => { concat!(fetch!(2), fetch!(@ "2048"), fetch!(@ "3072")) };
    (@ $at:literal) => {
        concat!(
            fetch!(@@ $at, "0"), fetch!(@@ $at, "256"), fetch!(@@ $at, "512"), fetch!(@@ $at, "768")
        )
    };
    (@@ $at:literal, $line:literal) => {
        concat!(
            "prefetcht1 [{ahead} + ", $at, " + ", $line, "]\n",
            "prefetcht1 [{ahead} + ", $at, " + ", $line, " + 64]\n",
            "prefetcht1 [{ahead} + ", $at, " + ", $line, " + 128]\n",
            "prefetcht1 [{ahead} + ", $at, " + ", $line, " + 192]\n",
        )
    };
}

/// All steps of a block: sums in, for each step the products and some KiB of what
/// is needed next, sums out.
macro_rules! block {
    (
        $at:ident, $pieces:literal, $times:ident, $meet:ident, $kib:tt, $lines:expr, $in:expr,
        $out:expr
    ) => {{
        let TileBlock { a, below, b, steps, sums, fresh, ahead } = $at;
        // SAFETY: the sums are 32 rows of 128 bytes, by the contract.
        unsafe {
            if fresh {
                asm!(
                    "tilezero tmm0", "tilezero tmm1", "tilezero tmm2", "tilezero tmm3",
                    options(nostack, nomem)
                );
            } else {
                asm!($in, c = in(reg) sums, row = in(reg) 128_usize, options(nostack, readonly));
            }
        }
        // SAFETY: `steps` (at least one) times the pieces of each operand are
        // readable, by the contract; a hint to fetch reads nothing.
        unsafe {
            asm!(
                "2:",
                $times!($meet),
                $lines,
                "add {a}, {step}",
                "add {below}, {step}",
                "lea {b}, [{b} + 2*{step}]",
                "add {ahead}, {further}",
                "dec {steps}",
                "jnz 2b",
                a = inout(reg) a => _,
                below = inout(reg) below => _,
                b = inout(reg) b => _,
                ahead = inout(reg) ahead => _,
                steps = inout(reg) steps => _,
                line = in(reg) 64_usize,
                step = in(reg) $pieces * 1024_usize,
                further = in(reg) $kib * 1024_usize,
                options(nostack, readonly)
            );
        }
        // SAFETY: as above, and the sums are this caller's alone.
        unsafe { asm!($out, c = in(reg) sums, row = in(reg) 128_usize, options(nostack)) };
    }};
}

/// Where the sums of two tiles of inputs come from and go to, and of one.
macro_rules! sums {
    ($name:ident, 1) => {
        concat!(
            sums!(@ $name, "0", ""), "\n",
            sums!(@ $name, "1", " + 64"),
        )
    };
    ($name:ident, 2) => {
        concat!(
            sums!($name, 1), "\n",
            sums!(@ $name, "2", " + 2048"), "\n",
            sums!(@ $name, "3", " + 2112"),
        )
    };
    (@ load, $tile:literal, $at:literal) => {
        concat!("tileloadd tmm", $tile, ", [{c} + {row}*1", $at, "]")
    };
    (@ store, $tile:literal, $at:literal) => {
        concat!("tilestored [{c} + {row}*1", $at, "], tmm", $tile)
    };
}

impl Taken {
    /// Adds to a block of sums the products of [`TileBlock`], of `PIECES` pieces
    /// each; `two` tiles of inputs, or one. For each step it asks for the next of
    /// what is `ahead`, some of `kib` KiB and not more.
    ///
    /// # Safety
    /// As [`TileBlock`] says of its operands, with `PIECES` 1 or 3.
    #[inline]
    pub(crate) unsafe fn multiply<const PIECES: usize>(
        &self,
        two: bool,
        kib: usize,
        at: TileBlock,
    ) {
        macro_rules! choose {
            ($pieces:literal, $times:ident, $kib:tt) => {
                if two {
                    block!(
                        at,
                        $pieces,
                        $times,
                        pair,
                        $kib,
                        fetch!($kib),
                        sums!(load, 2),
                        sums!(store, 2)
                    )
                } else {
                    block!(
                        at,
                        $pieces,
                        $times,
                        single,
                        $kib,
                        fetch!($kib),
                        sums!(load, 1),
                        sums!(store, 1)
                    )
                }
            };
        }
        match (PIECES, kib) {
            (3, 4..) => choose!(3, thrice, 4),
            (3, 2..) => choose!(3, thrice, 2),
            (3, _) => choose!(3, thrice, 1),
            (_, 2..) => choose!(1, once, 2),
            _ => choose!(1, once, 1),
        }
    }
}

/// Whether the processor has it, and the vectors that go with it.
fn has() -> bool {
    if cfg!(miri) || !super::avx512::has_pairs() {
        return false;
    }
    let features = __cpuid_count(7, 0).edx;
    let bit = |n: u32| features >> n & 1 == 1;
    bit(22) && bit(24) // AMX-BF16, AMX-TILE
}

/// Asks the system for the right to use tiles, which make a thread's saved state
/// 8 KiB larger.
#[cfg(target_os = "linux")]
fn permitted() -> bool {
    const ARCH_REQ_XCOMP_PERM: libc::c_long = 0x1023;
    const TILE_DATA: libc::c_long = 18;
    // SAFETY: the call takes two numbers, changes no memory, and fails with an
    // error where it is not known.
    unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, TILE_DATA) == 0 }
}

/// Other systems have ways of their own, which were not tried.
#[cfg(not(target_os = "linux"))]
fn permitted() -> bool {
    false
}

/// See [`Amx::lay`].
///
/// # Safety
/// As its assertions say, and the processor has the extensions.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
unsafe fn lay<const PIECES: usize>(
    x: &[f32],
    (rows, k): (usize, usize),
    steps: Range<usize>,
    to: *mut f32,
) {
    for (number, row) in x.chunks_exact(k).take(rows).enumerate() {
        let (tile, line) = (number / TILE, number % TILE);
        for (place, step) in steps.clone().enumerate() {
            let mut padded = [0.0; DEPTH];
            let values = match row.get(step * DEPTH..(step + 1) * DEPTH) {
                Some(values) => values,
                None => {
                    let rest = &row[step * DEPTH..];
                    padded[..rest.len()].copy_from_slice(rest);
                    &padded
                }
            };
            let at = ((tile * steps.len() + place) * PIECES) * TILE_LEN + line * TILE;
            // SAFETY: DEPTH values are read; each piece's line of 64 bytes is within
            // its tile of `to`, as long as the caller says.
            unsafe {
                let halves =
                    (_mm512_loadu_ps(values.as_ptr()), _mm512_loadu_ps(values.as_ptr().add(TILE)));
                let to = to.add(at);
                if PIECES == 1 {
                    let rounded: __m512i =
                        std::mem::transmute(_mm512_cvtne2ps_pbh(halves.1, halves.0));
                    _mm512_storeu_si512(to.cast(), rounded);
                    continue;
                }
                three(halves, to, TILE_LEN);
            }
        }
    }
}

/// See [`Amx::split`].
///
/// # Safety
/// As its assertions say, and the processor has the extensions.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
unsafe fn split(weights: &[f32], to: *mut f32) {
    for (number, line) in weights.chunks_exact(DEPTH).enumerate() {
        let (step, line_of_two_tiles) = (number / DEPTH, number % DEPTH);
        // SAFETY: DEPTH values are read; a step's three pieces are 3 * 2 tiles, of which
        // this is one line each, as long as the caller says.
        unsafe {
            let halves = (_mm512_loadu_ps(line.as_ptr()), _mm512_loadu_ps(line.as_ptr().add(TILE)));
            let to = to.add(step * 6 * TILE_LEN + line_of_two_tiles * TILE);
            three(halves, to, 2 * TILE_LEN);
        }
    }
}

/// Writes the three pieces of 32 values, a line of cache each, `stride` values apart.
///
/// # Safety
/// The lines are writable.
#[target_feature(enable = "avx512f,avx512bw")]
unsafe fn three(values: (__m512, __m512), to: *mut f32, stride: usize) {
    let (first, rest) = piece(values);
    let (second, rest) = piece(rest);
    // SAFETY: the caller's promise.
    unsafe {
        _mm512_storeu_si512(to.cast(), upper(first));
        _mm512_storeu_si512(to.add(stride).cast(), upper(second));
        // Eight bits are left at most: the upper half is all of them.
        _mm512_storeu_si512(to.add(2 * stride).cast(), upper(rest));
    }
}

/// Values rounded to bf16, and what that leaves, exactly.
#[target_feature(enable = "avx512f")]
fn piece((a, b): (__m512, __m512)) -> ((__m512, __m512), (__m512, __m512)) {
    let round = |v| {
        let up = _mm512_add_epi32(_mm512_castps_si512(v), _mm512_set1_epi32(0x8000));
        _mm512_castsi512_ps(_mm512_and_si512(up, _mm512_set1_epi32(!0xffff)))
    };
    let (c, d) = (round(a), round(b));
    ((c, d), (_mm512_sub_ps(a, c), _mm512_sub_ps(b, d)))
}

/// The upper halves of 32 values.
#[target_feature(enable = "avx512f,avx512bw")]
fn upper((a, b): (__m512, __m512)) -> __m512i {
    const ODD: [u16; 32] = {
        let mut odd = [0; 32];
        let mut i = 0;
        while i < 32 {
            odd[i] = 2 * i as u16 + 1;
            i += 1;
        }
        odd
    };
    // SAFETY: 64 bytes are readable there.
    let odd = unsafe { _mm512_loadu_si512(ODD.as_ptr().cast()) };
    _mm512_permutex2var_epi16(_mm512_castps_si512(a), odd, _mm512_castps_si512(b))
}
