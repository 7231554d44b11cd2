//! The command line: arguments in, words on stderr and an exit code out.
//!
//! Exit codes: 0, the index stands; 2, it does not, and stderr says why; 130, stopped
//! by Ctrl-C, 143 by SIGTERM, 129 by SIGHUP: run again, the build goes on. The work is
//! the library's.

mod args;
mod export;
mod interrupt;
mod model;

use std::io::{self, IsTerminal, Write};
use std::ops::ControlFlow;
use std::process::ExitCode;

use build_index::escape::{Shown, of_panic, shown};
use build_index::meter::Meter;
use build_index::{Builder, Error, Report, Result, cache_names, open_caches, signals, talk};
use clap::Parser;
use indicatif::ProgressDrawTarget;

use args::{Args, Command, Options, Volume};
use model::{Model, Name};

/// Findings listed of one dictionary, unless all are asked for.
const FINDINGS: usize = 20;

/// Runs the command.
pub(crate) fn main() -> ExitCode {
    let mut err = Shown(io::stderr());
    std::panic::set_hook(Box::new(|info| {
        let _ = writeln!(io::stderr(), "{}", of_panic(info));
    }));
    let _ = signals::listen(interrupt::say);
    build_index::sigbus::report();
    let args = Args::try_parse().unwrap_or_else(|error| misused(&error));
    let Args { command, no_mmap, build } = args;
    if no_mmap {
        interrogate::mmap::disable();
    }
    let done = match command {
        None => build.resolve().and_then(|options| index(&options)),
        Some(Command::Import(args)) => args.resolve().and_then(|options| index(&options)),
        Some(Command::Export(args)) => export::run(&args, &mut err),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody may be listening any more: the exit code says it too.
            let _ = talk::explain(&error, error.hint().as_deref(), &mut err);
            match error {
                Error::Stopped { .. } if signals::asked() => ExitCode::from(signals::code()),
                _ => ExitCode::from(2),
            }
        }
    }
}

/// Says what is wrong with the arguments, which may hold anything.
fn misused(error: &clap::Error) -> ! {
    let words = error.to_string();
    match shown(&words) {
        harmless if harmless == words => error.exit(),
        harmless => {
            let _ = write!(io::stderr(), "{harmless}");
            #[expect(clippy::exit, reason = "nothing has begun")]
            std::process::exit(error.exit_code())
        }
    }
}

/// Builds or imports, with what a person sees of it on stderr.
fn index(options: &Options) -> Result<()> {
    let mut err = Shown(io::stderr());
    let meter = match options.volume {
        Volume::Quiet => Meter::quiet(),
        _ if io::stderr().is_terminal() => Meter::bar(ProgressDrawTarget::stderr()),
        _ => Meter::lines(io::stderr()),
    };
    let open = |name: &str| {
        model::open(Name::Typed(name), options.text_cleaning, options.compute, options.volume)
    };
    run(options, open, signals::asked, meter, &mut err).map(drop)
}

/// Lists what was found in the dictionaries, opens the model, builds, reports.
fn run(
    options: &Options,
    open: impl FnOnce(&str) -> Result<Model>,
    stop: impl Fn() -> bool,
    mut meter: Meter<'_>,
    err: &mut dyn Write,
) -> Result<Report> {
    let limit = match options.volume {
        Volume::Quiet => 0,
        Volume::Normal => FINDINGS,
        Volume::Verbose => usize::MAX,
    };
    for dictionary in &options.dictionaries {
        let _ = talk::list_findings(dictionary, limit, err);
    }
    let model = open(&options.model)?;
    let folder = options.output.join(&model.slug);
    let builder = Builder::new(model.encoder.as_ref(), &model.id, &model.fingerprint)
        .precision(options.compute.precision)
        .shard_rows(options.shard_rows);
    let progress = |progress| {
        meter.update(progress);
        if stop() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let dictionaries = &options.dictionaries;
    let _build = signals::hold();
    let built = match &options.caches {
        None => builder.build(dictionaries, &folder, progress),
        Some(caches) => {
            let names =
                caches.name.as_ref().map_or_else(|| cache_names(&model.id), |n| cache_names(n));
            let caches = open_caches(&caches.paths, dictionaries, &names)?;
            builder.import(dictionaries, &caches, &folder, progress)
        }
    };
    meter.finish();
    let report = built?;
    if options.volume != Volume::Quiet {
        let _ = writeln!(err, "{report}");
    }
    Ok(report)
}

#[cfg(test)]
mod tests;
