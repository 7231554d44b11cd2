//! Work that can be cut in two where a device has too little memory for it.

use std::ops::Range;

/// Some items that go through a model together.
pub(crate) trait Batch: Sized {
    /// Number of items.
    fn items(&self) -> usize;

    /// The first `items`, and the rest.
    fn split(self, items: usize) -> [Self; 2];
}

impl Batch for Range<usize> {
    fn items(&self) -> usize {
        self.len()
    }

    fn split(self, items: usize) -> [Self; 2] {
        let middle = self.start + items;
        [self.start..middle, middle..self.end]
    }
}
