//! Embeddings of labels.

use std::path::PathBuf;

use interrogate::clip::{Checkpoint, ClipText};
use interrogate::encoder::TextEncoder;
use interrogate::{Compute, Precision};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{Result, turns};

/// Which text tower to load.
#[derive(Deserialize)]
pub(crate) struct Load {
    checkpoint: PathBuf,
    precision: String,
}

/// A loaded text tower.
pub(crate) struct Text {
    pub(crate) encoder: ClipText,
}

impl Load {
    pub(crate) fn run(self, text: &mut Option<Text>) -> Result<Value> {
        *text = None; // frees the old tower before the new one is loaded
        let compute =
            Compute { precision: Some(precision(&self.precision)?), ..Compute::default() };
        let encoder = Checkpoint::open(&self.checkpoint)?.text_encoder_with(&compute)?;
        let dim = encoder.dim();
        *text = Some(Text { encoder });
        Ok(json!({ "dim": dim }))
    }
}

/// The precision called `name`.
pub(crate) fn precision(name: &str) -> Result<Precision> {
    Ok(name.parse()?)
}

/// Encodes the labels of a file, one per line.
#[derive(Deserialize)]
pub(crate) struct Encode {
    labels: PathBuf,
    runs: usize,
    out: Option<PathBuf>,
}

impl Encode {
    pub(crate) fn run(self, text: Option<&Text>) -> Result<Value> {
        let encoder = &text.ok_or("encode: no text tower is loaded")?.encoder;
        let file = std::fs::read_to_string(&self.labels)?;
        let labels: Vec<&str> = file.lines().collect();
        let (ms, rows) = turns::time((0, self.runs), || Ok(encoder.encode(&labels)?))?;
        turns::write(self.out.as_deref(), rows.as_slice())?;
        Ok(json!({ "ms": ms, "labels": rows.len() }))
    }
}
