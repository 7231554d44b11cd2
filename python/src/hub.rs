//! The options of downloads, from the environment and from arguments.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use interrogate::models::{Options, Progress as Download};
use pyo3::prelude::*;

use crate::progress::Progress;
use crate::work::Interrupt;

/// Returns the options that the environment gives, with the cache `cache` if it is given, and
/// the starter's folder if its package is installed.
pub(crate) fn options(py: Python<'_>, cache: Option<PathBuf>) -> Options {
    let mut options = Options::from_vars(|name| std::env::var(name).ok());
    options.cancel = Some(Arc::default());
    if let Some(cache) = cache {
        options.cache = cache;
    }
    options.starter = py
        .import("interrogate_clip_starter")
        .and_then(|package| package.call_method0("folder"))
        .and_then(|folder| folder.extract())
        .ok();
    options
}

/// Returns a function that reports a download to `progress`. A signal, or an exception of the
/// callback, cancels the download.
pub(crate) fn reporter<'a>(
    interrupt: &'a mut Interrupt,
    progress: &'a Progress,
    options: &Options,
) -> impl FnMut(Download<'_>) + use<'a> {
    let cancel = options.cancel.clone();
    move |download| {
        let (done, total) = (download.done as usize, download.total as usize);
        let goes_on = interrupt.run(|py| progress.report(py, done, total));
        if let (ControlFlow::Break(()), Some(cancel)) = (goes_on, &cancel) {
            cancel.store(true, Ordering::Relaxed);
        }
    }
}
