//! What the options do to scores before a token is chosen.
//!
//! In the order of transformers' `_get_logits_processor`: repetition penalty,
//! repeated runs, shortest length.

use super::Generation;

/// Changes `scores` (vocab) of what follows `ids`, the last `generated` of which
/// are the caption's. Forbidden tokens get minus infinity.
pub(super) fn process(
    options: &Generation,
    end: &[u32],
    ids: &[u32],
    generated: usize,
    scores: &mut [f32],
) {
    if options.repetition_penalty != 1.0 {
        penalise(options.repetition_penalty, ids, scores);
    }
    if options.no_repeat_ngram_size > 0 {
        forbid_repeats(options.no_repeat_ngram_size, ids, scores);
    }
    if generated < options.min_new_tokens {
        end.iter().for_each(|&token| forbid(token, scores));
    }
}

fn penalise(penalty: f32, ids: &[u32], scores: &mut [f32]) {
    let mut seen = ids.to_vec();
    seen.sort_unstable();
    seen.dedup();
    for token in seen {
        if let Some(score) = scores.get_mut(token as usize) {
            *score = if *score < 0.0 { *score * penalty } else { *score / penalty };
        }
    }
}

/// Forbids what would finish a run of `n` tokens that `ids` holds already.
fn forbid_repeats(n: usize, ids: &[u32], scores: &mut [f32]) {
    let Some(from) = (ids.len() + 1).checked_sub(n) else { return };
    let begun = &ids[from..];
    for run in ids.windows(n) {
        if let Some((&token, before)) = run.split_last()
            && before == begun
        {
            forbid(token, scores);
        }
    }
}

fn forbid(token: u32, scores: &mut [f32]) {
    if let Some(score) = scores.get_mut(token as usize) {
        *score = f32::NEG_INFINITY;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn processed(options: Generation, ids: &[u32], generated: usize) -> Vec<f32> {
        let mut scores = vec![2.0, -2.0, 1.0, 4.0];
        process(&options, &[3], ids, generated, &mut scores);
        scores
    }

    #[test]
    fn a_token_seen_twice_is_penalised_once() {
        let options =
            Generation { repetition_penalty: 2.0, min_new_tokens: 0, ..Default::default() };
        assert_eq!(processed(options, &[0, 1, 0], 1), [1.0, -4.0, 1.0, 4.0]);
    }

    #[test]
    fn a_run_is_not_finished_twice() {
        const NO: f32 = f32::NEG_INFINITY;
        let options =
            |n| Generation { no_repeat_ngram_size: n, min_new_tokens: 0, ..Default::default() };
        assert_eq!(processed(options(1), &[0, 2], 2), [NO, -2.0, NO, 4.0]);
        assert_eq!(processed(options(2), &[0, 1, 2, 0], 2), [2.0, NO, 1.0, 4.0]);
        assert_eq!(processed(options(3), &[0, 1, 2, 0], 2), [2.0, -2.0, 1.0, 4.0]);
        assert_eq!(processed(options(9), &[0], 1), [2.0, -2.0, 1.0, 4.0]);
    }

    #[test]
    fn the_end_waits_for_the_shortest_length() {
        let options = Generation { min_new_tokens: 2, ..Default::default() };
        assert_eq!(processed(options.clone(), &[], 1)[3], f32::NEG_INFINITY);
        assert_eq!(processed(options, &[], 2)[3], 4.0);
    }
}
