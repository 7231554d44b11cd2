//! Who looks at whom, and the weighted sums that follow.
//!
//! Two forms of the same attention. In [`spans`] every query has a span of keys
//! of its own, so that sequences of any lengths lie flat behind one another
//! without padding; the text tower's form, and the place where a trie's chains
//! of ancestors will go. In [`whole`] all queries of an image look at all of it.
//! The products before and after are for `layer`.

use std::ops::Range;

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use super::linear::contiguous;

/// Which keys each query attends to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Scope<'a> {
    /// Query i attends to the keys of span i.
    Spans(&'a [Range<usize>]),
    /// Rows are so many images of equal length, each attending to all of itself.
    Whole(usize),
}

/// Scaled dot-product attention over rows of `heads` heads side by side:
/// queries (n, width), keys and values (m, width), result (n, width).
///
/// Attention Is All You Need (arXiv 1706.03762), section 3.2.1.
pub(super) fn attend(
    heads: usize,
    queries: &Tensor,
    keys: &Tensor,
    values: &Tensor,
    scope: Scope<'_>,
) -> Result<Tensor> {
    match scope {
        Scope::Spans(spans) => {
            queries.apply_op3_no_bwd(keys, values, &SpanAttention { heads, spans })
        }
        Scope::Whole(images) => whole(heads, queries, keys, values, images),
    }
}

fn whole(
    heads: usize,
    queries: &Tensor,
    keys: &Tensor,
    values: &Tensor,
    images: usize,
) -> Result<Tensor> {
    let (rows, width) = queries.dims2()?;
    // (images * length, width) to (images, heads, length, width / heads)
    let split = |x: &Tensor| {
        let length = x.dim(0)? / images;
        x.reshape((images, length, heads, width / heads))?.transpose(1, 2)?.contiguous()
    };
    let scale = ((width / heads) as f64).powf(-0.5);
    let queries = split(&(queries * scale)?)?;
    let scores = queries.matmul(&split(keys)?.t()?)?;
    let weights = candle_nn::ops::softmax_last_dim(&scores)?;
    weights.matmul(&split(values)?)?.transpose(1, 2)?.reshape((rows, width))
}

struct SpanAttention<'a> {
    heads: usize,
    spans: &'a [Range<usize>],
}

impl CustomOp3 for SpanAttention<'_> {
    fn name(&self) -> &'static str {
        "span-attention"
    }

    fn cpu_fwd(
        &self,
        queries: &CpuStorage,
        query_layout: &Layout,
        keys: &CpuStorage,
        key_layout: &Layout,
        values: &CpuStorage,
        value_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (rows, width) = query_layout.shape().dims2()?;
        let queries = contiguous(queries, query_layout)?;
        let keys = contiguous(keys, key_layout)?;
        let values = contiguous(values, value_layout)?;
        let end = self.spans.iter().map(|span| span.end).max().unwrap_or(0);
        let fits = keys.len() == values.len() && end * width <= keys.len();
        if self.spans.len() != rows || width % self.heads != 0 || !fits {
            candle_core::bail!("{} spans up to {end} for {rows} queries", self.spans.len());
        }
        let mut sums = vec![0f32; rows * width];
        let work = sums.par_chunks_mut(width).zip(queries.par_chunks(width)).zip(self.spans);
        work.with_min_len(32).for_each_init(Vec::new, |scores, ((sum, query), span)| {
            let keys = &keys[span.start * width..span.end * width];
            let values = &values[span.start * width..span.end * width];
            attend_one(width / self.heads, query, keys, values, scores, sum);
        });
        Ok((CpuStorage::F32(sums), Shape::from((rows, width))))
    }
}

/// One query over its keys, head by head; `sum` starts at zero.
fn attend_one(
    head: usize,
    query: &[f32],
    keys: &[f32],
    values: &[f32],
    scores: &mut Vec<f32>,
    sum: &mut [f32],
) {
    let width = query.len();
    let scale = (head as f32).powf(-0.5);
    for (at, (query, sum)) in query.chunks_exact(head).zip(sum.chunks_exact_mut(head)).enumerate() {
        let part = at * head..(at + 1) * head;
        scores.clear();
        scores.extend(keys.chunks_exact(width).map(|key| dot(query, &key[part.clone()]) * scale));
        softmax(scores);
        for (weight, value) in scores.iter().zip(values.chunks_exact(width)) {
            sum.iter_mut().zip(&value[part.clone()]).for_each(|(s, v)| *s += weight * v);
        }
    }
}

/// Eight running sums, so that the compiler makes vector code of it.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0f32; 8];
    let (a, b) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f32 = a.remainder().iter().zip(b.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in a.zip(b) {
        for lane in 0..8 {
            sums[lane] += a[lane] * b[lane];
        }
    }
    sums.iter().sum::<f32>() + rest
}

fn softmax(scores: &mut [f32]) {
    let top = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    scores.iter_mut().for_each(|score| *score = (*score - top).exp());
    let total: f32 = scores.iter().sum();
    scores.iter_mut().for_each(|score| *score /= total);
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    /// Rows (count, width) of a fixed, restless pattern.
    fn rows(count: usize, width: usize, seed: usize) -> Tensor {
        let values = (0..count * width).map(|i| ((i * 37 + seed * 101) % 61) as f32 / 30.0 - 1.0);
        Tensor::from_iter(values, &Device::Cpu).unwrap().reshape((count, width)).unwrap()
    }

    fn close(a: &Tensor, b: &Tensor) {
        let (a, b) = (a.to_vec2::<f32>().unwrap(), b.to_vec2::<f32>().unwrap());
        assert_eq!((a.len(), a[0].len()), (b.len(), b[0].len()));
        for (a, b) in a.concat().iter().zip(b.concat()) {
            assert!((a - b).abs() < 1e-6, "{a} {b}");
        }
    }

    #[test]
    fn spans_over_whole_images_equal_the_dense_form() {
        // 20 values a head: more than one lane of eight, and a rest.
        let (q, k, v) = (rows(6, 40, 1), rows(6, 40, 2), rows(6, 40, 3));
        let spans = [0..3, 0..3, 0..3, 3..6, 3..6, 3..6];
        let flat = attend(2, &q, &k, &v, Scope::Spans(&spans)).unwrap();
        close(&flat, &attend(2, &q, &k, &v, Scope::Whole(2)).unwrap());
    }

    #[test]
    fn a_query_may_stand_alone_before_many_keys() {
        let (q, k, v) = (rows(2, 16, 1), rows(6, 16, 2), rows(6, 16, 3));
        let flat = attend(2, &q, &k, &v, Scope::Spans(&[0..3, 3..6])).unwrap();
        close(&flat, &attend(2, &q, &k, &v, Scope::Whole(2)).unwrap());
    }

    #[test]
    fn one_key_gives_its_value() {
        let (q, k, v) = (rows(2, 8, 1), rows(2, 8, 2), rows(2, 8, 3));
        close(&attend(1, &q, &k, &v, Scope::Spans(&[0..1, 1..2])).unwrap(), &v);
    }

    #[test]
    fn spans_beyond_the_keys_are_an_error() {
        let (q, k, v) = (rows(2, 8, 1), rows(2, 8, 2), rows(2, 8, 3));
        assert!(attend(1, &q, &k, &v, Scope::Spans(&[0..1, 1..3])).is_err());
        assert!(attend(1, &q, &k, &v, Scope::Spans(&[0..1, 0..1, 0..1])).is_err());
        assert!(attend(3, &q, &k, &v, Scope::Spans(&[0..1, 1..2])).is_err());
    }
}
