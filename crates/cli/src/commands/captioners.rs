//! `interrogate models --captioners`: the short names of caption models.

use interrogate::caption::NAMES;
use interrogate::models::{captioner_source, hub};
use serde::Serialize;

use crate::args::{Format, Models};
use crate::config::Config;
use crate::error::CliError;
use crate::folders;
use crate::outcome::Outcome;
use crate::output::Stdout;

/// A caption model as a JSON object.
#[derive(Serialize)]
struct Row {
    name: &'static str,
    repo: &'static str,
    /// Whether the files are in the cache.
    cached: bool,
    /// Whether it is the default of `--caption-model`.
    default: bool,
}

/// Prints a line for each caption model with a short name.
pub(super) fn run(args: &Models) -> Result<Outcome, CliError> {
    // The configuration may have the short name or the repository.
    let default = Config::open()?.caption_model;
    let default = default.and_then(|name| captioner_source(&name).ok());
    let default = default.map(|source| source.to_string());
    let mut output = Stdout::new();
    let width = NAMES.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, repo) in NAMES {
        let (cached, default) = (is_cached(repo, None), default.as_deref() == Some(repo));
        if args.local && !cached {
            continue;
        }
        if args.format.or(Format::Text) == Format::Jsonl {
            output.json(&Row { name, repo, cached, default })?;
            continue;
        }
        let marks = [(cached, "cached"), (default, "default")];
        let marks: Vec<&str> = marks.iter().filter(|(is, _)| *is).map(|(_, mark)| *mark).collect();
        output.line(format!("{name:width$}  {repo}  {}", marks.join(", ")).trim_end())?;
    }
    Ok(Outcome::default())
}

/// Whether the files of a captioner are in the cache. Sends no request.
pub(super) fn is_cached(repo: &str, revision: Option<&str>) -> bool {
    let offline = folders::options().recorded();
    hub::fetch(repo, revision, &offline, &mut |_| {}).is_ok()
}
