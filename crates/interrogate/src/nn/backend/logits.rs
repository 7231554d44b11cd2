//! What the search for a caption reads of logits: little of a whole vocabulary.

/// The parts of logits (sequences, vocab) that are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LogitsRequest {
    /// Number of the best tokens of each sequence; all if the vocabulary has fewer.
    pub(crate) candidates: usize,
    /// Logits wanted by number: a sequence and a token of the vocabulary each.
    pub(crate) picks: Vec<[u32; 2]>,
}

/// A token and its logit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct TokenLogit {
    pub(crate) token: u32,
    pub(crate) logit: f32,
}

/// The parts of logits that a [`LogitsRequest`] names.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ReducedLogits {
    /// For each sequence the logarithm of the sum of exponentials over the vocabulary. Not
    /// finite if a logit is NaN or infinite, or all are minus infinity; then the other values of
    /// the sequence mean nothing.
    pub(crate) log_sums: Vec<f32>,
    /// (sequences, candidates): the best tokens of each sequence, best first; ties go to the
    /// lower token.
    pub(crate) candidates: Vec<TokenLogit>,
    /// The logits of the picks.
    pub(crate) picked: Vec<f32>,
}

impl ReducedLogits {
    /// Reduces `logits` (sequences, vocab) on the host. The picks must be in range.
    pub(crate) fn of(logits: &[f32], vocab: usize, request: &LogitsRequest) -> Self {
        let count = request.candidates.min(vocab);
        let mut reduced = ReducedLogits::default();
        for row in logits.chunks_exact(vocab.max(1)) {
            reduced.log_sums.push(log_sum_exp(row));
            let logit = |token: u32| row[token as usize];
            let mut order: Vec<u32> = (0..vocab as u32).collect();
            // Unlike `total_cmp`, this orders both zeros as equal.
            let better = |a: &u32, b: &u32| {
                let by_logit = logit(*b).partial_cmp(&logit(*a));
                by_logit.unwrap_or(std::cmp::Ordering::Equal).then(a.cmp(b))
            };
            if row.iter().any(|logit| logit.is_nan()) {
                order.truncate(count);
            } else {
                if count < vocab {
                    order.select_nth_unstable_by(count, better);
                }
                order.truncate(count);
                order.sort_unstable_by(better);
            }
            let candidates = order.into_iter();
            let candidates = candidates.map(|token| TokenLogit { token, logit: logit(token) });
            reduced.candidates.extend(candidates);
        }
        let pick =
            |&[sequence, token]: &[u32; 2]| logits[sequence as usize * vocab + token as usize];
        reduced.picked = request.picks.iter().map(pick).collect();
        reduced
    }
}

/// Returns the logarithm of the sum of the exponentials of `logits`.
pub(crate) fn log_sum_exp(logits: &[f32]) -> f32 {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f32 = logits.iter().map(|logit| (logit - max).exp()).sum();
    max + sum.ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reduced(logits: &[f32], vocab: usize, candidates: usize) -> ReducedLogits {
        ReducedLogits::of(logits, vocab, &LogitsRequest { candidates, picks: vec![[1, 0], [0, 2]] })
    }

    #[test]
    fn best_tokens_come_first_and_ties_go_to_the_lower_token() {
        let logits = [0.0, 1.0, -0.0, 1.0, 4.0, -1.0, f32::NEG_INFINITY, -1.0, -1.0, 3.0];
        let found = reduced(&logits, 5, 3);
        let tokens: Vec<u32> = found.candidates.iter().map(|candidate| candidate.token).collect();
        assert_eq!(tokens, [4, 1, 3, 4, 0, 2]);
        assert_eq!(found.candidates[3].logit, 3.0);
        assert_eq!(found.picked, [-1.0, -0.0]);
        let sum = logits[..5].iter().map(|&logit| f64::from(logit).exp()).sum::<f64>();
        assert!((f64::from(found.log_sums[0]) - sum.ln()).abs() < 1e-6);
        assert_eq!(reduced(&logits, 5, 9).candidates.len(), 10, "all tokens of the vocabulary");
        assert_eq!(reduced(&logits, 5, 0).candidates, []);
    }

    #[test]
    fn sum_that_is_not_finite_marks_unusable_logits() {
        for bad in [f32::NAN, f32::INFINITY] {
            let found = reduced(&[0.0, bad, 1.0, 0.0, 0.0, 1.0], 3, 2);
            assert!(!found.log_sums[0].is_finite() && found.log_sums[1].is_finite(), "{bad}");
        }
        assert!(!reduced(&[f32::NEG_INFINITY; 6], 3, 2).log_sums[0].is_finite());
    }
}
