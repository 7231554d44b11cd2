//! `interrogate setup`: downloads models, builds the index, and makes them the defaults.

mod confirm;
mod download;

use std::path::Path;

use build_index::durable::{self, Draft};
use build_index::terminal::Dictionaries;
use interrogate::clip::TextCleaning;
use interrogate::models::{ModelSource, captioner_source, hub};

use crate::args::{self, ModelChoice};
use crate::config::Config;
use crate::doctor;
use crate::error::CliError;
use crate::indexes;
use crate::logger::Logger;
use crate::opening;
use crate::outcome::Outcome;
use confirm::confirm;
use download::Download;

/// Downloads what is missing, builds the index, and writes the defaults. Each step is skipped
/// that an interrupted run has finished.
pub(crate) fn run(args: &args::Setup, logger: &Logger) -> Result<Outcome, CliError> {
    args.device.resolve(logger).check()?;
    let model = args.model.as_deref().map(str::parse::<ModelSource>).transpose()?;
    let captioner = args.caption_model.as_deref().map(captioner_source).transpose()?;
    let dicts = Dictionaries::find(args.dicts.as_slice());
    // What would fail at the end fails before a download.
    Config::open()?;
    check_writable(durable::folder_of(&Config::path()?))?;
    let clip_name = model.as_ref().map(name_of).transpose()?;
    let caption_name = captioner.as_ref().map(name_of).transpose()?;
    if model.is_some() {
        dicts.open()?;
        check_writable(&indexes::place()?)?;
    }
    if let Some(ModelSource::Folder(folder)) = &captioner {
        doctor::check_captioner(folder)?;
    }
    let downloads = [
        model.as_ref().and_then(Download::of_clip),
        captioner.as_ref().and_then(Download::of_captioner),
    ];
    confirm(&downloads.into_iter().flatten().collect::<Vec<_>>(), args.yes, logger)?;

    let open = match &clip_name {
        Some(name) => Some(opening::model(&choice(name, args), logger)?),
        None => None,
    };
    if let Some(ModelSource::Hub { repo, revision }) = &captioner {
        let folder = opening::fetching(logger, |options, progress| {
            hub::fetch(repo, revision.as_deref(), options, progress)
        })?;
        doctor::check_captioner(&folder)?;
    }
    if let Some(model) = &open {
        let folder = indexes::of_model(&model.slug())?;
        let index = opening::index_of(model, &dicts, &folder, logger)?;
        model.check(&index)?;
        logger.note(format_args!("index: {}", folder.display()));
    }
    let config = Config { model: clip_name, caption_model: caption_name };
    let path = config.save()?;
    for (key, value) in config.values() {
        value.inspect(|value| logger.note(format_args!("default {key}: {value}")));
    }
    logger.note(format_args!("configuration: {}", path.display()));
    Ok(Outcome::default())
}

/// Returns the options with which a later command opens the model.
fn choice(name: &str, args: &args::Setup) -> ModelChoice {
    ModelChoice {
        model: Some(name.to_owned()),
        text_cleaning: TextCleaning::default(),
        precision: None,
        device: args.device,
    }
}

/// Returns the name of a model in the configuration. Paths are absolute: the configuration
/// holds in every working folder.
fn name_of(source: &ModelSource) -> Result<String, CliError> {
    let (ModelSource::Folder(path) | ModelSource::File(path)) = source else {
        return Ok(source.to_string());
    };
    // A symbolic link is not resolved: it may point to another model later.
    let absolute = std::path::absolute(path).map_err(interrogate::Error::io("open", path))?;
    let name = absolute.to_str().map(str::to_owned);
    name.ok_or_else(|| CliError::Arguments {
        message: format!("{}: the path is not UTF-8", absolute.display()),
        hint: "rename the folder".to_owned(),
    })
}

/// Creates `folder` and a file in it, which is removed.
fn check_writable(folder: &Path) -> Result<(), CliError> {
    durable::create_folder(folder)?;
    Ok(Draft::create(folder).map(drop)?)
}
