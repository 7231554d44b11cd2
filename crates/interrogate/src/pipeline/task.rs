//! The tasks and their names.

use std::fmt;
use std::str::FromStr;

use crate::error::PipelineError;
use crate::{Error, Result};

/// A task: what the pipeline computes from the images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// `clip_model`: the probability of each of three labels
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
    /// `test_data`: the sizes of the decoded images.
    TestData,
    /// `test_dict`: the labels of the mediums dictionary.
    TestDict,
}

impl Task {
    /// All tasks.
    pub const ALL: [Task; 7] = [
        Task::ClipModel,
        Task::Blip2,
        Task::Blip2Embedding,
        Task::ClipInterrogator,
        Task::ClipInterrogatorEmbedding,
        Task::TestData,
        Task::TestDict,
    ];

    /// Returns the task's name.
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

    /// Whether the task captions images.
    pub(super) fn captions(self) -> bool {
        self.ranks() || matches!(self, Task::Blip2 | Task::Blip2Embedding)
    }

    /// Whether the task ranks an index.
    pub(super) fn ranks(self) -> bool {
        matches!(self, Task::ClipInterrogator | Task::ClipInterrogatorEmbedding)
    }

    /// Whether the task computes sentence embeddings.
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
    /// [`PipelineError::TaskUnknown`]; its hint lists the names.
    fn from_str(name: &str) -> Result<Self> {
        let found = Task::ALL.into_iter().find(|task| task.name() == name);
        found.ok_or_else(|| {
            Error::Pipeline(PipelineError::TaskUnknown {
                name: name.to_owned(),
                tasks: Task::ALL.map(Task::name).to_vec(),
            })
        })
    }
}
