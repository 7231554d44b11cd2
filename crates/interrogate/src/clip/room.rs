//! The memory that a tower works in.

use std::sync::{Mutex, PoisonError};

/// Rows on their way through the layers, and room for what each layer makes of
/// them: grown by the first layer, used again by the others.
#[derive(Debug, Default)]
pub(super) struct Room {
    /// Values in a row.
    pub(super) width: usize,
    /// The states (n, width).
    pub(super) rows: Vec<f32>,
    pub(super) normed: Vec<f32>,
    pub(super) queries: Vec<f32>,
    /// Keys of the past and then of the rows.
    pub(super) keys: Vec<f32>,
    /// Values of the past and then of the rows.
    pub(super) values: Vec<f32>,
    /// What attention gives.
    pub(super) sums: Vec<f32>,
    /// States between attention and the MLP.
    pub(super) next: Vec<f32>,
    /// The wide side of the MLP.
    pub(super) inner: Vec<f32>,
}

/// Rooms that outlive a call, so that a tower that encodes block after block
/// allocates nothing after the first.
#[derive(Debug, Default)]
pub(super) struct Rooms(Mutex<Vec<Room>>);

impl Rooms {
    /// Calls `f` with a room of its own, whatever the last user left there.
    pub(super) fn lend<R>(&self, f: impl FnOnce(&mut Room) -> R) -> R {
        // A poisoned list is a list all the same: a room has no state to break.
        let free = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut room = free().pop().unwrap_or_default();
        let result = f(&mut room);
        free().push(room);
        result
    }
}
