//! What both programs share at the terminal: messages on stderr, progress, arguments
//! and signals.
//!
//! Behind the feature `terminal`. The rest of the library does not use this module: it
//! prints nothing, and progress and cancellation are callbacks.

pub mod args;
mod build_progress;
mod device;
mod dictionaries;
mod download_progress;
pub mod escape;
mod findings;
pub mod format;
mod hint;
pub mod interrupt;
pub mod logger;
mod man;
mod panics;
mod sigbus;
pub mod signals;
mod summary;
pub mod version;

pub use build_progress::BuildProgress;
pub use device::DeviceChoice;
pub use dictionaries::Dictionaries;
pub use download_progress::DownloadProgress;
pub use findings::log_findings;
pub use hint::{build_hint, library_hint};
pub use logger::Logger;
pub use man::write_man_pages;
pub use sigbus::report_sigbus;
pub use summary::{PartSummary, Summary};

/// Sets the process's handlers: panic messages are escaped, SIGBUS names the truncated
/// file, and signals end the process as [`signals`] describes, with `messages`. Where a
/// handler cannot be set, the system's default stays.
pub fn init(messages: interrupt::Messages) {
    panics::escape_messages();
    let _ = interrupt::listen(messages);
    report_sigbus();
}
