//! One output written by many threads.

use std::marker::PhantomData;

/// A matrix of f32 in row order, shared by threads that write disjoint parts.
#[derive(Clone, Copy)]
pub(crate) struct Out<'a> {
    values: *mut f32,
    len: usize,
    /// Values from one row to the next.
    pub(crate) stride: usize,
    exclusive: PhantomData<&'a mut [f32]>,
}

// SAFETY: it is a mutable slice in parts. Whoever takes a part promises in
// `part` that no other thread has it; f32 is Send.
unsafe impl Send for Out<'_> {}
// SAFETY: as above; nothing is read or written through `&Out` but by `part`.
unsafe impl Sync for Out<'_> {}

impl<'a> Out<'a> {
    /// Shares `values`, rows of `stride`.
    pub(crate) fn new(values: &'a mut [f32], stride: usize) -> Self {
        Out { values: values.as_mut_ptr(), len: values.len(), stride, exclusive: PhantomData }
    }

    /// Where the value of `row` and `column` stands, with `len` more in reach.
    ///
    /// # Panics
    /// Where that is beyond the end: a bug of the caller's.
    #[inline(always)]
    pub(crate) fn at(&self, row: usize, column: usize, len: usize) -> *mut f32 {
        let start = row * self.stride + column;
        assert!(start + len <= self.len && column + len <= self.stride);
        // SAFETY: inside the matrix, as just asserted.
        unsafe { self.values.add(start) }
    }

    /// The `len` values from `row` and `column` on.
    ///
    /// # Safety
    /// They have been written, and no other reference to them is alive, here or
    /// on another thread.
    #[inline(always)]
    pub(crate) unsafe fn part<'b>(&self, row: usize, column: usize, len: usize) -> &'b mut [f32]
    where
        'a: 'b,
    {
        // SAFETY: `at` keeps it inside; the rest is the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.at(row, column, len), len) }
    }
}
