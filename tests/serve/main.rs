//! End-to-end tests of `interrogate serve`, over HTTP.

#![allow(clippy::unwrap_used, reason = "a failed test panics")]

mod access;
mod batches;
mod body;
mod captions;
mod chains;
mod client;
mod compatible;
#[cfg(unix)]
#[path = "../default_signals.rs"]
mod default_signals;
#[cfg(unix)]
mod end;
mod http;
mod images;
mod input;
mod limits;
mod log;
mod page;
mod rows;
#[path = "../cli/run.rs"]
mod run;
mod server;
mod slow;
#[path = "../user_folders.rs"]
mod user_folders;
