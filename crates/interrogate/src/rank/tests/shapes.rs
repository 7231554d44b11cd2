//! Generated tables for tests.

/// The distribution of a generated table's rows.
#[derive(Clone, Copy, Debug)]
pub(in crate::rank) enum Shape {
    /// Random directions.
    Random,
    /// Few distinct rows, most of them many times: ties everywhere.
    Duplicated,
    /// Like real embeddings: a shared mean of norm 0.7, three large dimensions.
    Anisotropic,
    /// Like `Anisotropic`, each row near one of a few, as "8 k" and "8k" are.
    Clustered,
    /// The worst case for codes: one value fills the scale, all others are about half a step of
    /// it.
    Adversarial,
}

impl Shape {
    pub(in crate::rank) const ALL: [Shape; 5] = [
        Shape::Random,
        Shape::Duplicated,
        Shape::Anisotropic,
        Shape::Clustered,
        Shape::Adversarial,
    ];
}

/// A pseudorandom value in -1..1, with a fixed definition so that a seed names the same table
/// forever: SplitMix64 (Steele, Lea and Flood).
pub(in crate::rank) fn noise(seed: u64, at: u64) -> f32 {
    let mut z = seed.wrapping_add(at.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 40) as f32 / (1u64 << 23) as f32 - 1.0
}

fn unit(values: Vec<f32>) -> Vec<f32> {
    let length = values.iter().map(|v| v * v).sum::<f32>().sqrt().max(1e-9);
    values.into_iter().map(|v| v / length).collect()
}

pub(in crate::rank) fn row(shape: Shape, dim: usize, seed: u64, row: usize) -> Vec<f32> {
    let at = |d: usize| noise(seed, (row * dim + d) as u64);
    match shape {
        Shape::Random => unit((0..dim).map(at).collect()),
        Shape::Duplicated => {
            let distinct = row * row % 5;
            unit((0..dim).map(|d| noise(seed, (distinct * dim + d) as u64).round()).collect())
        }
        Shape::Anisotropic => {
            let large = |d: usize| if d < 3 { 10.0 } else { 1.0 };
            let mean = unit((0..dim).map(|d| noise(!seed, d as u64)).collect());
            let own = unit((0..dim).map(|d| at(d) * large(d)).collect());
            // 0.7 of the mean, and sqrt(1 - 0.7^2) of the row.
            unit(mean.iter().zip(own).map(|(mean, own)| 0.7 * mean + 0.714 * own).collect())
        }
        Shape::Clustered => {
            let near = self::row(Shape::Anisotropic, dim, seed, row % 7);
            unit((0..dim).map(|d| near[d] + 0.002 * at(d)).collect())
        }
        Shape::Adversarial => {
            let step = |d: usize| (at(d) * 3.0).round() * 0.5 + 0.01 * noise(!seed, d as u64);
            unit((0..dim).map(|d| if d == row % dim { 127.0 } else { step(d) }).collect())
        }
    }
}
