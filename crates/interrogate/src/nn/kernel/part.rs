//! Several products of one input.

use std::ops::Range;

use super::super::activation::Fused;
use super::Out;

/// A weight, and the output of its product.
pub(crate) struct Part<'a, W> {
    pub(crate) weight: &'a W,
    pub(crate) out: Out<'a>,
    pub(crate) fused: &'a Fused<'a>,
}

/// The panels `panels` of several parts, numbered through all of them: each part that has one,
/// with its own panels. `count` is the number of a weight's panels.
pub(crate) fn each_part<'p, 'a, W>(
    parts: &'p [Part<'a, W>],
    panels: Range<usize>,
    count: impl Fn(&W) -> usize,
) -> impl Iterator<Item = (&'p Part<'a, W>, Range<usize>)> {
    let mut before = 0;
    parts.iter().filter_map(move |part| {
        let first = before;
        before += count(part.weight);
        let (start, end) = (panels.start.max(first), panels.end.min(before));
        (start < end).then(|| (part, start - first..end - first))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panels_are_numbered_through_all_parts() {
        let (mut values, fused) = ([0.0; 1], Fused::default());
        let out = Out::new(&mut values, 1);
        let parts = [&2, &0, &3].map(|weight| Part { weight, out, fused: &fused });
        let of = |panels| {
            each_part(&parts, panels, |&count| count)
                .map(|(p, r)| (*p.weight, r))
                .collect::<Vec<_>>()
        };
        assert_eq!(of(0..5), [(2, 0..2), (3, 0..3)]);
        assert_eq!(of(1..3), [(2, 1..2), (3, 0..1)]);
        assert_eq!(of(2..4), [(3, 0..2)]);
        assert_eq!(of(2..2), []);
    }
}
