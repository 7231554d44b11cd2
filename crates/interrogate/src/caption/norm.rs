//! Layer norms: each row brought to a mean of nothing and a variance of one,
//! or to a mean square of one.

use super::states::States;

/// `(x - mean) / sqrt(variance + eps) * weight + bias`, row by row. The variance
/// is taken in a second pass, after the mean.
#[derive(Debug)]
pub(crate) struct LayerNorm {
    weight: Vec<f32>,
    bias: Vec<f32>,
    eps: f32,
}

impl LayerNorm {
    pub(crate) fn new(weight: Vec<f32>, bias: Vec<f32>, eps: f64) -> Self {
        LayerNorm { weight, bias, eps: eps as f32 }
    }

    /// Of `x` (rows, dim): (rows, dim).
    pub(crate) fn forward(&self, x: &States) -> States {
        let mut out = x.clone();
        let dim = x.dim() as f32;
        for row in out.values_mut().chunks_exact_mut(x.dim()) {
            let mean = row.iter().sum::<f32>() / dim;
            let variance = row.iter().map(|v| (v - mean) * (v - mean)).sum::<f32>() / dim;
            let scale = 1.0 / (variance + self.eps).sqrt();
            for ((v, w), b) in row.iter_mut().zip(&self.weight).zip(&self.bias) {
                *v = (*v - mean) * scale * w + b;
            }
        }
        out
    }
}

/// `x / sqrt(mean(x²) + eps) * weight`, row by row (Zhang and Sennrich, arXiv
/// 1910.07467).
#[derive(Debug)]
pub(crate) struct RmsNorm {
    weight: Vec<f32>,
    eps: f32,
}

impl RmsNorm {
    pub(crate) fn new(weight: Vec<f32>, eps: f64) -> Self {
        RmsNorm { weight, eps: eps as f32 }
    }

    /// Of `x` (rows, dim): (rows, dim).
    pub(crate) fn forward(&self, x: &States) -> States {
        let mut out = x.clone();
        for row in out.values_mut().chunks_exact_mut(x.dim()) {
            let mean = row.iter().map(|v| v * v).sum::<f32>() / x.dim() as f32;
            let scale = 1.0 / (mean + self.eps).sqrt();
            row.iter_mut().zip(&self.weight).for_each(|(v, w)| *v = *v * scale * w);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_normed_by_itself() {
        let x = States::new(2, vec![1.0, 3.0, -5.0, 5.0]);
        let norm = LayerNorm::new(vec![1.0, 2.0], vec![0.0, 1.0], 0.0);
        assert_eq!(norm.forward(&x).values(), [-1.0, 3.0, -1.0, 3.0]);
        let norm = RmsNorm::new(vec![1.0, 2.0], 0.0);
        assert_eq!(norm.forward(&x).row(1), [-1.0, 2.0]);
    }
}
