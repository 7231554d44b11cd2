//! The relative position bias of T5.

/// A bias added to scaled dot products, by head and by the distance between query and row: T5's
/// relative position bias (Raffel et al., arXiv 1910.10683, section 2.1).
///
/// A query's position is that within its group, or the end of its list.
#[derive(Clone, Debug)]
pub(crate) struct RelativeBias {
    /// (heads, offsets), offsets from `-before` on.
    values: Vec<f32>,
    offsets: usize,
    before: usize,
}

impl RelativeBias {
    /// Tabulates `value(head, offset)` for rows from `before` positions before a query to
    /// `after` positions after it.
    pub(crate) fn new(
        heads: usize,
        before: usize,
        after: usize,
        value: impl Fn(usize, isize) -> f32,
    ) -> Self {
        let offsets = before + after + 1;
        let value = |i: usize| value(i / offsets, (i % offsets) as isize - before as isize);
        RelativeBias { values: (0..heads * offsets).map(value).collect(), offsets, before }
    }

    /// The values of `head` for rows at positions 0 and up, for a query at `position`.
    pub(crate) fn of(&self, head: usize, position: usize) -> &[f32] {
        &self.values[head * self.offsets..][..self.offsets][self.before - position..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bias_depends_on_head_and_distance() {
        let bias = RelativeBias::new(2, 2, 1, |head, offset| (10 * head) as f32 + offset as f32);
        assert_eq!(bias.of(0, 0)[..2], [0.0, 1.0]);
        assert_eq!(bias.of(1, 2)[..3], [8.0, 9.0, 10.0]);
    }
}
