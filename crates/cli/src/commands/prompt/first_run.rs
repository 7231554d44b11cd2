//! The first prompts of a model whose index is not built yet.
//!
//! The starter has codes of the flavors, which tell what may reach a prompt's lowest score.
//! Ranking these labels alone gives the same prompts, in seconds; the index is built after them.

use build_index::{Builder, Dictionary};
use interrogate::index::{Digest, Index};
use interrogate::prompt::{Mode, Recipe};
use interrogate::{Device, Precision};
use tempfile::TempDir;

use crate::args::{self, Form};
use crate::error::CliError;
use crate::interrupt;
use crate::opening::Unbuilt;
use crate::run::Run;

/// The table that has codes.
const CODED: &str = "flavors";

/// The most labels of the other tables.
const MAX_SMALL: usize = 2000;

/// The most images. With more, their labels take as long as the index.
const MAX_IMAGES: usize = 64;

/// An index of the labels that may be in the prompts of a run; its folder is removed with it.
pub(super) struct FirstIndex {
    pub(super) index: Index,
    pub(super) folder: TempDir,
}

impl FirstIndex {
    /// Builds an index of the labels that may be in the prompts of `run`. Returns `None` if the
    /// options need more labels, or the model has no codes of the dictionary.
    ///
    /// # Errors
    /// Those of the dictionaries, of the image encoder and of a build. An image that fails is
    /// passed over; the run reports it.
    pub(super) fn build(
        unbuilt: &Unbuilt,
        args: &args::Prompt,
        run: &Run,
    ) -> Result<Option<Self>, CliError> {
        let model = &unbuilt.model;
        let compute = model.compute();
        let exact = compute.device == Device::Cpu && model.precision() == Precision::F32;
        let Some(least) = model.min_score().filter(|_| exact && is_plain(args, run)) else {
            return Ok(None);
        };
        let dictionaries = unbuilt.dicts.open()?;
        let table = |name: &str| dictionaries.iter().find(|it| it.table() == name);
        let Some(coded) = table(CODED) else { return Ok(None) };
        let digest = Digest::of_labels(coded.labels().iter());
        let tops = dictionaries.iter().map(|it| (it.table(), it.top().map(|top| top as usize)));
        let recipe = Recipe::seed(tops, Mode::Seed.max_flavors());
        let others = recipe.tables.iter().filter(|it| it.table != CODED);
        let mut tables: Vec<Dictionary> =
            others.filter_map(|it| table(&it.table).cloned()).collect();
        let is_small = |table: &Dictionary| table.labels().len() <= MAX_SMALL;
        if !tables.iter().all(is_small) || model.candidates(digest, &[], least)?.is_none() {
            return Ok(None);
        }
        let tower = model.image_encoder()?;
        let mut features = Vec::new();
        let complete = run.decode(&|picture| tower.prepare(picture), |batches| {
            for batch in batches {
                let encoded = batch.features(tower.as_ref());
                features.extend(encoded.into_iter().filter_map(|image| image.result.ok()));
            }
            Ok(())
        })?;
        let Some(labels) = model.candidates(digest, &features, least)?.filter(|_| complete) else {
            return Ok(None);
        };
        // A table has a label at least; one that scores too low changes no prompt.
        let labels = if labels.is_empty() { vec![0] } else { labels };
        tables.push(coded.select(&labels));
        let failed = |error| interrogate::Error::io("create", std::env::temp_dir())(error);
        let folder = tempfile::tempdir().map_err(failed)?;
        let (encoder, fingerprint) = (model.text_encoder()?, model.fingerprint()?);
        let builder = Builder::new(encoder.as_ref(), &model.id(), &fingerprint);
        let path = folder.path().join("index");
        // An interrupt stops the build, so that the folder is removed.
        let _work = interrupt::Work::begin();
        builder.build(&tables, &path, |_| interrupt::control_flow())?;
        Ok(Some(FirstIndex { index: Index::open(&path)?, folder }))
    }
}

/// Whether the prompts have labels that reach the model's lowest score only, of the tables of a
/// seed prompt, for a few files that can be read twice, and are printed.
fn is_plain(args: &args::Prompt, run: &Run) -> bool {
    let control = &args.control;
    let is_default = control.template.is_none()
        && control.tables.is_empty()
        && control.without.is_empty()
        && control.list.is_empty()
        && control.deny.is_none()
        && control.max_tokens.is_none()
        && !control.weights
        && !control.compat;
    let output = &args.output;
    let is_text = output.output.is_none() && output.format.is_none_or(|form| form == Form::Text);
    args.mode == args::Mode::Seed
        && args.min_score.is_none()
        && args.max_flavors.is_none()
        && !args.average
        && args.report.is_none()
        && is_default
        && is_text
        && run.len().is_some_and(|images| images <= MAX_IMAGES)
        && run.are_files()
}
