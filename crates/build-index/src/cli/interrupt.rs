//! Ctrl-C: the first asks the build to stop after the block in hand, the second
//! ends the process. Neither loses a block that was encoded.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

static ASKED: AtomicBool = AtomicBool::new(false);

/// Listens for Ctrl-C, SIGTERM and SIGHUP from now on.
pub(crate) fn listen() {
    // Where no handler can be set, the signal ends the process at once, and the
    // journal keeps what was encoded all the same.
    let _ = ctrlc::set_handler(|| {
        if ASKED.swap(true, Ordering::Relaxed) {
            #[expect(clippy::exit, reason = "asked twice; the journal is whole at any moment")]
            std::process::exit(2);
        }
        let _ = writeln!(
            io::stderr(),
            "stopping after the block in hand; once more to stop at once (that block is lost)"
        );
    });
}

/// Whether the build is asked to stop.
pub(crate) fn asked() -> bool {
    ASKED.load(Ordering::Relaxed)
}
