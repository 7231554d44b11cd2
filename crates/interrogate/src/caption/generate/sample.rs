//! Drawing a token by chance.

use super::Sampling;

/// SplitMix64 (Steele, Lea and Flood, OOPSLA 2014): 64 bits of state, small and
/// the same on every machine.
#[derive(Debug)]
pub(super) struct Dice(u64);

impl Dice {
    /// The dice of image number `image`.
    pub(super) fn new(seed: u64, image: usize) -> Self {
        let mut dice = Dice(seed);
        let start = dice.next();
        Dice(start ^ (image as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 to below 1, in steps of 2^-53.
    fn throw(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// Draws a token by `logits`, which hold a number that is not minus infinity.
///
/// Tokens are taken from the likeliest on, ties by the lower token, until they
/// have `top_p` together: the last one in goes over it.
pub(super) fn draw(sampling: Sampling, dice: &mut Dice, logits: &[f32]) -> u32 {
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
    let kept = weights.iter().copied().take_while(enough).collect::<Vec<f64>>();
    let mut target = dice.throw() * kept.iter().sum::<f64>();
    for (&token, weight) in order.iter().zip(&kept) {
        if target < *weight {
            return token;
        }
        target -= weight;
    }
    // Rounding alone leads here.
    order.get(kept.len().saturating_sub(1)).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(sampling: Sampling, logits: &[f32]) -> Vec<usize> {
        let mut dice = Dice::new(sampling.seed, 0);
        let mut counts = vec![0; logits.len()];
        (0..4000).for_each(|_| counts[draw(sampling, &mut dice, logits) as usize] += 1);
        counts
    }

    #[test]
    fn tokens_come_as_often_as_they_are_likely() {
        let logits = [0.5f32.ln(), f32::NEG_INFINITY, 0.25f32.ln(), 0.25f32.ln()];
        let even = Sampling { temperature: 1.0, top_p: 1.0, seed: 7, first: 0 };
        let found = counts(even, &logits);
        assert_eq!(found[1], 0);
        assert!(found[0].abs_diff(2000) < 150 && found[2].abs_diff(1000) < 150, "{found:?}");
        // Squared, 4 : 1 : 1.
        let sharp = counts(Sampling { temperature: 0.5, ..even }, &logits);
        assert!(sharp[0].abs_diff(2667) < 150, "{sharp:?}");
    }

    #[test]
    fn unlikely_tokens_stay_out() {
        let logits = [0.5f32.ln(), 0.3f32.ln(), 0.2f32.ln()];
        let with = |top_p| counts(Sampling { temperature: 1.0, top_p, seed: 7, first: 0 }, &logits);
        assert_eq!(with(0.4)[1..], [0, 0]);
        assert_eq!(with(0.6)[2], 0);
        assert!(with(0.9)[2] > 0);
    }

    #[test]
    fn a_seed_draws_the_same_again_and_each_image_its_own() {
        let throws = |seed, image| {
            let mut dice = Dice::new(seed, image);
            [dice.next(), dice.next()]
        };
        assert_eq!(throws(1, 2), throws(1, 2));
        assert_ne!(throws(1, 2), throws(1, 3));
        assert_ne!(throws(1, 2), throws(2, 2));
    }
}
