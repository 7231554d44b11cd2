//! The command line: arguments in, messages on stderr and an exit code out.
//!
//! Exit codes: 0, success; 2, an error; 130, 143 or 129, stopped by SIGINT (Ctrl-C),
//! SIGTERM or SIGHUP: the same command continues the build.

mod args;
mod export;
mod hint;
mod model;

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::process::ExitCode;

use build_index::terminal::interrupt::Messages;
use build_index::terminal::signals::{self, Work};
use build_index::terminal::{self, BuildProgress, Logger, Summary, log_findings, write_man_pages};
use build_index::{Builder, Error, Report, Result, cache_names, open_caches};
use clap::CommandFactory;
use clap_complete::Shell;

use args::{Args, Command, Options, Verbosity};
use model::{Model, ModelName};

/// Findings of one dictionary that are listed by default.
const FINDINGS: usize = 20;

/// What is printed when a signal comes.
const MESSAGES: Messages = Messages {
    stopping: "stopping after the current block; interrupt again to stop now (the block is lost)",
    exiting: "stopped within a block; run the same command again; it resumes where it stopped",
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
    run(options, open, signals::interrupted, &logger).map(drop)
}

/// Lists the findings of the dictionaries, opens the model, builds, and logs the report.
fn run(
    options: &Options,
    open: impl FnOnce(&str) -> Result<Model>,
    stop: impl Fn() -> bool,
    logger: &Logger,
) -> Result<Report> {
    let limit = match options.verbosity {
        Verbosity::Quiet => 0,
        Verbosity::Normal => FINDINGS,
        Verbosity::Verbose => usize::MAX,
    };
    for dictionary in &options.dictionaries {
        log_findings(dictionary, limit, logger);
    }
    let model = open(&options.model)?;
    let folder = options.output.join(&model.slug);
    let builder = Builder::new(model.encoder.as_ref(), &model.id, &model.fingerprint)
        .precision(model.precision)
        .shard_rows(options.shard_rows);
    let mut shown = BuildProgress::new(logger);
    let progress = |progress| {
        shown.update(progress);
        if stop() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let dictionaries = &options.dictionaries;
    let _work = Work::begin();
    let report = match &options.import {
        None => builder.build(dictionaries, &folder, progress),
        Some(import) => {
            let name = import.name.as_ref().unwrap_or(&model.id);
            let caches = open_caches(&import.paths, dictionaries, &cache_names(name))?;
            builder.import(dictionaries, &caches, &folder, progress)
        }
    };
    shown.finish();
    let report = report?;
    logger.lines(Summary(&report));
    Ok(report)
}

#[cfg(test)]
mod tests;
