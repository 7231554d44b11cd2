//! Pipelines: tasks and configuration files.

use std::path::PathBuf;

/// A pipeline's task or configuration is invalid.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    /// No task has this name. The hint lists the valid ones.
    #[error("no task is named {name:?}")]
    TaskUnknown {
        /// The given name.
        name: String,
        /// The valid names.
        tasks: Vec<&'static str>,
    },
    /// A task lacks a part that it needs: a bug of this library.
    #[error("the task {task} has no {part}")]
    TaskPart {
        /// The task.
        task: &'static str,
        /// The missing part.
        part: &'static str,
    },
    /// The task needs a model that is not named.
    #[error("the task needs {model}")]
    ModelMissing {
        /// The kind of model.
        model: &'static str,
    },
    /// A configuration file lacks a key or has an unknown one.
    #[error("{}: {problem} key {key:?}", path.display())]
    ConfigKey {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
        /// "no" or "an unknown".
        problem: &'static str,
        /// The keys of such a file.
        keys: &'static [&'static str],
    },
    /// Two images have the same name, which identifies their rows.
    #[error("two images are called {stem:?}: {} and {}", first.display(), second.display())]
    DuplicateStem {
        /// The name, without folder and ending.
        stem: String,
        /// The first image.
        first: PathBuf,
        /// The second image.
        second: PathBuf,
    },
}

impl PipelineError {
    pub(super) fn hint(&self) -> Option<String> {
        match self {
            PipelineError::TaskUnknown { tasks, .. } => {
                Some(format!("a task is {}", tasks.join(", ")))
            }
            PipelineError::TaskPart { .. } => None,
            PipelineError::ModelMissing { .. } => Some("name its folder or its hub id".to_owned()),
            PipelineError::ConfigKey { keys, .. } => {
                Some(format!("its keys are {}, all of them", keys.join(", ")))
            }
            PipelineError::DuplicateStem { .. } => Some(
                "rows are identified by the file's name without its ending: rename one of the two"
                    .to_owned(),
            ),
        }
    }
}
