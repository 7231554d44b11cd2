//! Buffers that outlive a call.
//!
//! A thread keeps the buffers that its products drop and reuses them, so that a layer allocates
//! nothing after its first call. A buffer in use is owned, not shared: a thread that starts
//! another product while it waits gets a second buffer.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};

/// Sixteen f32 in one cache line, which aligns buffers.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
struct Line([f32; 16]);

/// The most unused buffers that a thread keeps.
const MAX_UNUSED: usize = 4;

thread_local! {
    static FREE: RefCell<Vec<Aligned>> = const { RefCell::new(Vec::new()) };
}

/// f32 values aligned to a cache line.
#[derive(Clone, Debug, Default)]
pub(crate) struct Aligned {
    lines: Vec<Line>,
    len: usize,
}

impl Aligned {
    /// `len` zeros.
    pub(crate) fn zeros(len: usize) -> Self {
        Aligned { lines: vec![Line([0.0; 16]); len.div_ceil(16)], len }
    }
}

impl Deref for Aligned {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        // SAFETY: a Line is sixteen f32 without padding, and `len` is at most sixteen times
        // their number (by `zeros` and `Scratch::with_len`).
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.len) }
    }
}

impl DerefMut for Aligned {
    fn deref_mut(&mut self) -> &mut [f32] {
        // SAFETY: as in `deref`, and the lines are borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.len) }
    }
}

/// A buffer of this thread, kept for reuse when dropped.
pub(crate) struct Scratch(Aligned);

impl Scratch {
    /// A buffer of `len` values with unspecified contents.
    pub(crate) fn with_len(len: usize) -> Self {
        let mut buffer = FREE.with_borrow_mut(Vec::pop).unwrap_or_default();
        let lines = len.div_ceil(16);
        if buffer.lines.len() < lines {
            buffer.lines.resize(lines, Line([0.0; 16]));
        }
        buffer.len = len;
        Scratch(buffer)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let buffer = std::mem::take(&mut self.0);
        // `try_with`, because an exiting thread has no list any more.
        let _ = FREE.try_with(|free| {
            let mut free = free.borrow_mut();
            if free.len() < MAX_UNUSED {
                free.push(buffer);
            }
        });
    }
}

impl Deref for Scratch {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.0
    }
}

impl DerefMut for Scratch {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_reused_and_never_shared() {
        let first = {
            let mut a = Scratch::with_len(100);
            a.fill(1.0);
            a.as_ptr()
        };
        let mut again = Scratch::with_len(90);
        assert_eq!((again.as_ptr(), again.len()), (first, 90));
        let mut other = Scratch::with_len(90);
        again.fill(2.0);
        other.fill(3.0);
        assert!(again.iter().all(|&v| v == 2.0) && other.iter().all(|&v| v == 3.0));
    }

    #[test]
    fn buffers_are_aligned_to_a_cache_line() {
        for len in [0, 1, 16, 17, 1000] {
            assert_eq!(Aligned::zeros(len).as_ptr() as usize % 64, 0);
            assert_eq!((Aligned::zeros(len).len(), Scratch::with_len(len).len()), (len, len));
            assert!(Aligned::zeros(len).iter().all(|&v| v == 0.0));
        }
    }
}
