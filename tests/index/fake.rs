//! An encoder without a model: rows from a hash of the tokens, the same bits on
//! every machine.

use std::sync::atomic::{AtomicUsize, Ordering};

use interrogate::encoder::{Embeddings, TextEncoder, Tokens};

/// A label's tokens are its bytes between two marks; a row's values are hashes of the
/// tokens, so that rows differ exactly where labels do.
#[derive(Default)]
pub(crate) struct Fake {
    /// Values in a row.
    pub(crate) dim: usize,
    /// Whether a row also depends on the other rows of its batch, as real rows do
    /// by rounding.
    pub(crate) batch_dependent: bool,
    /// Rows encoded so far.
    pub(crate) rows: AtomicUsize,
}

impl Fake {
    pub(crate) fn new(dim: usize) -> Self {
        Fake { dim, ..Fake::default() }
    }

    /// Returns the number of rows encoded since the last call.
    pub(crate) fn count(&self) -> usize {
        self.rows.swap(0, Ordering::Relaxed)
    }
}

impl TextEncoder for Fake {
    fn dim(&self) -> usize {
        self.dim
    }

    fn tokenize(&self, texts: &[&str]) -> interrogate::Result<Tokens> {
        let mut tokens = Tokens::new();
        for text in texts {
            let ids = text.bytes().map(u32::from);
            tokens.push(&[256].into_iter().chain(ids).chain([257]).collect::<Vec<_>>());
        }
        Ok(tokens)
    }

    fn embed(&self, tokens: &Tokens) -> interrogate::Result<Embeddings> {
        self.rows.fetch_add(tokens.len(), Ordering::Relaxed);
        let batch = if self.batch_dependent { tokens.iter().fold(0, hash) } else { 0 };
        let mut values = Vec::with_capacity(tokens.len() * self.dim);
        for ids in tokens.iter() {
            let mut state = hash(0, ids);
            let start = values.len();
            values.extend(std::iter::repeat_with(|| uniform(&mut state)).take(self.dim));
            if self.batch_dependent {
                let mut state = hash(batch, ids);
                values[start..].iter_mut().for_each(|value| *value += uniform(&mut state) / 64.0);
            }
        }
        Embeddings::new(self.dim, values)
    }
}

/// FNV-1a, 64 bits (Fowler, Noll and Vo).
fn hash(start: u64, ids: &[u32]) -> u64 {
    let step = |hash: u64, id: &u32| (hash ^ u64::from(*id)).wrapping_mul(0x100_0000_01b3);
    ids.iter().fold(start ^ 0xcbf2_9ce4_8422_2325, step)
}

/// The next value of a SplitMix64 sequence (Steele, Lea and Flood 2014), in -1..1.
fn uniform(state: &mut u64) -> f32 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^= z >> 31;
    (z >> 40) as f32 / (1u64 << 23) as f32 - 1.0
}
