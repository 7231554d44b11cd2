//! Attention: who looks at whom, and the weighted sums that follow.
//!
//! Two forms of scaled dot-product attention (Vaswani et al., arXiv 1706.03762,
//! section 3.2.1), over rows of heads side by side. In [`chains`] every query
//! has a list of its own of the rows that it attends to: sequences of any
//! lengths lie flat behind one another without padding, and the branches of a
//! trie share their ancestors' rows. In [`groups`] all queries of a group look
//! at all of its keys, as an image's patches do. The products before and after
//! are for the models.
//!
//! Both keep the promise of the dense products: a row of the output depends on
//! its query and on the rows that it attends to, in their order, and on nothing
//! else, bit for bit.

mod chain;
mod group;
#[cfg(test)]
mod tests;

pub(crate) use chain::chains;
pub(crate) use group::groups;

use super::Heads;
use super::kv_pages::{PAGE, Pages};

/// Keys and values, a row each for everything that can be attended to: those of a KV cache,
/// numbered first, then those of now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KvRows<'a> {
    keys: Rows<'a>,
    values: Rows<'a>,
}

/// Rows of a KV cache, then others that lie behind one another.
#[derive(Clone, Copy, Debug)]
struct Rows<'a> {
    width: usize,
    pages: &'a [Vec<f32>],
    cached: usize,
    current: &'a [f32],
}

impl<'a> KvRows<'a> {
    /// The rows of `past`, then those of `own`: keys and values, of `width` each.
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
