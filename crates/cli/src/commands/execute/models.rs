//! The models of a task, from the original pipeline's arguments.
//!
//! Without a configuration file, `--model-path` and `--model-extend-path` are the models, as in
//! the original code. With one, they are where relative paths start and a second file, unless
//! they cannot be: a file as `--model-path` is CLIP, a folder as `--model-extend-path` is the
//! sentence encoder.

use std::path::{Path, PathBuf};

use interrogate::pipeline::{Config, Models, NamedModels, Overrides, Task};
use interrogate::sentence;

use crate::args::Execute;
use crate::error::CliError;
use crate::logger::Logger;

/// Dictionaries without an option or a configuration file.
const DICTS: &str = "dicts";

/// Returns the models and dictionaries that the arguments name. Opens no model.
///
/// # Errors
/// Those of [`Config::open`], and for an argument that the task lacks.
pub(super) fn models(
    args: &Execute,
    task: Task,
    logger: &Logger,
) -> Result<Box<dyn Models>, CliError> {
    match config_file(args, task, logger) {
        Some(file) => Ok(Box::new(from_file(args, task, file, logger)?)),
        None => Ok(Box::new(from_names(args, task, logger)?)),
    }
}

/// Returns the configuration file. A folder is not one: the original code imports its packages
/// from there for `blip2-embedding`.
fn config_file<'a>(args: &'a Execute, task: Task, logger: &Logger) -> Option<&'a Path> {
    let path = args.extend_path.as_deref()?;
    if task == Task::Blip2Embedding && path.is_dir() {
        logger
            .note(format_args!("{}: this folder of Python packages is not needed", path.display()));
        return None;
    }
    Some(path)
}

fn from_names(args: &Execute, task: Task, logger: &Logger) -> Result<NamedModels, CliError> {
    let (model, extend) = (given(&args.model_path), given(&args.model_extend_path));
    let mut models = NamedModels {
        dicts: args.dicts.clone().unwrap_or_else(|| DICTS.into()),
        ..NamedModels::default()
    };
    let model_path = "pass --model-path MODEL, or --extend-path CONFIG.json";
    match task {
        Task::ClipInterrogator | Task::ClipInterrogatorEmbedding => {
            return Err(missing(task, "a configuration file", "pass --extend-path CONFIG.json"));
        }
        Task::ClipModel => {
            models.clip = Some(model.ok_or_else(|| missing(task, "CLIP", model_path))?);
        }
        Task::Blip2 | Task::Blip2Embedding => {
            models.captioner = Some(model.ok_or_else(|| missing(task, "BLIP-2", model_path))?);
        }
        Task::TestData | Task::TestDict => {}
    }
    if task == Task::Blip2Embedding {
        let hint =
            "pass --model-extend-path with a folder of sentence-transformers, a hub id or starter";
        models.sentences = Some(extend.ok_or_else(|| missing(task, "a sentence encoder", hint))?);
    } else if extend.is_some() {
        logger.note(format_args!("{task} does not use --model-extend-path"));
    }
    Ok(models)
}

fn from_file(args: &Execute, task: Task, file: &Path, logger: &Logger) -> Result<Config, CliError> {
    let path = |text: &Option<String>| given(text).map(PathBuf::from);
    let (model, start) = partition(path(&args.model_path), Path::is_file);
    let (sentences, extend) = partition(path(&args.model_extend_path), Path::is_dir);
    if let Some(start) = &start
        && ["config.json", "open_clip_config.json"].iter().any(|name| start.join(name).is_file())
    {
        logger.note(format_args!(
            "{}: relative paths start in this folder; to use the model in it, leave out \
             --extend-path",
            start.display()
        ));
    }
    let overrides = Overrides { models: start.as_deref(), extend: extend.as_deref() };
    let mut config = Config::open(file, overrides)?;
    match (model, task) {
        (Some(path), Task::Blip2 | Task::Blip2Embedding) => config.blip_path = path,
        (Some(path), _) => (config.clip_path, config.clip_model) = (path, String::new()),
        (None, _) => {}
    }
    if let Some(folder) = sentences {
        // The folder, or the folder of that name in it.
        (config.embedding_dir, config.embedding_model) = (folder, sentence::NAME.to_owned());
        config.embedding_path = PathBuf::new();
    }
    if let Some(dicts) = &args.dicts {
        config.dicts.clone_from(dicts);
    }
    Ok(config)
}

/// Returns a value; an empty one is none, as the original code passes it.
fn given(text: &Option<String>) -> Option<String> {
    text.clone().filter(|text| !text.is_empty())
}

/// Returns the path as the first if `is_first`, else as the second.
fn partition(
    path: Option<PathBuf>,
    is_first: impl Fn(&Path) -> bool,
) -> (Option<PathBuf>, Option<PathBuf>) {
    match path {
        Some(path) if is_first(&path) => (Some(path), None),
        other => (None, other),
    }
}

fn missing(task: Task, what: &str, hint: &str) -> CliError {
    CliError::Arguments { message: format!("{task} needs {what}"), hint: hint.to_owned() }
}
