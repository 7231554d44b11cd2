//! Encodes one part of a build.

use std::ops::ControlFlow::{self, Continue};
use std::path::Path;
use std::time::Instant;

use super::encode::encode;
use super::locations::Locations;
use super::{Builder, Progress, lock, previous};
use crate::error::PartError;
use crate::part::{PartManifest, PartNumber, PartPlan, PartTable};
use crate::plan::Plan;
use crate::report::PartReport;
use crate::vocabulary::Vocabulary;
use crate::{Dictionary, Error, Result};

impl Builder<'_> {
    /// Encodes `part` of the build of `dictionaries` in a folder in `parts`, from which
    /// [`merge`](super::merge) makes the index. `name` is the name of the index's folder, and
    /// the part's is `NAME.part-K-of-N`.
    ///
    /// The parts of a build are contiguous ranges of its blocks with about as many tokens
    /// each. Every machine needs the same dictionaries, model and settings, and the same kind
    /// of device; the order of the dictionaries and the files' places may differ. A part that
    /// was stopped or killed is resumed in the same folder, and a finished one is checked.
    ///
    /// `progress` is called as in [`build`](Self::build). Memory: as in a build of all labels.
    ///
    /// # Errors
    /// Those of [`build`](Self::build); [`PartError::Exists`] if the folder has this part of
    /// another build, [`PartError::Damaged`] if its part.json is damaged.
    pub fn build_part(
        &self,
        dictionaries: &[Dictionary],
        part: PartNumber,
        name: &str,
        parts: &Path,
        mut progress: impl FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<PartReport> {
        let start = Instant::now();
        self.check(dictionaries)?;
        let folder = &parts.join(part.folder_name(name));
        let lock = lock(folder)?;
        let vocabulary = Vocabulary::new(dictionaries)?;
        let tokenizing = |labels, total| progress(Progress::Tokenizing { labels, total });
        let (block, calls) = self.blocks();
        let plan = Plan::new(self.encoder, &vocabulary, |_| false, block, tokenizing)?;
        let Continue(plan) = plan else {
            return Err(Error::Stopped { done: 0, total: vocabulary.len() });
        };
        let plan = plan.part(part);

        let distinct = vocabulary.distinct();
        let share = PartPlan { block, distinct, first: plan.first(), labels: plan.len() };
        let (model, dim) = (self.model.clone(), self.encoder.dim());
        let tables = PartTable::of(dictionaries);
        let mut manifest =
            PartManifest::new(part, name, model, dim, self.shard_rows, tables, share);
        begin(folder, &manifest)?;
        let (mut locations, mut refused) = (Locations::new(&vocabulary), Vec::new());
        let mut journal = previous::open_journal(
            self.encoder,
            &self.model,
            folder,
            &mut locations,
            &mut refused,
        )?;
        let encoded =
            encode(self.encoder, calls, &plan, &mut journal, &mut locations, &mut progress)?;
        manifest.journal = Some(journal.bytes());
        manifest.write(folder)?;

        Ok(PartReport {
            folder: folder.clone(),
            model: self.model.id.clone(),
            part,
            distinct,
            encoded: encoded.labels,
            resumed: plan.len() - encoded.labels,
            tokens: encoded.tokens,
            bytes: journal.bytes(),
            elapsed: start.elapsed(),
            killed_build: lock.previous_owner().cloned(),
            refused,
        })
    }
}

/// Writes the manifest of an unfinished part, unless `folder` has a part of another build:
/// its rows may have taken hours.
fn begin(folder: &Path, manifest: &PartManifest) -> Result<()> {
    let before = PartManifest::open(folder)?;
    if let Some((what, expected, found)) = before.and_then(|before| manifest.difference(&before)) {
        let path = folder.to_owned();
        return Err(PartError::Exists { path, what, expected, found }.into());
    }
    manifest.write(folder)
}
