//! Panic messages.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, Write};
use std::panic::{self, PanicHookInfo};

use super::escape;

/// Sets a panic hook that escapes the message, which may quote what was read.
pub(super) fn escape_messages() {
    panic::set_hook(Box::new(|info| {
        let _ = writeln!(io::stderr(), "{}", message(info));
    }));
}

/// The panic's message, with a backtrace where `RUST_BACKTRACE` asks for one.
fn message(info: &PanicHookInfo<'_>) -> String {
    let trace = Backtrace::capture();
    match trace.status() {
        BacktraceStatus::Captured => escape::text(&format!("{info}\n{trace}")),
        _ => escape::text(&info.to_string()),
    }
}
