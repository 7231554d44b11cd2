//! `interrogate models`: the known models, those in the cache, and those with an index.

use std::collections::BTreeMap;
use std::path::PathBuf;

use build_index::terminal::format::bytes;
use interrogate::index::Index;
use interrogate::models::{HAS_STARTER, KnownModel, ModelSource, hub, known};
use serde::Serialize;

use super::captioners;
use crate::args::{Format, Models};
use crate::config::Config;
use crate::error::CliError;
use crate::outcome::Outcome;
use crate::output::Stdout;
use crate::{folders, indexes};

/// A model as a JSON object. What is not known is null.
#[derive(Serialize)]
struct Row<'a> {
    name: &'a str,
    repo: Option<&'a str>,
    /// The hub's short name of the license; null if it was not verified.
    license: Option<&'a str>,
    dim: Option<usize>,
    image_size: Option<usize>,
    parameters: Option<u64>,
    /// The size of the weights in f32.
    bytes: Option<u64>,
    /// Whether the files are in the cache, or compiled in.
    cached: bool,
    /// The folder of the model's index.
    index: Option<PathBuf>,
    /// Whether it is the default of `--model`.
    default: bool,
}

/// Prints a line for each model, sorted by name: first those of open_clip, then other models
/// that have an index.
pub(crate) fn run(args: &Models) -> Result<Outcome, CliError> {
    if args.captioners {
        return captioners::run(args);
    }
    let options = folders::options();
    // As indexes and the table name it.
    let default = Config::open()?.model;
    let default = default.map(|name| name.parse().map_or(name, |it: ModelSource| it.to_string()));
    let mut built = built()?;
    let mut rows: Vec<Row<'_>> = Vec::with_capacity(known().len());
    for model in known() {
        rows.push(Row {
            cached: hub::cached_clip(model.repo, None, &options).is_some(),
            index: built.get(model.repo).cloned(),
            default: default.as_deref() == Some(model.repo),
            ..row(model)
        });
    }
    built.retain(|id, _| known().iter().all(|model| model.repo != *id));
    if HAS_STARTER {
        built.entry("starter".to_owned()).or_default();
    }
    for (id, index) in &built {
        let is_default = default.as_ref().map_or(id == "starter", |name| name == id);
        let (index, cached) =
            (Some(index.clone()).filter(|it| *it != PathBuf::new()), is_cached(id));
        rows.push(Row { index, cached, default: is_default, ..unknown(id) });
    }
    rows.retain(|row| !args.local || row.cached || row.index.is_some());
    print(&rows, args.format.or(Format::Text))?;
    Ok(Outcome::default())
}

/// Returns the folder of each model's index, by the model's name. Of several, the one that a
/// command would use.
fn built() -> Result<BTreeMap<String, PathBuf>, CliError> {
    let mut found = BTreeMap::new();
    for folder in indexes::all()? {
        // `doctor` reports damaged indexes.
        if let Ok(index) = Index::open(&folder) {
            found.entry(index.manifest().model().id.clone()).or_insert(folder);
        }
    }
    Ok(found)
}

fn row(model: &'static KnownModel) -> Row<'static> {
    Row {
        repo: Some(model.repo),
        license: model.license,
        dim: Some(model.dim),
        image_size: Some(model.image_size),
        parameters: Some(model.parameters),
        bytes: Some(model.bytes()),
        ..unknown(model.name)
    }
}

fn unknown(name: &str) -> Row<'_> {
    Row {
        name,
        repo: None,
        license: None,
        dim: None,
        image_size: None,
        parameters: None,
        bytes: None,
        cached: false,
        index: None,
        default: false,
    }
}

/// Whether the files of a model that is not in the table are here.
fn is_cached(id: &str) -> bool {
    match id.parse() {
        Ok(ModelSource::Starter) => HAS_STARTER,
        Ok(ModelSource::Folder(_) | ModelSource::File(_)) => true,
        Ok(ModelSource::Hub { repo, revision }) => {
            hub::cached_clip(&repo, revision.as_deref(), &folders::options()).is_some()
        }
        Err(_) => false,
    }
}

fn print(rows: &[Row<'_>], format: Format) -> Result<(), CliError> {
    let mut output = Stdout::new();
    if format == Format::Jsonl {
        for row in rows {
            output.json(row)?;
        }
        return Ok(());
    }
    let width = |text: fn(&Row<'_>) -> usize| rows.iter().map(text).max().unwrap_or(0);
    let name_width = width(|row| row.name.chars().count());
    let license_width = width(|row| license(row).len());
    for row in rows {
        let size = row.bytes.map(bytes).unwrap_or_default();
        let marks =
            [(row.cached, "cached"), (row.index.is_some(), "indexed"), (row.default, "default")];
        let marks: Vec<&str> = marks.iter().filter(|(is, _)| *is).map(|(_, mark)| *mark).collect();
        let (name, license) = (row.name, license(row));
        let line = format!(
            "{name:name_width$}  {license:license_width$}  {size:>8}  {}",
            marks.join(", ")
        );
        output.line(line.trim_end())?;
    }
    Ok(())
}

fn license<'a>(row: &Row<'a>) -> &'a str {
    match (row.license, row.repo) {
        (Some(license), _) => license,
        (None, Some(_)) => "license not verified",
        (None, None) => "",
    }
}
