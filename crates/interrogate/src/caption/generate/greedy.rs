//! One sequence per image: at each step the most likely token, or a sampled one.

use super::reduced::{Context, Needs, ReducedRow};
use super::sampling::{Rng, sample};
use super::{GenerationConfig, Limits, NextInput, Search, Sequence};

/// The search of one image.
pub(super) struct GreedySearch {
    options: GenerationConfig,
    limits: Limits,
    /// The prompt's tokens, then the generated ones.
    ids: Vec<u32>,
    /// Number of the prompt's tokens.
    prompt: usize,
    /// The rows of the KV cache that were read.
    cache_rows: Vec<u32>,
    /// The next input; `None` once the sequence has ended.
    input: Option<NextInput>,
    rng: Option<Rng>,
}

impl GreedySearch {
    /// `cache_rows` are the rows before the one whose logits come first.
    pub(super) fn new(
        ids: Vec<u32>,
        cache_rows: Vec<u32>,
        limits: &Limits,
        options: &GenerationConfig,
        image: usize,
    ) -> Self {
        let rng =
            options.sampling.map(|sampling| Rng::new(sampling.seed, sampling.first_image + image));
        let prompt = ids.len();
        GreedySearch {
            options: options.clone(),
            limits: limits.clone(),
            ids,
            prompt,
            cache_rows,
            input: None,
            rng,
        }
    }

    fn context(&self) -> Context<'_> {
        let generated = self.ids.len() - self.prompt;
        Context { options: &self.options, limits: &self.limits, ids: &self.ids, generated }
    }

    /// Appends `token`; `rows` are the rows of the KV cache that were written last.
    fn push(&mut self, rows: &[u32], token: u32) {
        self.ids.push(token);
        self.cache_rows.extend_from_slice(rows);
        let full = self.ids.len() - self.prompt >= self.options.max_new_tokens;
        let ended = self.limits.eos.contains(&token) || full;
        self.input = (!ended).then(|| NextInput { token, cache_rows: self.cache_rows.clone() });
    }
}

impl Search for GreedySearch {
    fn next_inputs(&self) -> &[NextInput] {
        self.input.as_slice()
    }

    fn advance(&mut self, rows: &[u32], logits: &mut [f32]) {
        self.context().process(logits);
        let token = match (self.options.sampling, &mut self.rng) {
            (Some(sampling), Some(rng)) => sample(sampling, rng, logits),
            _ => argmax(logits),
        };
        self.push(rows, token);
    }

    fn needs(&self, vocab: usize) -> Option<Vec<Needs>> {
        // A sample depends on the logits of all tokens.
        self.options.sampling.is_none().then(|| vec![self.context().needs(vocab, 1)])
    }

    fn advance_reduced(&mut self, rows: &[u32], vocab: usize, reduced: &[ReducedRow<'_>]) -> bool {
        let [row] = reduced else { return false };
        // The first known token that is not altered precedes all that are unknown: its logit is
        // greater, or equal and the token lower. So the best known token is the best.
        let scores = self.context().scores(vocab, *row, 0.0).scores;
        let better = |a: (u32, f32), b: (u32, f32)| {
            if b.1 > a.1 || (b.1 == a.1 && b.0 < a.0) { b } else { a }
        };
        let Some((token, _)) = scores.into_iter().reduce(better) else { return false };
        self.push(rows, token);
        true
    }

    fn finish(self: Box<Self>) -> Sequence {
        Sequence { tokens: self.ids[self.prompt..].to_vec(), score: None }
    }
}

/// Returns the token with the highest score; ties go to the lower token.
fn argmax(scores: &[f32]) -> u32 {
    let mut best = 0;
    for (token, &score) in scores.iter().enumerate() {
        if score > scores[best] {
            best = token;
        }
    }
    best as u32
}
