//! The codes of a block of rows, owned.

use half::f16;
use rayon::prelude::*;

use super::{Coded, Coder, Codes};

/// The codes of a block of rows, quantized about their mean and by their spread. A shard stores
/// them beside the rows.
#[derive(Clone, Debug)]
pub struct Coding {
    mean: Vec<f32>,
    spread: Vec<f32>,
    scales: Vec<f32>,
    error_bounds: Vec<f32>,
    codes: Vec<i8>,
}

impl Coding {
    /// Quantizes `rows` (rows, `dim`), with `dim` at least 1, on all threads. The same rows give
    /// the same codes on every machine. Memory: a byte per value.
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

    /// Borrows the codes.
    pub fn codes(&self) -> Codes<'_> {
        let Coding { mean, spread, scales, error_bounds, codes } = self;
        Codes { mean, spread: Some(spread), scales, error_bounds, codes }
    }
}
