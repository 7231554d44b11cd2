//! One chain step: candidates after a prompt, scored against an image.

use std::path::PathBuf;

use interrogate::encoder::{Features, TextEncoder};
use interrogate::prompt::{ChainScorer, Scorer};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::encode::Text;
use crate::{Result, turns};

/// Scores `"{prompt}, {phrase}"` for each line of a file. Every run starts a new chain:
/// nothing is cached from the run before.
#[derive(Deserialize)]
pub(crate) struct Chain {
    prompt: String,
    phrases: PathBuf,
    /// The image's features: little-endian f32 values.
    features: PathBuf,
    runs: usize,
    out: Option<PathBuf>,
}

impl Chain {
    pub(crate) fn run(self, text: Option<&Text>) -> Result<Value> {
        let encoder = &text.ok_or("chain: no text tower is loaded")?.encoder;
        let features = Features::new(turns::read(&self.features)?)?;
        let file = std::fs::read_to_string(&self.phrases)?;
        let phrases: Vec<&str> = file.lines().collect();
        let step = || Ok(ChainScorer::new(encoder, &features).score(&self.prompt, &phrases)?);
        let (ms, scores) = turns::time((0, self.runs), step)?;
        turns::write(self.out.as_deref(), &scores)?;
        let tokens = encoder.tokenize(&[&self.prompt])?.total();
        Ok(json!({ "ms": ms, "phrases": scores.len(), "prompt_tokens": tokens }))
    }
}
