//! Random tables and images of two shapes.

use half::f16;
use interrogate::encoder::{Embeddings, Features};
use interrogate::rank::codes::Coding;
use interrogate::rank::{Block, Rows};

pub(super) const DIM: usize = 512;

/// Rows that are coded together, as in a shard.
const SHARD: usize = 32_768;

/// The distribution of the rows.
#[derive(Clone, Copy)]
pub(super) enum Shape {
    /// Uniform over all directions.
    Random,
    /// As real embeddings are: a shared mean of norm 0.7, three dimensions ten times
    /// the others, and every second row near the one before.
    Anisotropic,
}

/// A linear congruential generator (Knuth's MMIX constants), as -1..1.
fn noise(state: &mut u64) -> f32 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 40) as f32 / (1 << 23) as f32 - 1.0
}

fn unit(values: Vec<f32>) -> Embeddings {
    Embeddings::new(DIM, values).expect("noise has a direction")
}

/// `count` rows of unit length.
pub(super) fn rows(shape: Shape, count: usize, seed: u64) -> Embeddings {
    let state = &mut (seed + 1);
    let mut own: Vec<f32> = (0..count * DIM).map(|_| noise(state)).collect();
    if let Shape::Random = shape {
        return unit(own);
    }
    own.chunks_mut(DIM).for_each(|row| row[..3].iter_mut().for_each(|large| *large *= 10.0));
    for pair in own.chunks_exact_mut(2 * DIM) {
        let (one, near) = pair.split_at_mut(DIM);
        near.iter_mut().zip(one).for_each(|(near, one)| *near = *one + 0.05 * *near);
    }
    let (own, mean) = (unit(own), unit((0..DIM).map(|_| noise(&mut 7)).collect()));
    // 0.7 of the mean and sqrt(1 - 0.7^2) of the row's own direction.
    let joined = own.rows().flat_map(|own| {
        own.iter().zip(mean.as_slice()).map(|(own, mean)| 0.7 * mean + 0.714 * own)
    });
    unit(joined.collect())
}

/// The features of `count` images.
pub(super) fn images(shape: Shape, count: usize) -> Vec<Features> {
    let rows = rows(shape, count, 1 << 32);
    let image = |row: &[f32]| Features::new(row.to_vec()).expect("noise has a direction");
    rows.rows().map(image).collect()
}

/// Rows with their codes, as a table of an index holds them.
pub(super) struct Table {
    pub(super) rows: Vec<f16>,
    shards: Vec<Coding>,
}

impl Table {
    pub(super) fn new(rows: &Embeddings) -> Self {
        let rows: Vec<f16> = rows.as_slice().iter().copied().map(f16::from_f32).collect();
        let shards = rows.chunks(SHARD * DIM).map(|rows| Coding::of(DIM, rows)).collect();
        Table { rows, shards }
    }

    pub(super) fn coded(&self) -> Rows<'_> {
        let blocks = self.rows.chunks(SHARD * DIM).zip(&self.shards);
        let blocks = blocks.map(|(rows, shard)| Block { rows, codes: Some(shard.codes()) });
        Rows::with_codes(DIM, blocks.collect()).expect("codes of these rows")
    }

    pub(super) fn bare(&self) -> Rows<'_> {
        Rows::new(DIM, self.rows.chunks(SHARD * DIM).collect()).expect("whole rows")
    }
}
