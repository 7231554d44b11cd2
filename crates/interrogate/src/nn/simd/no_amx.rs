//! A processor without tiles: the same names, of which there is no value.

use std::ops::Range;

use super::TileBlock;

pub(crate) const TILE: usize = 16;
pub(crate) const DEPTH: usize = 32;
pub(crate) const TILE_LEN: usize = 256;
pub(crate) const PAIRED: usize = 512;

/// The proof that there is a unit: none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Amx {}

/// The unit, configured: never.
pub(crate) struct Taken(Amx);

impl Amx {
    pub(crate) fn get() -> Option<Amx> {
        None
    }

    pub(crate) fn take(self) -> Taken {
        Taken(self)
    }

    pub(crate) fn lay<const PIECES: usize>(
        self,
        _: &[f32],
        _: (usize, usize),
        _: Range<usize>,
        _: &mut [f32],
    ) {
        match self {}
    }

    pub(crate) fn split(self, _: &[f32], _: &mut [f32]) {
        match self {}
    }
}

impl Taken {
    /// # Safety
    /// Cannot be called.
    pub(crate) unsafe fn multiply<const PIECES: usize>(&self, _: bool, _: usize, _: TileBlock) {
        match self.0 {}
    }
}
