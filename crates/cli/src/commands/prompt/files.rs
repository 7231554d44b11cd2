//! The files of the command besides images and results.

use crate::args;
use crate::files::Files;

/// Returns the files that the options name, to be checked for collisions.
pub(super) fn files(args: &args::Prompt) -> Files {
    let mut files = Files::default().source(&args.source).model(args.caption_model.as_deref());
    if let Some(path) = &args.control.deny {
        files = files.reading(path, "the deny list");
    }
    for list in &args.control.list {
        files = files.reading(&list.path, "a list of labels");
    }
    match &args.report {
        Some(path) => files.writing(path, "the report"),
        None => files,
    }
}
