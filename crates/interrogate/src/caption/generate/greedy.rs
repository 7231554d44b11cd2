//! One sequence: at each step the likeliest token, or one drawn by chance.

use super::process::process;
use super::sample::{Dice, draw};
use super::{Generated, Generation, Live, Search};

/// The state of one image.
pub(super) struct Greedy {
    options: Generation,
    end: Vec<u32>,
    /// The prompt's tokens, then those generated.
    ids: Vec<u32>,
    prompt: usize,
    chain: Vec<u32>,
    live: Option<Live>,
    dice: Option<Dice>,
}

impl Greedy {
    /// `chain` are the rows before the one whose scores come first.
    pub(super) fn new(
        ids: Vec<u32>,
        chain: Vec<u32>,
        end: Vec<u32>,
        options: &Generation,
        image: usize,
    ) -> Self {
        let dice =
            options.sampling.map(|sampling| Dice::new(sampling.seed, sampling.first + image));
        let prompt = ids.len();
        Greedy { options: options.clone(), end, ids, prompt, chain, live: None, dice }
    }
}

impl Search for Greedy {
    fn live(&self) -> &[Live] {
        self.live.as_slice()
    }

    fn advance(&mut self, rows: &[u32], logits: &mut [f32]) {
        let generated = self.ids.len() - self.prompt;
        process(&self.options, &self.end, &self.ids, generated, logits);
        let token = match (self.options.sampling, &mut self.dice) {
            (Some(sampling), Some(dice)) => draw(sampling, dice, logits),
            _ => likeliest(logits),
        };
        self.ids.push(token);
        self.chain.extend_from_slice(rows);
        let ended = self.end.contains(&token) || generated + 1 >= self.options.max_new_tokens;
        self.live = (!ended).then(|| Live { token, chain: self.chain.clone() });
    }

    fn finish(self: Box<Self>) -> Generated {
        Generated { tokens: self.ids[self.prompt..].to_vec(), score: None }
    }
}

/// The token of the highest score, the first of equal ones.
fn likeliest(scores: &[f32]) -> u32 {
    let mut best = 0;
    for (token, &score) in scores.iter().enumerate() {
        if score > scores[best] {
            best = token;
        }
    }
    best as u32
}
