//! `build-index merge`: makes an index of the parts of a build.

use build_index::terminal::{Dictionaries, Logger, Summary};
use build_index::{Part, Result, open_parts};

use super::{args, with_progress};

/// Merges the parts, and logs the report.
pub(super) fn run(args: &args::Merge, stop: impl Fn() -> bool) -> Result<()> {
    let logger = Logger::new(args.quiet);
    let parts = open_parts(&args.parts)?;
    let dictionaries = Dictionaries::find(&args.dicts).open()?;
    let folder = args.output.join(parts.first().map_or("", Part::name));
    let report = with_progress(stop, &logger, |progress| {
        build_index::merge(&parts, &dictionaries, &folder, progress)
    })?;
    logger.lines(Summary(&report));
    Ok(())
}
