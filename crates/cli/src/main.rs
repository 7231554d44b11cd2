//! `interrogate`: what does this image look like, in words?
//!
//! Thin: arguments in, library calls, lines out. Data goes to stdout, logger to
//! stderr. Exit codes: 0 all well, 1 some images failed, 2 nothing could be done; 130
//! stopped by Ctrl-C, 143 by SIGTERM, 129 by SIGHUP, what was answered being written;
//! 135 (Linux) where another program truncated a file that was mapped.

mod args;
mod captions;
mod commands;
mod doctor;
mod fault;
mod file_id;
mod files;
mod image_name;
mod interrupt;
mod logger;
mod opening;
mod output;
mod progress;
mod prompt_file;
mod report;
mod rows;
mod run;
mod sink;
mod source;
mod stream;

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    logger::show_panics();
    // Where no handler can be set, a signal does what it did: what was written stands.
    let _ = interrupt::listen(interrupt::say);
    build_index::sigbus::report();
    let args = args::parse().unwrap_or_else(|error| logger::misused(&error));
    if args.no_mmap {
        interrogate::mmap::disable();
    }
    let logger = logger::Logger::new(args.quiet);
    match commands::run(args.command, &logger) {
        Ok(outcome) => outcome.code(),
        Err(fault) => fault.report(&logger),
    }
}
