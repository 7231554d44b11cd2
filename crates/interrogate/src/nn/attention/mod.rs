//! Scaled dot-product attention on the CPU (Vaswani et al., arXiv 1706.03762, section 3.2.1),
//! over rows of heads side by side.
//!
//! In [`attend_lists`] each query has its own list of rows: sequences of any lengths are stored
//! without padding, and the branches of a trie share their ancestors' rows. In [`attend_groups`]
//! all queries of a group attend to all of its keys, as the patches of an image do. The
//! projections before and after are in the models.
//!
//! An output row depends on its query and on the rows that it attends to, in their order, and on
//! nothing else, bit for bit.

mod groups;
mod lists;
#[cfg(test)]
mod tests;

pub(crate) use groups::attend_groups;
pub(crate) use lists::attend_lists;

use super::Heads;
use super::kv_pages::{PAGE, Pages};

/// Keys and values, one row per token: the rows of a KV cache, numbered first, then those of the
/// current call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KvRows<'a> {
    keys: Rows<'a>,
    values: Rows<'a>,
}

/// Rows of a KV cache, then contiguous rows of the current call.
#[derive(Clone, Copy, Debug)]
struct Rows<'a> {
    width: usize,
    pages: &'a [Vec<f32>],
    cached: usize,
    current: &'a [f32],
}

impl<'a> KvRows<'a> {
    /// Joins the rows of `cached` and those of `current`: keys and values, of `width` each.
    pub(crate) fn new(
        width: usize,
        cached: Option<[&'a Pages; 2]>,
        current: [&'a [f32]; 2],
    ) -> Self {
        let rows = |part: usize| Rows {
            width,
            pages: cached.map_or(&[], |pages| pages[part].pages()),
            cached: cached.map_or(0, |pages| pages[part].rows()),
            current: current[part],
        };
        KvRows { keys: rows(0), values: rows(1) }
    }

    /// Number of rows.
    pub(crate) fn rows(&self) -> usize {
        self.keys.cached + self.keys.current.len() / self.keys.width.max(1)
    }
}

impl<'a> Rows<'a> {
    #[inline(always)]
    fn get(&self, number: u32) -> &'a [f32] {
        let number = number as usize;
        match number.checked_sub(self.cached) {
            Some(row) => &self.current[row * self.width..][..self.width],
            None => &self.pages[number / PAGE][number % PAGE * self.width..][..self.width],
        }
    }
}
