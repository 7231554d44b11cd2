//! Probabilities of models that were trained with a sigmoid: SigLIP.

/// The sigmoid of `scale * cosine + bias`, with the trained scale and bias of a model (Zhai et al.,
/// 2023, arXiv 2303.15343, section 3.2). It is the probability that an image and a label belong
/// together, whichever the other labels, so the probabilities of all labels do not add up to 1.
///
/// ```
/// use interrogate::rank::Sigmoid;
///
/// let sigmoid = Sigmoid { scale: 80.0, bias: -10.0 };
/// assert_eq!(sigmoid.probability(0.125), 0.5);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sigmoid {
    /// The factor of a cosine.
    pub scale: f32,
    /// The term that is added, usually negative.
    pub bias: f32,
}

impl Sigmoid {
    /// Returns the probability of a label with the cosine `score`.
    pub fn probability(&self, score: f32) -> f64 {
        let logit = f64::from(self.scale) * f64::from(score) + f64::from(self.bias);
        1.0 / (1.0 + (-logit).exp())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_logits_are_0_or_1() {
        let sigmoid = Sigmoid { scale: 1e6, bias: 0.0 };
        assert_eq!((sigmoid.probability(1.0), sigmoid.probability(-1.0)), (1.0, 0.0));
    }
}
