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

/// How a row is cut into heads.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Heads {
    /// Number of heads; it divides the width of a row.
    pub(crate) count: usize,
    /// What a dot product is multiplied by.
    pub(crate) scale: f32,
}

impl Heads {
    /// Heads of rows of `width` values, scaled by one over the root of a head's
    /// width.
    pub(crate) fn scaled(count: usize, width: usize) -> Self {
        Heads { count, scale: 1.0 / ((width / count.max(1)) as f32).sqrt() }
    }
}

/// Keys and values, a row each for everything that can be attended to: both
/// (rows, width).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen<'a> {
    pub(crate) keys: &'a [f32],
    pub(crate) values: &'a [f32],
}
