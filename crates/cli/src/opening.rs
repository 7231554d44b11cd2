//! Opens the model and the index that the options name, and builds a missing index.

use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use build_index::terminal::{BuildProgress, DownloadProgress, Summary};
use build_index::{Builder, open_all};
use interrogate::Compute;
use interrogate::error::IndexError;
use interrogate::index::Index;
use interrogate::models::{Model, ModelSource, Options, Progress};

use crate::args::{ModelChoice, Source};
use crate::error::CliError;
use crate::interrupt;
use crate::logger::Logger;

/// The folder of the indexes.
pub(crate) const INDEXES: &str = "indexes";

/// The model if neither an option nor an index names one.
const DEFAULT_MODEL: &str = "starter";

/// Opens the model that `choice` names, or the starter.
pub(crate) fn model(choice: &ModelChoice, logger: &Logger) -> Result<Model, CliError> {
    let source: ModelSource = choice.model.as_deref().unwrap_or(DEFAULT_MODEL).parse()?;
    open_model(choice, logger, |options, progress| Model::open(source, options, progress))
}

/// Opens the model that `choice` names, or else the model `id`, which a file records, without a
/// download.
pub(crate) fn recorded_model(
    id: &str,
    choice: &ModelChoice,
    logger: &Logger,
) -> Result<Model, CliError> {
    match &choice.model {
        Some(_) => model(choice, logger),
        None => open_model(choice, logger, |options, _| Model::open_recorded(id, options)),
    }
}

/// Opens a model with `open`, with the device, precision and text cleaning of `choice`.
fn open_model(
    choice: &ModelChoice,
    logger: &Logger,
    open: impl FnOnce(&Options, &mut dyn FnMut(Progress<'_>)) -> interrogate::Result<Model>,
) -> Result<Model, CliError> {
    choice.device.check()?; // before any download
    let model =
        fetching(logger, open)?.with_cleaning(choice.text_cleaning)?.with_compute(Compute {
            precision: choice.precision,
            device: choice.device,
            ..Compute::default()
        });
    if let Some(notice) = model.notice() {
        logger.note(notice);
    }
    Ok(model)
}

/// Runs `fetch` with the hub and the cache that the environment names, and shows the
/// progress of its downloads.
pub(crate) fn fetching<T, E>(
    logger: &Logger,
    fetch: impl FnOnce(&Options, &mut dyn FnMut(Progress<'_>)) -> Result<T, E>,
) -> Result<T, E> {
    let options = Options::from_vars(|name| std::env::var(name).ok());
    let mut fetching = DownloadProgress::new(logger);
    let fetched = fetch(&options, &mut |progress| fetching.update(progress));
    fetching.finish();
    fetched
}

/// Opens the index and its model. Builds the index if the model has none.
pub(crate) fn model_and_index(
    source: &Source,
    logger: &Logger,
) -> Result<(Model, Index), CliError> {
    match existing_index(source)? {
        Some(index) => {
            let model = recorded_model(&index.manifest().model().id, &source.model, logger)?;
            Ok((model, index.on(source.model.device)?))
        }
        None => {
            let model = model(&source.model, logger)?;
            let folder = Path::new(INDEXES).join(model.slug());
            let index = index_of(&model, &source.dicts, &folder, logger)?;
            Ok((model, index.on(source.model.device)?))
        }
    }
}

/// Opens the model alone: that of the index, if the options name one or there is only one.
pub(crate) fn model_without_index(source: &Source, logger: &Logger) -> Result<Model, CliError> {
    match existing_index(source)? {
        Some(index) => recorded_model(&index.manifest().model().id, &source.model, logger),
        None => model(&source.model, logger),
    }
}

/// Opens the index that the options name, or the only one if they name no model.
fn existing_index(source: &Source) -> Result<Option<Index>, CliError> {
    Ok(match (&source.index, &source.model.model) {
        (Some(folder), _) => Some(Index::open(folder)?),
        (None, Some(_)) => None,
        (None, None) => match &index_folders()?[..] {
            [] => None,
            [only] => Some(Index::open(only)?),
            several => return Err(ambiguous(several)),
        },
    })
}

/// Opens the index in `folder`, or builds it from `dicts` if it is missing or unfinished.
pub(crate) fn index_of(
    model: &Model,
    dicts: &Path,
    folder: &Path,
    logger: &Logger,
) -> Result<Index, CliError> {
    match Index::open(folder) {
        Err(interrogate::Error::Index(
            IndexError::Missing { .. } | IndexError::Unfinished { .. },
        )) => {
            build(model, dicts, folder, logger)?;
            Ok(Index::open(folder)?)
        }
        opened => Ok(opened?),
    }
}

/// Opens the index in `folder`, or else the only one under `indexes/`.
pub(crate) fn index(folder: Option<&Path>) -> Result<Index, CliError> {
    if let Some(folder) = folder {
        return Ok(Index::open(folder)?);
    }
    match &index_folders()?[..] {
        [] => Ok(Index::open(Path::new(INDEXES))?), // fails with the hint how to build one
        [only] => Ok(Index::open(only)?),
        several => Err(ambiguous(several)),
    }
}

/// Returns the folders under `indexes/` that hold an index, sorted.
fn index_folders() -> Result<Vec<PathBuf>, CliError> {
    let entries = match std::fs::read_dir(INDEXES) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(interrogate::Error::io("read", INDEXES)(error).into()),
    };
    let mut found: Vec<PathBuf> =
        entries.flatten().map(|e| e.path()).filter(|p| p.join("manifest.json").exists()).collect();
    found.sort();
    Ok(found)
}

/// Returns the subfolders of `folder`, sorted; empty if it cannot be read.
pub(crate) fn folders(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> =
        entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

fn ambiguous(several: &[PathBuf]) -> CliError {
    let names: Vec<_> = several.iter().map(|path| path.to_string_lossy()).collect();
    CliError::Arguments {
        message: format!("{INDEXES} holds {} indexes: {}", names.len(), names.join(", ")),
        hint: format!("pass --index {}, or --model", names[0]),
    }
}

fn build(model: &Model, dicts: &Path, folder: &Path, logger: &Logger) -> Result<(), CliError> {
    let dictionaries = open_all(&[dicts.to_owned()])?;
    logger.note(format_args!(
        "no index of {} yet: building {} from {}, once; the next run continues an interrupted build",
        model.id(),
        folder.display(),
        dicts.display()
    ));
    let mut meter = BuildProgress::new(logger);
    let encoder = model.text_encoder()?;
    let fingerprint = model.fingerprint()?;
    let builder =
        Builder::new(encoder.as_ref(), &model.id(), &fingerprint).precision(model.precision());
    interrupt::set_exit_message(
        "interrupted; run the same command again to continue the build".into(),
    );
    let work = interrupt::Work::begin();
    let report = builder.build(&dictionaries, folder, |progress| {
        meter.update(progress);
        if interrupt::interrupted() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    drop(work);
    meter.finish();
    logger.lines(Summary(&report?));
    Ok(())
}
