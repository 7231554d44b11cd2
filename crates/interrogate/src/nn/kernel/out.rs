//! An output that many threads write.

use std::marker::PhantomData;

/// A row-major matrix of f32, shared by threads that write disjoint parts.
#[derive(Clone, Copy)]
pub(crate) struct Out<'a> {
    values: *mut f32,
    len: usize,
    /// Values from one row to the next.
    pub(crate) stride: usize,
    exclusive: PhantomData<&'a mut [f32]>,
}

// SAFETY: it is a mutable slice in parts. Callers of `part` guarantee that no other thread has
// the same part; f32 is Send.
unsafe impl Send for Out<'_> {}
// SAFETY: as above; `part` is the only access through `&Out`.
unsafe impl Sync for Out<'_> {}

impl<'a> Out<'a> {
    /// Shares `values`, in rows of `stride`.
    pub(crate) fn new(values: &'a mut [f32], stride: usize) -> Self {
        Out { values: values.as_mut_ptr(), len: values.len(), stride, exclusive: PhantomData }
    }

    /// Returns a pointer to the value at `row` and `column`, with `len` values from there in
    /// bounds.
    ///
    /// # Panics
    /// If that is out of bounds: a bug of the caller.
    #[inline(always)]
    pub(crate) fn at(&self, row: usize, column: usize, len: usize) -> *mut f32 {
        let start = row * self.stride + column;
        assert!(start + len <= self.len && column + len <= self.stride);
        // SAFETY: in bounds, as just asserted.
        unsafe { self.values.add(start) }
    }

    /// Returns the `len` values from `row` and `column` on.
    ///
    /// # Safety
    /// They must be initialized, and no other reference to them may exist, on any thread.
    #[inline(always)]
    pub(crate) unsafe fn part<'b>(&self, row: usize, column: usize, len: usize) -> &'b mut [f32]
    where
        'a: 'b,
    {
        // SAFETY: `at` checks the bounds; the rest is the caller's contract.
        unsafe { std::slice::from_raw_parts_mut(self.at(row, column, len), len) }
    }
}
