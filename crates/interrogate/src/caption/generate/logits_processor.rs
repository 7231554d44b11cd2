//! Changes scores before a token is chosen.
//!
//! In the order of transformers' `_get_logits_processor`: repetition penalty, repeated n-grams,
//! minimum length.

use super::GenerationConfig;

/// Scores that can be changed, of all tokens or of some.
pub(super) trait Scores {
    /// Replaces the score of `token` by `change` of it, if there is such a token.
    fn change(&mut self, token: u32, change: impl FnOnce(f32) -> f32);

    /// Sets the score of `token` to minus infinity, if there is such a token.
    fn forbid(&mut self, token: u32) {
        self.change(token, |_| f32::NEG_INFINITY);
    }
}

impl Scores for [f32] {
    fn change(&mut self, token: u32, change: impl FnOnce(f32) -> f32) {
        if let Some(score) = self.get_mut(token as usize) {
            *score = change(*score);
        }
    }
}

/// Changes the `scores` of the token after `ids`, the last `generated` of which are generated.
/// Forbidden tokens get minus infinity.
pub(super) fn process<S: Scores + ?Sized>(
    options: &GenerationConfig,
    eos: &[u32],
    ids: &[u32],
    generated: usize,
    scores: &mut S,
) {
    if options.repetition_penalty != 1.0 {
        penalize_repeats(options.repetition_penalty, ids, scores);
    }
    if options.no_repeat_ngram_size > 0 {
        forbid_ngrams(options.no_repeat_ngram_size, ids, scores);
    }
    if generated < options.min_new_tokens {
        eos.iter().for_each(|&token| scores.forbid(token));
    }
}

/// Returns the tokens of `ids` below `vocab`, ascending, each once.
pub(super) fn distinct(ids: &[u32], vocab: usize) -> Vec<u32> {
    let mut distinct = ids.to_vec();
    distinct.retain(|&token| (token as usize) < vocab);
    distinct.sort_unstable();
    distinct.dedup();
    distinct
}

/// Divides positive scores of the tokens in `ids` by `penalty`, and multiplies negative ones.
fn penalize_repeats<S: Scores + ?Sized>(penalty: f32, ids: &[u32], scores: &mut S) {
    for token in distinct(ids, usize::MAX) {
        scores.change(token, |score| if score < 0.0 { score * penalty } else { score / penalty });
    }
}

/// Forbids each token that would complete an n-gram of `n` tokens that `ids` already has.
fn forbid_ngrams<S: Scores + ?Sized>(n: usize, ids: &[u32], scores: &mut S) {
    let Some(from) = (ids.len() + 1).checked_sub(n) else { return };
    let prefix = &ids[from..];
    for ngram in ids.windows(n) {
        if let Some((&token, before)) = ngram.split_last()
            && before == prefix
        {
            scores.forbid(token);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn processed(options: GenerationConfig, ids: &[u32], generated: usize) -> Vec<f32> {
        let mut scores = vec![2.0, -2.0, 1.0, 4.0];
        process(&options, &[3], ids, generated, &mut scores[..]);
        scores
    }

    #[test]
    fn repeated_token_is_penalized_once() {
        let options =
            GenerationConfig { repetition_penalty: 2.0, min_new_tokens: 0, ..Default::default() };
        assert_eq!(processed(options, &[0, 1, 0], 1), [1.0, -4.0, 1.0, 4.0]);
    }

    #[test]
    fn repeated_ngram_is_forbidden() {
        const NO: f32 = f32::NEG_INFINITY;
        let options = |n| GenerationConfig {
            no_repeat_ngram_size: n,
            min_new_tokens: 0,
            ..Default::default()
        };
        assert_eq!(processed(options(1), &[0, 2], 2), [NO, -2.0, NO, 4.0]);
        assert_eq!(processed(options(2), &[0, 1, 2, 0], 2), [2.0, NO, 1.0, 4.0]);
        assert_eq!(processed(options(3), &[0, 1, 2, 0], 2), [2.0, -2.0, 1.0, 4.0]);
        assert_eq!(processed(options(9), &[0], 1), [2.0, -2.0, 1.0, 4.0]);
    }

    #[test]
    fn eos_is_forbidden_below_the_minimum_length() {
        let options = GenerationConfig { min_new_tokens: 2, ..Default::default() };
        assert_eq!(processed(options.clone(), &[], 1)[3], f32::NEG_INFINITY);
        assert_eq!(processed(options, &[], 2)[3], 4.0);
    }
}
