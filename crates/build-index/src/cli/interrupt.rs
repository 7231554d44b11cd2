//! The message when a build is asked to stop.

use std::io::{self, Write};

use build_index::signals::Moment;

/// Says what becomes of the build.
pub(crate) fn say(moment: Moment) {
    let words = match moment {
        Moment::Asked => {
            "stopping after the block in hand; once more to stop at once (that block is lost)"
        }
        Moment::Cut => {
            "stopped within a block; run the same command again; it goes on where it stopped"
        }
    };
    let _ = writeln!(io::stderr(), "{words}");
}
