//! Vectors interleaved in the order in which a kernel reads them.

use super::{GROUP, LANES, Step};

/// Vectors in groups of four: for each group, step by step along the dim, sixteen values of
/// each. Missing vectors, and values after the dim, are zero.
#[derive(Clone, Debug)]
pub(in crate::rank) struct Pack {
    len: usize,
    steps: usize,
    values: Vec<Step>,
}

impl Pack {
    /// Lays out `vectors`, each of `dim` values, at least one.
    pub(in crate::rank) fn new(dim: usize, vectors: &[&[f32]]) -> Self {
        let steps = dim.div_ceil(LANES);
        let mut values = vec![Step::ZERO; vectors.len().div_ceil(GROUP) * steps];
        for (i, vector) in vectors.iter().enumerate() {
            let group = &mut values[i / GROUP * steps..][..steps];
            for (step, sixteen) in group.iter_mut().zip(vector.chunks(LANES)) {
                step.0[i % GROUP][..sixteen.len()].copy_from_slice(sixteen);
            }
        }
        Pack { len: vectors.len(), steps, values }
    }

    /// Number of vectors.
    pub(in crate::rank) fn len(&self) -> usize {
        self.len
    }

    /// Steps along the dim.
    pub(in crate::rank) fn steps(&self) -> usize {
        self.steps
    }

    /// The groups, each of [`steps`](Self::steps).
    pub(in crate::rank) fn groups(&self) -> std::slice::ChunksExact<'_, Step> {
        self.values.chunks_exact(self.steps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_of_four_are_interleaved_and_padded() {
        let vectors: Vec<Vec<f32>> =
            (0..5).map(|v| (0..17).map(|d| (100 * v + d) as f32).collect()).collect();
        let vectors: Vec<&[f32]> = vectors.iter().map(Vec::as_slice).collect();
        let pack = Pack::new(17, &vectors);
        assert_eq!((pack.len(), pack.steps(), pack.groups().len()), (5, 2, 2));
        let last = pack.groups().nth(1).unwrap();
        assert_eq!((last[0].0[0][15], last[1].0[0][0], last[1].0[0][1]), (415.0, 416.0, 0.0));
        assert_eq!(last[0].0[1], [0.0; 16]);
        assert_eq!(pack.groups().next().unwrap()[1].0.map(|v| v[0]), [16.0, 116.0, 216.0, 316.0]);
    }
}
