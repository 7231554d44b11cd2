//! Multiplication of packed tiles, in assembly.

use std::arch::asm;

use super::super::TileBlock;
use super::TileConfig;

/// The six products of three pieces. Each shares one operand with its neighbors, so that only
/// the other one is loaded; the largest product is neither first nor last.
macro_rules! six_products {
    ($product:ident) => {
        concat!(
            $product!(2, 0),
            $product!(0, -),
            $product!(-, 2),
            $product!(-, 1),
            $product!(1, -),
            $product!(-, 0)
        )
    };
}

/// The one product of bf16 weights.
macro_rules! one_product {
    ($product:ident) => {
        $product!(0, 0)
    };
}

/// The byte offset of a piece, in the inputs (`a`) and in the weights (`b`).
macro_rules! piece_offset {
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

/// Multiplies a piece of the inputs by a piece of the weights, two tiles each; `-` stands for
/// the piece that is already loaded. Tiles 0 to 3 are sums, 4 and 5 inputs, 6 and 7 weights.
macro_rules! two_tiles {
    (- , $b:tt) => {
        concat!(
            "tileloadd tmm6, [{b} + {line}*1", piece_offset!(b $b), "]\n",
            "tdpbf16ps tmm0, tmm4, tmm6\n",
            "tdpbf16ps tmm2, tmm5, tmm6\n",
            "tileloadd tmm7, [{b} + {line}*1 + 1024", piece_offset!(b $b), "]\n",
            "tdpbf16ps tmm1, tmm4, tmm7\n",
            "tdpbf16ps tmm3, tmm5, tmm7\n",
        )
    };
    ($a:tt, -) => {
        concat!(
            "tileloadd tmm4, [{a} + {line}*1", piece_offset!(a $a), "]\n",
            "tdpbf16ps tmm0, tmm4, tmm6\n",
            "tdpbf16ps tmm1, tmm4, tmm7\n",
            "tileloadd tmm5, [{below} + {line}*1", piece_offset!(a $a), "]\n",
            "tdpbf16ps tmm2, tmm5, tmm6\n",
            "tdpbf16ps tmm3, tmm5, tmm7\n",
        )
    };
    ($a:tt, $b:tt) => {
        concat!(
            "tileloadd tmm4, [{a} + {line}*1", piece_offset!(a $a), "]\n",
            "tileloadd tmm6, [{b} + {line}*1", piece_offset!(b $b), "]\n",
            "tdpbf16ps tmm0, tmm4, tmm6\n",
            "tileloadd tmm7, [{b} + {line}*1 + 1024", piece_offset!(b $b), "]\n",
            "tdpbf16ps tmm1, tmm4, tmm7\n",
            "tileloadd tmm5, [{below} + {line}*1", piece_offset!(a $a), "]\n",
            "tdpbf16ps tmm2, tmm5, tmm6\n",
            "tdpbf16ps tmm3, tmm5, tmm7\n",
        )
    };
}

/// Like [`two_tiles`], for one tile of inputs.
macro_rules! one_tile {
    (- , $b:tt) => {
        concat!(
            "tileloadd tmm6, [{b} + {line}*1", piece_offset!(b $b), "]\n",
            "tdpbf16ps tmm0, tmm4, tmm6\n",
            "tileloadd tmm7, [{b} + {line}*1 + 1024", piece_offset!(b $b), "]\n",
            "tdpbf16ps tmm1, tmm4, tmm7\n",
        )
    };
    ($a:tt, -) => {
        concat!(
            "tileloadd tmm4, [{a} + {line}*1", piece_offset!(a $a), "]\n",
            "tdpbf16ps tmm0, tmm4, tmm6\n",
            "tdpbf16ps tmm1, tmm4, tmm7\n",
        )
    };
    ($a:tt, $b:tt) => {
        concat!(
            "tileloadd tmm4, [{a} + {line}*1", piece_offset!(a $a), "]\n",
            "tileloadd tmm6, [{b} + {line}*1", piece_offset!(b $b), "]\n",
            "tdpbf16ps tmm0, tmm4, tmm6\n",
            "tileloadd tmm7, [{b} + {line}*1 + 1024", piece_offset!(b $b), "]\n",
            "tdpbf16ps tmm1, tmm4, tmm7\n",
        )
    };
}

/// Prefetches 1, 2 or 4 KiB from `ahead` on, one cache line per 64 bytes.
macro_rules! prefetch {
    (1) => { prefetch!(@ "0") };
    (2) => { concat!(prefetch!(1), prefetch!(@ "1024")) };
    (4) => { concat!(prefetch!(2), prefetch!(@ "2048"), prefetch!(@ "3072")) };
    (@ $at:literal) => {
        concat!(
            prefetch!(@@ $at, "0"), prefetch!(@@ $at, "256"), prefetch!(@@ $at, "512"), prefetch!(@@ $at, "768")
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

/// All steps of a block: loads the sums, multiplies and prefetches at each step, stores the
/// sums.
macro_rules! block {
    (
        $at:ident, $pieces:literal, $products:ident, $product:ident, $kib:tt, $lines:expr, $in:expr,
        $out:expr
    ) => {{
        let TileBlock { a, below, b, steps, sums, fresh, ahead } = $at;
        // SAFETY: the sums are 32 rows of 128 bytes, by the contract of `multiply`.
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
        // SAFETY: each operand is readable for `steps` (at least one) times its pieces, by the
        // contract; a prefetch of any address is harmless.
        unsafe {
            asm!(
                "2:",
                $products!($product),
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
        // SAFETY: as above, and only the caller writes the sums.
        unsafe { asm!($out, c = in(reg) sums, row = in(reg) 128_usize, options(nostack)) };
    }};
}

/// Loads or stores the sums of one or two tiles of inputs.
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

impl TileConfig {
    /// Adds the products of `at`'s operands, of `PIECES` pieces each, to its sums: two tiles
    /// of inputs if `two`, else one. Prefetches up to `kib` KiB (1, 2 or 4) at each step.
    ///
    /// # Safety
    /// The operands must be as [`TileBlock`] describes them, and `PIECES` 1 or 3.
    #[inline]
    pub(crate) unsafe fn multiply<const PIECES: usize>(
        &self,
        two: bool,
        kib: usize,
        at: TileBlock,
    ) {
        macro_rules! choose {
            ($pieces:literal, $products:ident, $kib:tt) => {
                if two {
                    block!(
                        at,
                        $pieces,
                        $products,
                        two_tiles,
                        $kib,
                        prefetch!($kib),
                        sums!(load, 2),
                        sums!(store, 2)
                    )
                } else {
                    block!(
                        at,
                        $pieces,
                        $products,
                        one_tile,
                        $kib,
                        prefetch!($kib),
                        sums!(load, 1),
                        sums!(store, 1)
                    )
                }
            };
        }
        match (PIECES, kib) {
            (3, 4..) => choose!(3, six_products, 4),
            (3, 2..) => choose!(3, six_products, 2),
            (3, _) => choose!(3, six_products, 1),
            (_, 2..) => choose!(1, one_product, 2),
            _ => choose!(1, one_product, 1),
        }
    }
}
