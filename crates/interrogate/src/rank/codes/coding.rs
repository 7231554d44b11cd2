//! The codes of a block of rows, owned.

use half::f16;
use rayon::prelude::*;

use super::{Coded, Coder, Codes};

/// The codes of rows that were coded together, about their own mean and by their
/// own spread: what a shard holds beside them.
#[derive(Clone, Debug)]
pub struct Coding {
    mean: Vec<f32>,
    spread: Vec<f32>,
    scales: Vec<f32>,
    error_bounds: Vec<f32>,
    codes: Vec<i8>,
}

impl Coding {
    /// Codes `rows`, whole rows of `dim` values, at least one value each, on all
    /// threads. The same rows give the same codes everywhere. Memory: a byte a value.
    pub fn of(dim: usize, rows: &[f16]) -> Self {
        let coder = Coder::of(dim, rows.chunks_exact(dim));
        let mut codes = vec![0; rows.len()];
        let coded: Vec<Coded> = rows
            .par_chunks_exact(dim)
            .zip(codes.par_chunks_exact_mut(dim))
            .map_init(|| coder.clone(), |coder, (row, codes)| coder.code(row, codes))
            .collect();
        let scales = coded.iter().map(|coded| coded.scale).collect();
        let error_bounds = coded.iter().map(|coded| coded.error_bound).collect();
        let (mean, spread) = (coder.mean().to_vec(), coder.spread().to_vec());
        Coding { mean, spread, scales, error_bounds, codes }
    }

    /// Where they lie.
    pub fn codes(&self) -> Codes<'_> {
        let Coding { mean, spread, scales, error_bounds, codes } = self;
        Codes { mean, spread: Some(spread), scales, error_bounds, codes }
    }
}
