//! One JSON object a line: `{"id", "prompt", "embedding"}`.

use serde::Serialize;

use super::target::Target;
use super::{Error, Prompt, Sink};

pub(super) struct Jsonl(Target);

#[derive(Serialize)]
struct Row<'a> {
    id: &'a str,
    prompt: &'a str,
    embedding: &'a [f32],
}

impl Jsonl {
    pub(super) fn new(target: Target) -> Self {
        Jsonl(target)
    }
}

impl Sink for Jsonl {
    fn row(&mut self, prompt: &Prompt, embedding: &[f32]) -> Result<(), Error> {
        let row = Row { id: &prompt.id, prompt: &prompt.text, embedding };
        let line = serde_json::to_string(&row)
            .map_err(|e| Error::Write { path: self.0.path(), source: e.into() })?;
        self.0.write(line.as_bytes())?;
        self.0.write(b"\n")
    }

    fn finish(self: Box<Self>) -> Result<(), Error> {
        self.0.finish()
    }
}
