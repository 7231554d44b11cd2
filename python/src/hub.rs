//! The options of downloads, from the environment and from arguments.

use std::path::PathBuf;

use interrogate::models::{Options, Progress as Download};
use pyo3::prelude::*;

use crate::progress::Progress;
use crate::work::Interrupt;

/// Returns the options that the environment gives, with the cache `cache` if it is given, and
/// the starter's folder if its package is installed.
pub(crate) fn options(py: Python<'_>, cache: Option<PathBuf>) -> Options {
    let mut options = Options::from_vars(|name| std::env::var(name).ok());
    if let Some(cache) = cache {
        options.cache = cache;
    }
    let _starter: Option<PathBuf> = py
        .import("interrogate_clip_starter")
        .and_then(|package| package.call_method0("folder"))
        .and_then(|folder| folder.extract())
        .ok();
    options
}

/// Returns a function that reports a download. It cannot stop the download; an exception of the
/// callback is raised when the download ends.
pub(crate) fn reporter<'a>(
    interrupt: &'a mut Interrupt,
    progress: &'a Progress,
) -> impl FnMut(Download<'_>) + 'a {
    move |download| {
        let _ = interrupt
            .run(|py| progress.report(py, download.done as usize, download.total as usize));
    }
}
