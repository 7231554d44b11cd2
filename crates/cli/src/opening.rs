//! Which model and which index are meant, and the index built where there is
//! none yet.

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

/// Where indexes are looked for.
pub(crate) const INDEXES: &str = "indexes";

/// The model where none is named.
const DEFAULT_MODEL: &str = "starter";

/// The model that was named, or the starter.
pub(crate) fn model(choice: &ModelChoice, logger: &Logger) -> Result<Model, CliError> {
    let source: ModelSource = choice.model.as_deref().unwrap_or(DEFAULT_MODEL).parse()?;
    computing(choice, logger, |options, progress| Model::open(source, options, progress))
}

/// The model that was named, or the one that `index` names, which is not downloaded.
fn model_of(index: &Index, choice: &ModelChoice, logger: &Logger) -> Result<Model, CliError> {
    match &choice.model {
        Some(_) => model(choice, logger),
        None => {
            let id = &index.manifest().model().id;
            computing(choice, logger, |options, _| Model::open_recorded(id, options))
        }
    }
}

/// What `open` opens, to be run as `choice` says.
fn computing(
    choice: &ModelChoice,
    logger: &Logger,
    open: impl FnOnce(&Options, &mut dyn FnMut(Progress<'_>)) -> interrogate::Result<Model>,
) -> Result<Model, CliError> {
    choice.device.check()?; // before anything is fetched
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

/// Runs `fetch` with the hub and cache that the environment names, and shows how
/// far its downloads have come.
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

/// The index and its model. Where none stands for the model, it is built first.
pub(crate) fn model_and_index(
    source: &Source,
    logger: &Logger,
) -> Result<(Model, Index), CliError> {
    let named = match (&source.index, &source.model.model) {
        (Some(folder), _) => Some(Index::open(folder)?),
        (None, Some(_)) => None,
        (None, None) => match &standing()?[..] {
            [] => None,
            [only] => Some(Index::open(only)?),
            several => return Err(which(several)),
        },
    };
    match named {
        Some(index) => {
            let model = model_of(&index, &source.model, logger)?;
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

/// The index in `folder`; where there is none, it is built of `dicts` first.
pub(crate) fn index_of(
    model: &Model,
    dicts: &Path,
    folder: &Path,
    logger: &Logger,
) -> Result<Index, CliError> {
    match Index::open(folder) {
        Err(
            interrogate::Error::Index(IndexError::Missing { .. })
            | interrogate::Error::Index(IndexError::Unfinished { .. }),
        ) => {
            build(model, dicts, folder, logger)?;
            Ok(Index::open(folder)?)
        }
        opened => Ok(opened?),
    }
}

/// The index in `folder`, or the only one there is.
pub(crate) fn index(folder: Option<&Path>) -> Result<Index, CliError> {
    if let Some(folder) = folder {
        return Ok(Index::open(folder)?);
    }
    match &standing()?[..] {
        [] => Ok(Index::open(Path::new(INDEXES))?), // which says that there is none
        [only] => Ok(Index::open(only)?),
        several => Err(which(several)),
    }
}

/// The folders under `indexes/` that hold an index, sorted.
fn standing() -> Result<Vec<PathBuf>, CliError> {
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

/// The folders in `folder`, sorted; none where it cannot be read.
pub(crate) fn folders(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> =
        entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

fn which(several: &[PathBuf]) -> CliError {
    let names: Vec<_> = several.iter().map(|path| path.to_string_lossy()).collect();
    CliError::Ambiguous {
        message: format!("{} indexes stand under {INDEXES}: {}", names.len(), names.join(", ")),
        hint: format!("say which: --index {}, or --model", names[0]),
    }
}

fn build(model: &Model, dicts: &Path, folder: &Path, logger: &Logger) -> Result<(), CliError> {
    let dictionaries = open_all(&[dicts.to_owned()])?;
    logger.note(format_args!(
        "no index of {} yet: building {} from {}, once; interrupted, it goes on at the next run",
        model.id(),
        folder.display(),
        dicts.display()
    ));
    let mut meter = BuildProgress::new(logger);
    let encoder = model.text_encoder()?;
    let fingerprint = model.fingerprint()?;
    let builder = Builder::new(encoder.as_ref(), &model.id(), &fingerprint)
        .precision(model.compute().precision);
    interrupt::set_exit_message(
        "interrupted; run the same command again, the build goes on".into(),
    );
    let in_hand = interrupt::Work::begin();
    let report = builder.build(&dictionaries, folder, |progress| {
        meter.update(progress);
        if interrupt::interrupted() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    drop(in_hand);
    meter.finish();
    logger.lines(Summary(&report?));
    Ok(())
}
