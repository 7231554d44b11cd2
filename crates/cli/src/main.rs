//! `interrogate`: what does this image look like, in words?
//!
//! Parses the arguments and runs the command. Data goes to stdout, messages go to stderr.
//!
//! Exit codes: 0, success; 1, some images failed; 2, an error, or all images failed; 130,
//! 143 or 129, stopped by SIGINT (Ctrl-C), SIGTERM or SIGHUP, with the results so far
//! written; 135, another program truncated a mapped file (Linux).

mod args;
mod captions;
mod commands;
mod config;
mod doctor;
mod error;
mod fields;
mod file_id;
mod files;
mod folders;
mod image_name;
mod indexes;
mod interrupt;
mod nearest;
mod opening;
mod outcome;
mod output;
mod progress;
mod prompt_file;
mod records;
mod report;
mod run;
mod shards;
mod source;
mod stream;

use std::process::ExitCode;

use build_index::terminal::{self, escape, logger};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    terminal::init(interrupt::MESSAGES);
    let args = args::parse().unwrap_or_else(|error| terminal::args::exit(&error));
    if args.no_mmap {
        interrogate::mmap::disable();
    }
    let logger = logger::Logger::new(args.quiet);
    match commands::run(args.command, &logger) {
        Ok(outcome) => outcome.code(),
        Err(fault) => fault.report(&logger),
    }
}
