//! Stubs for processors without AMX. No value of these types exists.

use std::ops::Range;

use super::TileBlock;

pub(crate) const TILE: usize = 16;
pub(crate) const DEPTH: usize = 32;
pub(crate) const TILE_LEN: usize = 256;
pub(crate) const PAIRED: usize = 512;

/// Never exists: see `amx/mod.rs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Amx {}

/// Never exists, as [`Amx`].
pub(crate) struct TileConfig(Amx);

impl Amx {
    pub(crate) fn get() -> Option<Amx> {
        None
    }

    pub(crate) fn configure(self) -> TileConfig {
        TileConfig(self)
    }

    pub(crate) fn pack<const PIECES: usize>(
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

impl TileConfig {
    /// # Safety
    /// Cannot be called: no value of the type exists.
    pub(crate) unsafe fn multiply<const PIECES: usize>(&self, _: bool, _: usize, _: TileBlock) {
        match self.0 {}
    }
}
