//! The tasks by their names.

use std::fmt;
use std::str::FromStr;

use crate::{Error, Result};

/// What a run makes of the images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// `clip_model`: how likely each of three labels is
    /// ([`ZERO_SHOT`](super::ZERO_SHOT)).
    ClipModel,
    /// `blip2`: captions.
    Blip2,
    /// `blip2-embedding`: sentence embeddings of the captions.
    Blip2Embedding,
    /// `clip-interrogator`: prompts.
    ClipInterrogator,
    /// `clip-interrogator-embedding`: sentence embeddings of the prompts.
    ClipInterrogatorEmbedding,
    /// `test_data`: the images' sizes, once they are decoded.
    TestData,
    /// `test_dict`: the mediums.
    TestDict,
}

impl Task {
    /// All of them.
    pub const ALL: [Task; 7] = [
        Task::ClipModel,
        Task::Blip2,
        Task::Blip2Embedding,
        Task::ClipInterrogator,
        Task::ClipInterrogatorEmbedding,
        Task::TestData,
        Task::TestDict,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Task::ClipModel => "clip_model",
            Task::Blip2 => "blip2",
            Task::Blip2Embedding => "blip2-embedding",
            Task::ClipInterrogator => "clip-interrogator",
            Task::ClipInterrogatorEmbedding => "clip-interrogator-embedding",
            Task::TestData => "test_data",
            Task::TestDict => "test_dict",
        }
    }

    /// Whether images are captioned.
    pub(super) fn captions(self) -> bool {
        self.ranks() || matches!(self, Task::Blip2 | Task::Blip2Embedding)
    }

    /// Whether an index is ranked.
    pub(super) fn ranks(self) -> bool {
        matches!(self, Task::ClipInterrogator | Task::ClipInterrogatorEmbedding)
    }

    /// Whether texts become sentence embeddings.
    pub(super) fn embeds(self) -> bool {
        matches!(self, Task::Blip2Embedding | Task::ClipInterrogatorEmbedding)
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Task {
    type Err = Error;

    /// # Errors
    /// [`Error::TaskUnknown`]; its hint lists the names.
    fn from_str(name: &str) -> Result<Self> {
        let found = Task::ALL.into_iter().find(|task| task.name() == name);
        found.ok_or_else(|| Error::TaskUnknown {
            name: name.to_owned(),
            tasks: Task::ALL.map(Task::name).to_vec(),
        })
    }
}
