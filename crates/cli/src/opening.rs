//! Opens the model and the index that the options name, and builds a missing index.

use std::path::{Path, PathBuf};

use build_index::Builder;
use build_index::terminal::{BuildProgress, Dictionaries, DownloadProgress, Summary};
use interrogate::error::IndexError;
use interrogate::index::Index;
use interrogate::models::{Model, ModelSource, Options, Progress};
use interrogate::{Compute, Device};

use crate::args::{ModelChoice, Source};
use crate::error::CliError;
use crate::folders;
use crate::indexes;
use crate::interrupt;
use crate::logger::Logger;

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
    let device = choice.device.resolve(logger);
    device.check()?; // before any download
    let model = fetching(logger, open)?
        .with_cleaning(choice.text_cleaning)?
        .with_compute(Compute { precision: choice.precision, device, ..Compute::default() });
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
    let options = folders::options();
    let mut fetching = DownloadProgress::new(logger);
    let fetched = fetch(&options, &mut |progress| fetching.update(progress));
    fetching.finish();
    fetched
}

/// A model with its index, or with all that a build of it needs.
pub(crate) enum Opened {
    Index(Model, Index),
    Unbuilt(Unbuilt),
}

/// A model whose index is missing or unfinished.
pub(crate) struct Unbuilt {
    pub(crate) model: Model,
    pub(crate) dicts: Dictionaries,
    folder: PathBuf,
    device: Device,
}

impl Unbuilt {
    /// Builds the index, or continues an interrupted build, and opens it.
    pub(crate) fn build(self, logger: &Logger) -> Result<(Model, Index), CliError> {
        let index = build(&self.model, &self.dicts, &self.folder, logger)?;
        Ok((self.model, index.on(self.device)?))
    }
}

/// Opens the index and its model. Builds the index if the model has none.
pub(crate) fn model_and_index(
    source: &Source,
    logger: &Logger,
) -> Result<(Model, Index), CliError> {
    match find(source, logger)? {
        Opened::Index(model, index) => Ok((model, index)),
        Opened::Unbuilt(unbuilt) => unbuilt.build(logger),
    }
}

/// Opens the model, and its index if there is one.
pub(crate) fn find(source: &Source, logger: &Logger) -> Result<Opened, CliError> {
    let device = source.model.device.resolve(logger);
    if let Some(index) = existing_index(source)? {
        let model = recorded_model(&index.manifest().model().id, &source.model, logger)?;
        return Ok(Opened::Index(model, index.on(device)?));
    }
    let model = model(&source.model, logger)?;
    let folder = indexes::of_model(&model.slug())?;
    match existing(&folder)? {
        Some(index) => Ok(Opened::Index(model, index.on(device)?)),
        None => {
            let dicts = Dictionaries::find(source.dicts.as_slice());
            Ok(Opened::Unbuilt(Unbuilt { model, dicts, folder, device }))
        }
    }
}

/// Opens the indexes that the options name after the first, which is `first`.
pub(crate) fn more_indexes(
    source: &Source,
    first: &Index,
    device: Device,
) -> Result<Vec<Index>, CliError> {
    let built_with = first.manifest().model();
    let open = |folder: &PathBuf| {
        let index = Index::open(folder)?;
        index.check_model(&built_with.id, &built_with.fingerprint)?;
        Ok(index.on(device)?)
    };
    source.index.iter().skip(1).map(open).collect()
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
    Ok(match (source.index.first(), &source.model.model) {
        (Some(folder), _) => Some(Index::open(folder)?),
        (None, Some(_)) => None,
        (None, None) => indexes::only()?.map(|only| Index::open(&only)).transpose()?,
    })
}

/// Opens the index in `folder`, or builds it from `dicts` if it is missing or unfinished.
pub(crate) fn index_of(
    model: &Model,
    dicts: &Dictionaries,
    folder: &Path,
    logger: &Logger,
) -> Result<Index, CliError> {
    match existing(folder)? {
        Some(index) => Ok(index),
        None => build(model, dicts, folder, logger),
    }
}

/// Opens the index in `folder`; `None` if it is missing or unfinished.
fn existing(folder: &Path) -> Result<Option<Index>, CliError> {
    match Index::open(folder) {
        Err(interrogate::Error::Index(
            IndexError::Missing { .. } | IndexError::Unfinished { .. },
        )) => Ok(None),
        opened => Ok(Some(opened?)),
    }
}

/// Builds the index in `folder`, or continues an interrupted build, and opens it.
fn build(
    model: &Model,
    dicts: &Dictionaries,
    folder: &Path,
    logger: &Logger,
) -> Result<Index, CliError> {
    let dictionaries = dicts.open()?;
    logger.note(format_args!(
        "no index of {} yet: building {} from {dicts}, once; the next run continues an interrupted build",
        model.id(),
        folder.display()
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
        interrupt::control_flow()
    });
    drop(work);
    meter.finish();
    logger.lines(Summary(&report?));
    Ok(Index::open(folder)?)
}
