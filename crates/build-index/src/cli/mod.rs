//! The command line: arguments in, messages on stderr and an exit code out.
//!
//! Exit codes: 0, success; 2, an error; 130, 143 or 129, stopped by SIGINT (Ctrl-C),
//! SIGTERM or SIGHUP: the same command continues the build.

mod args;
mod export;
mod hint;
mod merge;
mod model;

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::process::ExitCode;

use build_index::terminal::interrupt::Messages;
use build_index::terminal::signals::{self, Work};
use build_index::terminal::{
    self, BuildProgress, Logger, PartSummary, Summary, log_findings, write_man_pages,
};
use build_index::{
    Builder, Error, PartNumber, PartReport, Progress, Report, Result, cache_names, open_caches,
};
use clap::CommandFactory;
use clap_complete::Shell;

use args::{Args, Command, Options, Verbosity};
use model::{Model, ModelName};

/// Findings of one dictionary that are listed by default.
const FINDINGS: usize = 20;

/// What is printed when a signal comes.
const MESSAGES: Messages = Messages {
    stopping: "stopping after the current block; interrupt again to stop now (the block is lost)",
    exiting: "stopped within a block; run the same command again; encoded rows are kept",
};

/// Runs the command.
pub(crate) fn main() -> ExitCode {
    terminal::init(MESSAGES);
    let Args { command, no_mmap, build } = terminal::args::parse();
    if no_mmap {
        interrogate::mmap::disable();
    }
    let result = match command {
        None => build.resolve().and_then(|options| index(&options)),
        Some(Command::Merge(args)) => merge::run(&args, signals::interrupted),
        Some(Command::Import(args)) => args.resolve().and_then(|options| index(&options)),
        Some(Command::Export(args)) => export::run(&args),
        Some(Command::Completions { shell }) => completions(shell),
        Some(Command::Man { out }) => write_man_pages(Args::command(), &out).map_err(Error::from),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            Logger::new(false).error(&error, hint::hint(&error));
            match error {
                Error::Stopped { .. } if signals::interrupted() => {
                    ExitCode::from(signals::exit_code())
                }
                _ => ExitCode::from(2),
            }
        }
    }
}

/// Prints the completion script of `shell`.
fn completions(shell: Shell) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "build-index", &mut script);
    let written = io::stdout().write_all(&script);
    Ok(written.map_err(interrogate::Error::io("write", "stdout"))?)
}

/// Builds or imports, with messages on stderr.
fn index(options: &Options) -> Result<()> {
    let logger = Logger::new(options.verbosity == Verbosity::Quiet);
    let open = |name: &str| {
        model::open(ModelName::Typed(name), options.text_cleaning, options.compute, &logger)
    };
    match options.part {
        None => run(options, open, signals::interrupted, &logger).map(drop),
        Some(part) => run_part(options, part, open, signals::interrupted, &logger).map(drop),
    }
}

/// Builds or imports, and logs the report.
fn run(
    options: &Options,
    open: impl FnOnce(&str) -> Result<Model>,
    stop: impl Fn() -> bool,
    logger: &Logger,
) -> Result<Report> {
    let dictionaries = &options.dictionaries;
    let report = with_builder(options, open, stop, logger, |builder, model, progress| {
        let folder = options.output.join(&model.slug);
        match &options.import {
            None => builder.build(dictionaries, &folder, progress),
            Some(import) => {
                let name = import.name.as_ref().unwrap_or(&model.id);
                let caches = open_caches(&import.paths, dictionaries, &cache_names(name))?;
                builder.import(dictionaries, &caches, &folder, progress)
            }
        }
    })?;
    logger.lines(Summary(&report));
    Ok(report)
}

/// Encodes a part, and logs the report.
fn run_part(
    options: &Options,
    part: PartNumber,
    open: impl FnOnce(&str) -> Result<Model>,
    stop: impl Fn() -> bool,
    logger: &Logger,
) -> Result<PartReport> {
    let (dictionaries, parts) = (&options.dictionaries, &options.output);
    let report = with_builder(options, open, stop, logger, |builder, model, progress| {
        builder.build_part(dictionaries, part, &model.slug, parts, progress)
    })?;
    logger.lines(PartSummary(&report));
    Ok(report)
}

/// Lists the findings of the dictionaries, opens the model, and calls `build`, whose progress
/// is shown.
fn with_builder<T>(
    options: &Options,
    open: impl FnOnce(&str) -> Result<Model>,
    stop: impl Fn() -> bool,
    logger: &Logger,
    build: impl FnOnce(Builder<'_>, &Model, &mut dyn FnMut(Progress) -> ControlFlow<()>) -> Result<T>,
) -> Result<T> {
    let limit = match options.verbosity {
        Verbosity::Quiet => 0,
        Verbosity::Normal => FINDINGS,
        Verbosity::Verbose => usize::MAX,
    };
    for dictionary in &options.dictionaries {
        log_findings(dictionary, limit, logger);
    }
    let model = open(&options.model)?;
    let builder = Builder::new(model.encoder.as_ref(), &model.id, &model.fingerprint)
        .precision(model.precision)
        .shard_rows(options.shard_rows);
    with_progress(stop, logger, |progress| build(builder, &model, progress))
}

/// Calls `build`, and shows its progress.
fn with_progress<T>(
    stop: impl Fn() -> bool,
    logger: &Logger,
    build: impl FnOnce(&mut dyn FnMut(Progress) -> ControlFlow<()>) -> Result<T>,
) -> Result<T> {
    let mut shown = BuildProgress::new(logger);
    let mut progress = |progress| {
        shown.update(progress);
        if stop() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let _work = Work::begin();
    let built = build(&mut progress);
    shown.finish();
    built
}

#[cfg(test)]
mod tests;
