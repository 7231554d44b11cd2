//! Self-attention over sequences of one length, all tokens seeing each other.
//!
//! Vaswani et al., arXiv 1706.03762, equation 1. Sequences here are short (a
//! label is six tokens), so that a loop over them is cheaper than the many tiny
//! products that a tensor library makes of it.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, bail};
use rayon::prelude::*;

use super::lanes::{axpy, dot};

/// Queries, keys and values side by side, (tokens, 3 x dim), to contexts
/// (tokens, dim).
#[derive(Debug)]
pub(super) struct Attention<'a> {
    /// Added to the queries, keys and values first: (3 x dim).
    pub(super) bias: &'a [f32],
    /// Heads that share the width.
    pub(super) heads: usize,
    /// Tokens in a sequence.
    pub(super) length: usize,
}

impl CustomOp1 for Attention<'_> {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (CpuStorage::F32(qkv), Some((from, to))) = (storage, layout.contiguous_offsets())
        else {
            bail!("attention needs contiguous f32 values");
        };
        let (tokens, width) = layout.shape().dims2()?;
        let dim = width / 3;
        if width != self.bias.len()
            || !dim.is_multiple_of(self.heads)
            || !tokens.is_multiple_of(self.length)
        {
            bail!("attention over {tokens} x {width} values does not come out even");
        }
        let mut contexts = vec![0.0; tokens * dim];
        contexts
            .par_chunks_mut(self.length * dim)
            .zip(qkv[from..to].par_chunks(self.length * width))
            .for_each(|(contexts, qkv)| self.attend(contexts, qkv, dim));
        Ok((CpuStorage::F32(contexts), (tokens, dim).into()))
    }
}

impl Attention<'_> {
    /// One sequence: `contexts` (length, dim), zeros before, from `qkv`
    /// (length, 3 x dim).
    fn attend(&self, contexts: &mut [f32], qkv: &[f32], dim: usize) {
        let width = 3 * dim;
        let biased: Vec<f32> = qkv
            .chunks_exact(width)
            .flat_map(|row| row.iter().zip(self.bias).map(|(value, bias)| value + bias))
            .collect();
        let head = dim / self.heads;
        let scale = (head as f32).sqrt().recip();
        let mut scores = vec![0.0; self.length];
        for (context, row) in contexts.chunks_exact_mut(dim).zip(biased.chunks_exact(width)) {
            for (at, context) in context.chunks_exact_mut(head).enumerate() {
                let part = |row: usize, which: usize| {
                    let start = row * width + which * dim + at * head;
                    &biased[start..start + head]
                };
                let query = &row[at * head..(at + 1) * head];
                for (key, score) in scores.iter_mut().enumerate() {
                    *score = scale * dot(query, part(key, 1));
                }
                softmax(&mut scores);
                for (value, &weight) in scores.iter().enumerate() {
                    axpy(context, weight, part(value, 2));
                }
            }
        }
    }
}

/// Exponentials divided by their sum, the highest taken off first.
fn softmax(scores: &mut [f32]) {
    let highest = scores.iter().copied().fold(f32::MIN, f32::max);
    scores.iter_mut().for_each(|score| *score = (*score - highest).exp());
    let sum: f32 = scores.iter().sum();
    scores.iter_mut().for_each(|score| *score /= sum);
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{D, Device, Tensor};

    /// The same by candle's products and softmax.
    fn reference(qkv: &Tensor, bias: &Tensor, heads: usize, length: usize) -> Result<Tensor> {
        let (tokens, width) = qkv.dims2()?;
        let shape = (tokens / length, length, 3, heads, width / 3 / heads);
        let qkv = qkv.broadcast_add(bias)?.reshape(shape)?;
        let part = |which| qkv.narrow(2, which, 1)?.squeeze(2)?.transpose(1, 2)?.contiguous();
        let scores = part(0)?.matmul(&part(1)?.t()?)? / ((width / 3 / heads) as f64).sqrt();
        let contexts = candle_nn::ops::softmax(&scores?, D::Minus1)?.matmul(&part(2)?)?;
        contexts.transpose(1, 2)?.contiguous()?.reshape((tokens, width / 3))
    }

    #[test]
    fn any_length_and_number_of_heads_agrees_with_plain_products() {
        for (rows, length, heads, dim) in [(1, 1, 1, 2), (3, 5, 2, 12), (2, 17, 4, 32)] {
            let shape = (rows * length, 3 * dim);
            let qkv = Tensor::randn(0f32, 1.5, shape, &Device::Cpu).unwrap();
            let shift = Tensor::randn(0f32, 1., 3 * dim, &Device::Cpu).unwrap();
            let bias = &shift.to_vec1().unwrap();
            let ours = qkv.apply_op1_no_bwd(&Attention { bias, heads, length }).unwrap();
            let theirs = reference(&qkv, &shift, heads, length).unwrap();
            let apart = (ours - theirs).unwrap().abs().unwrap().max_all().unwrap();
            assert!(apart.to_scalar::<f32>().unwrap() < 1e-5, "{apart} at length {length}");
        }
    }

    #[test]
    fn tokens_that_are_no_whole_number_of_sequences_are_refused() {
        let qkv = Tensor::zeros((5, 6), candle_core::DType::F32, &Device::Cpu).unwrap();
        let attention = Attention { bias: &[0.0; 6], heads: 1, length: 2 };
        let error = qkv.apply_op1_no_bwd(&attention).unwrap_err().to_string();
        assert!(error.contains("5 x 6 values does not come out even"), "{error}");
    }
}
