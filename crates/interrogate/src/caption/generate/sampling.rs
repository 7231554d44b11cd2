//! Samples a token by temperature and top-p.

use super::Sampling;

/// A random number generator: SplitMix64 (Steele, Lea and Flood, OOPSLA 2014), with 64 bits of
/// state and the same numbers on every machine.
#[derive(Debug)]
pub(super) struct Rng(u64);

impl Rng {
    /// Creates the generator of the image with index `image`.
    pub(super) fn new(seed: u64, image: usize) -> Self {
        let mut rng = Rng(seed);
        let start = rng.next();
        Rng(start ^ (image as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Returns a number from 0 to below 1, in steps of 2^-53.
    fn uniform(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// Samples a token from `logits`, at least one of which must not be minus infinity.
///
/// The nucleus has the most likely tokens, ties by the lower token, up to the one with which
/// their total probability reaches `top_p`.
pub(super) fn sample(sampling: Sampling, rng: &mut Rng, logits: &[f32]) -> u32 {
    let mut order: Vec<u32> = (0..logits.len() as u32).collect();
    let logit = |token: u32| f64::from(logits[token as usize] / sampling.temperature);
    order.sort_by(|&a, &b| logit(b).total_cmp(&logit(a)));
    let best = order.first().map_or(0.0, |&token| logit(token));
    let weights: Vec<f64> = order.iter().map(|&token| (logit(token) - best).exp()).collect();
    let all: f64 = weights.iter().sum();
    let top_p = f64::from(sampling.top_p);
    let mut sum = 0.0;
    let enough = |weight: &f64| {
        let before = sum;
        sum += weight;
        before < top_p * all && *weight > 0.0
    };
    let nucleus = weights.iter().copied().take_while(enough).collect::<Vec<f64>>();
    let mut target = rng.uniform() * nucleus.iter().sum::<f64>();
    for (&token, weight) in order.iter().zip(&nucleus) {
        if target < *weight {
            return token;
        }
        target -= weight;
    }
    // Reached only by rounding.
    order.get(nucleus.len().saturating_sub(1)).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(sampling: Sampling, logits: &[f32]) -> Vec<usize> {
        let mut rng = Rng::new(sampling.seed, 0);
        let mut counts = vec![0; logits.len()];
        (0..4000).for_each(|_| counts[sample(sampling, &mut rng, logits) as usize] += 1);
        counts
    }

    #[test]
    fn frequencies_follow_probabilities() {
        let logits = [0.5f32.ln(), f32::NEG_INFINITY, 0.25f32.ln(), 0.25f32.ln()];
        let even = Sampling { temperature: 1.0, top_p: 1.0, seed: 7, first_image: 0 };
        let found = counts(even, &logits);
        assert_eq!(found[1], 0);
        assert!(found[0].abs_diff(2000) < 150 && found[2].abs_diff(1000) < 150, "{found:?}");
        // The probabilities are squared: 4 : 1 : 1.
        let sharp = counts(Sampling { temperature: 0.5, ..even }, &logits);
        assert!(sharp[0].abs_diff(2667) < 150, "{sharp:?}");
    }

    #[test]
    fn tokens_outside_top_p_are_never_sampled() {
        let logits = [0.5f32.ln(), 0.3f32.ln(), 0.2f32.ln()];
        let with =
            |top_p| counts(Sampling { temperature: 1.0, top_p, seed: 7, first_image: 0 }, &logits);
        assert_eq!(with(0.4)[1..], [0, 0]);
        assert_eq!(with(0.6)[2], 0);
        assert!(with(0.9)[2] > 0);
    }

    #[test]
    fn draws_depend_on_seed_and_image() {
        let draws = |seed, image| {
            let mut rng = Rng::new(seed, image);
            [rng.next(), rng.next()]
        };
        assert_eq!(draws(1, 2), draws(1, 2));
        assert_ne!(draws(1, 2), draws(1, 3));
        assert_ne!(draws(1, 2), draws(2, 2));
    }
}
