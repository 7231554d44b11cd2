//! One sequence per image: at each step the most likely token, or a sampled one.

use super::logits_processor::process;
use super::sampling::{Rng, sample};
use super::{GenerationConfig, NextInput, Search, Sequence};

/// The search of one image.
pub(super) struct GreedySearch {
    options: GenerationConfig,
    eos: Vec<u32>,
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
        eos: Vec<u32>,
        options: &GenerationConfig,
        image: usize,
    ) -> Self {
        let rng =
            options.sampling.map(|sampling| Rng::new(sampling.seed, sampling.first_image + image));
        let prompt = ids.len();
        GreedySearch { options: options.clone(), eos, ids, prompt, cache_rows, input: None, rng }
    }
}

impl Search for GreedySearch {
    fn next_inputs(&self) -> &[NextInput] {
        self.input.as_slice()
    }

    fn advance(&mut self, rows: &[u32], logits: &mut [f32]) {
        let generated = self.ids.len() - self.prompt;
        process(&self.options, &self.eos, &self.ids, generated, logits);
        let token = match (self.options.sampling, &mut self.rng) {
            (Some(sampling), Some(rng)) => sample(sampling, rng, logits),
            _ => argmax(logits),
        };
        self.ids.push(token);
        self.cache_rows.extend_from_slice(rows);
        let ended = self.eos.contains(&token) || generated + 1 >= self.options.max_new_tokens;
        self.input = (!ended).then(|| NextInput { token, cache_rows: self.cache_rows.clone() });
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
