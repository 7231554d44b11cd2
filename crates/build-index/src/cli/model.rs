//! The model that `--model` names.

use std::panic::resume_unwind;
use std::thread;

use build_index::Result;
use build_index::terminal::{DownloadProgress, Logger};
use interrogate::clip::TextCleaning;
use interrogate::encoder::TextEncoder;
use interrogate::models::{self, Options};
use interrogate::{Compute, Precision};

/// What a build needs of a model.
pub(crate) struct Model {
    /// The name for people.
    pub(crate) id: String,
    /// The name of its index's folder.
    pub(crate) slug: String,
    /// What distinguishes it from other models of that name.
    pub(crate) fingerprint: String,
    /// The precision that it computes in.
    pub(crate) precision: Precision,
    /// Its text tower.
    pub(crate) encoder: Box<dyn TextEncoder>,
}

/// The name of a model, by where it is from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ModelName<'a> {
    /// An argument.
    Typed(&'a str),
    /// An index: nothing is downloaded for it.
    Recorded(&'a str),
}

/// Opens the model `name`, which cleans texts by `cleaning` and computes by `compute`.
/// Logs its notice and the progress of its download.
pub(crate) fn open(
    name: ModelName<'_>,
    cleaning: TextCleaning,
    compute: Compute,
    logger: &Logger,
) -> Result<Model> {
    compute.device.check()?; // before a download
    let options = Options::from_vars(|name| std::env::var(name).ok());
    let mut progress = DownloadProgress::new(logger);
    let model = match name {
        ModelName::Typed(name) => name.parse().and_then(|source| {
            models::Model::open(source, &options, &mut |now| progress.update(now))
        }),
        ModelName::Recorded(id) => models::Model::open_recorded(id, &options),
    };
    progress.finish();
    let model = model?.with_cleaning(cleaning)?.with_compute(compute);
    if let Some(notice) = model.notice() {
        logger.note(notice);
    }
    // Both read the weights: one file is read from the disk once, and a device loads while the
    // processor hashes.
    let (fingerprint, encoder) = thread::scope(|scope| {
        let fingerprint = scope.spawn(|| model.fingerprint());
        let encoder = model.text_encoder();
        (fingerprint.join().unwrap_or_else(|panic| resume_unwind(panic)), encoder)
    });
    Ok(Model {
        id: model.id(),
        slug: model.slug(),
        fingerprint: fingerprint?,
        precision: model.precision(),
        encoder: encoder?,
    })
}
