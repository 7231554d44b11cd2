//! The signal actions of the programs that tests start.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// Restores the default actions of SIGHUP, SIGINT and SIGTERM in the programs that this process
/// starts from now on. A shell's `&` and `nohup` start the tests with signals ignored, which
/// programs inherit; a signal with a handler has its default action in them.
pub(crate) fn restore() {
    for signal in [SIGHUP, SIGINT, SIGTERM] {
        let always = Arc::new(AtomicBool::new(true));
        signal_hook::flag::register_conditional_shutdown(signal, 128 + signal, always).unwrap();
    }
}
