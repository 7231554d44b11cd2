//! Batches that can be split if a device has too little memory.

use std::ops::Range;

/// Items that a model processes together.
pub(crate) trait Batch: Sized {
    /// Number of items.
    fn items(&self) -> usize;

    /// Splits off the first `items`; returns both parts.
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
