//! The model that `--model` names.

use std::io::{self, IsTerminal, Write};

use build_index::Result;
use build_index::escape::Shown;
use build_index::fetching::Fetching;
use indicatif::ProgressDrawTarget;
use interrogate::Compute;
use interrogate::clip::TextCleaning;
use interrogate::encoder::TextEncoder;
use interrogate::models::{self, Options};

use super::args::Volume;

/// What a build needs of a model.
pub(crate) struct Model {
    /// What people call it.
    pub(crate) id: String,
    /// The name of its index's folder.
    pub(crate) slug: String,
    /// What tells it from others of that name.
    pub(crate) fingerprint: String,
    /// Its text half.
    pub(crate) encoder: Box<dyn TextEncoder>,
}

/// Who names a model.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Name<'a> {
    /// Whoever runs the program.
    Typed(&'a str),
    /// An index: nothing is downloaded for it.
    Recorded(&'a str),
}

/// Opens the model `name`, its texts to be cleaned as `cleaning` says and to be run as
/// `compute` does. Reports its notice and what is downloaded.
pub(crate) fn open(
    name: Name<'_>,
    cleaning: TextCleaning,
    compute: Compute,
    volume: Volume,
) -> Result<Model> {
    compute.device.check()?; // before anything is fetched
    let options = Options::from_vars(|name| std::env::var(name).ok());
    let mut err = Shown(io::stderr());
    let mut fetching = match volume {
        Volume::Quiet => Fetching::quiet(),
        _ if io::stderr().is_terminal() => Fetching::bar(ProgressDrawTarget::stderr()),
        _ => Fetching::lines(io::stderr()),
    };
    let opened = match name {
        Name::Typed(name) => name
            .parse()
            .and_then(|it| models::Model::open(it, &options, &mut |p| fetching.update(p))),
        Name::Recorded(id) => models::Model::open_recorded(id, &options),
    };
    fetching.finish();
    let model = opened?.with_cleaning(cleaning)?.with_compute(compute);
    if let (Some(notice), true) = (model.notice(), volume != Volume::Quiet) {
        let _ = writeln!(err, "{notice}");
    }
    Ok(Model {
        id: model.id(),
        slug: model.slug(),
        fingerprint: model.fingerprint()?,
        encoder: model.text_encoder()?,
    })
}
