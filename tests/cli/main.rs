//! End-to-end tests of `interrogate`: its output, its streams and its exit codes.

#![allow(clippy::unwrap_used, reason = "a failed test panics")]

mod analyze;
mod archives;
mod caption;
mod cases;
mod collisions;
#[cfg(unix)]
#[path = "../default_signals.rs"]
mod default_signals;
mod device;
mod embed;
mod execute;
mod execute_arguments;
#[path = "../index/fake.rs"]
#[allow(dead_code, reason = "the tests of the index use more of it")]
mod fake;
#[cfg(unix)]
mod first_run;
mod home;
#[cfg(unix)]
mod hostile;
mod index;
mod inputs;
mod offline;
mod outputs;
mod partitions;
mod probabilities;
mod prompt;
mod prompts;
mod query;
mod rank;
mod report;
mod resume;
mod run;
mod search;
mod setup;
mod shards;
mod shell;
mod sidecar;
#[cfg(target_os = "linux")]
mod signals;
#[cfg(unix)]
mod streams;
#[path = "../../crates/interrogate/src/models/hub/tests/stub_hub.rs"]
#[allow(dead_code, reason = "the tests of the library use more of it")]
mod stub_hub;
mod tag;
#[cfg(unix)]
mod terminal;
mod urls;
mod usage;
#[path = "../user_folders.rs"]
mod user_folders;
mod wording;
