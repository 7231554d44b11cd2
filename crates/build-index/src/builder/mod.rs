//! The build itself: what is known, what is encoded, what is written, in order.

mod probe;
mod progress;
mod rows;
mod tables;

pub use progress::Progress;

use std::collections::HashSet;
use std::ops::ControlFlow::{self, Continue};
use std::path::Path;
use std::time::Instant;

use half::f16;
use half::slice::HalfFloatSliceExt;
use interrogate::Precision;
use interrogate::encoder::{TextEncoder, Tokens};
use interrogate::index::format::{MAX_SHARDS, is_index_file};
use interrogate::index::{Index, Manifest, ModelEntry, TableEntry};
use interrogate::{Error as LibraryError, Result as LibraryResult};

use crate::cache::Cache;
use crate::dictionary::each_table_once;
use crate::durable;
use crate::journal::{self, Journal};
use crate::lock::{BUILD_LOCK, Lock};
use crate::plan::Plan;
use crate::report::{Report, TableReport};
use crate::vocabulary::Vocabulary;
use crate::writer::write_manifest;
use crate::{Dictionary, Error, Result};
use probe::Near;
use rows::{Places, Rows};
use tables::Tables;

/// Rows of a shard unless said otherwise: 32 MiB at 512 values a row.
const SHARD_ROWS: usize = 32_768;

/// Labels of a block: what a killed build loses at most. A block is short enough
/// to wait for after Ctrl-C and long enough to batch well.
const BLOCK: usize = 2_048;

/// What rows of caches were computed in, as the manifest has it.
const IMPORTED: &str = "imported";

/// Builds indexes with one model.
pub struct Builder<'a> {
    encoder: &'a dyn TextEncoder,
    model: ModelEntry,
    shard_rows: usize,
    block: usize,
}

impl<'a> Builder<'a> {
    /// A builder of `encoder`'s rows. `id` names the model to people;
    /// `fingerprint` tells it from others, and decides whether rows of an
    /// earlier build may stay.
    pub fn new(encoder: &'a dyn TextEncoder, id: &str, fingerprint: &str) -> Self {
        let (id, fingerprint) = (id.to_owned(), fingerprint.to_owned());
        let model = ModelEntry { id, fingerprint, precision: None };
        Builder { encoder, model, shard_rows: SHARD_ROWS, block: BLOCK }
    }

    /// What `encoder` computes in: f32 unless said otherwise. Rows of another
    /// precision are not kept.
    pub fn precision(mut self, precision: Precision) -> Self {
        let other = (precision != Precision::F32).then(|| precision.name().to_owned());
        self.model.precision = other;
        self
    }

    /// Rows of a shard at most: at least 1, 32,768 unless said otherwise.
    pub fn shard_rows(self, rows: usize) -> Self {
        Builder { shard_rows: rows.max(1), ..self }
    }

    /// Labels of a block, the unit of encoding, of progress and of what is kept
    /// when a build dies: at least 1, 2,048 unless said otherwise. A build that
    /// goes on gives the same bytes if it has the same blocks.
    pub fn block(self, labels: usize) -> Self {
        Builder { block: labels.max(1), ..self }
    }

    /// Makes the index in `folder` hold just `dictionaries`.
    ///
    /// Rows of the index that stands there are kept where it is of the same
    /// model and passes [`Index::verify`]; so are those of a build that was
    /// stopped. Of each table, and of what was stopped, eight are compared with the
    /// encoder's own: where one is another's, all are encoded again, and the report
    /// says so. An index that stands there is whole for its readers until the
    /// new one takes its place in one step.
    ///
    /// `progress` is called after each piece of work; where it breaks, the build
    /// stops with [`Error::Stopped`], and what was encoded is kept.
    ///
    /// Same dictionaries, same encoder: same bytes in every file. Memory: some 35
    /// bytes a label, and four for each of its tokens, beside the dictionaries and
    /// what the encoder takes; rows stay on the disk.
    ///
    /// # Errors
    /// [`DictionaryError::DuplicateTable`] and [`Error::Shards`] before anything is done,
    /// [`Error::Locked`] where another build is at it, [`Error::Stopped`],
    /// [`Error::Rows`], and the library's for the encoder and the disk.
    pub fn build(
        &self,
        dictionaries: &[Dictionary],
        folder: &Path,
        progress: impl FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Report> {
        self.run(dictionaries, &[], folder, progress)
    }

    /// Makes the index in `folder` hold just `dictionaries`, with the rows that
    /// `caches` have, and encodes the labels that they leave.
    ///
    /// The manifest says "imported" for what the rows were computed in, which no
    /// cache tells: a [`build`](Self::build) keeps none of them, and an import over
    /// an import keeps what was encoded. Rows of unit length are taken bit for bit,
    /// and there are no others ([`Cache::open`]).
    ///
    /// # Errors
    /// Those of [`build`](Self::build); [`CacheError::Invalid`] where a cache is of another
    /// width, [`CacheError::OtherModel`] where its rows are not what the encoder makes of
    /// the labels: eight of each are tried. Nothing is written then.
    pub fn import(
        mut self,
        dictionaries: &[Dictionary],
        caches: &[Cache],
        folder: &Path,
        progress: impl FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Report> {
        self.check(dictionaries)?;
        for cache in caches {
            probe::cache(self.encoder, &self.model.id, dictionaries, cache)?;
        }
        self.model.precision = Some(IMPORTED.to_owned());
        self.run(dictionaries, caches, folder, progress)
    }

    fn run(
        &self,
        dictionaries: &[Dictionary],
        caches: &[Cache],
        folder: &Path,
        mut progress: impl FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Report> {
        let start = Instant::now();
        self.check(dictionaries)?;
        durable::create_folder(folder)?;
        let held = |owner| Error::Locked { path: folder.to_owned(), owner };
        let lock = Lock::acquire(&folder.join(BUILD_LOCK))?.map_err(held)?;
        durable::sweep(folder)?;
        let (old, discarded) = match self.usable(folder) {
            Ok(old) => (old, None),
            Err(why) => (None, Some(why)),
        };
        let vocabulary = Vocabulary::new(dictionaries)?;
        let mut places = Places::new(&vocabulary);
        if let Some(index) = &old {
            places.keep(index)?;
        }
        let imported = places.cached(caches);

        let tokenizing = |labels, total| progress(Progress::Tokenizing { labels, total });
        let is_known = |number| places.has(number);
        let plan = Plan::new(self.encoder, &vocabulary, is_known, self.block, tokenizing)?;
        let Continue(plan) = plan else {
            return Err(Error::Stopped { done: 0, total: vocabulary.len() });
        };
        let planned = plan.len();
        let (mut journal, mut refused) = (None, Vec::new());
        let mut encoded = Encoded::default();
        if planned > 0 {
            let journal = journal.insert(self.open_journal(folder, &mut places, &mut refused)?);
            encoded = self.encode(&plan, journal, &mut places, &mut progress)?;
        }
        drop(plan); // its tokens are not needed any more, and take room
        let map = journal.as_ref().map(Journal::map).transpose()?;
        let rows = Rows::new(&places, old.as_ref(), map.as_ref(), caches, self.encoder.dim());

        let tables = Tables { folder, dim: self.encoder.dim(), shard_rows: self.shard_rows };
        let tables = tables.write(dictionaries, &rows, &mut progress)?;
        let manifest = Manifest::new(self.model.clone(), self.encoder.dim(), tables);
        let manifest_bytes = write_manifest(folder, &manifest)?;
        // The manifest stands: what is left of the build and of the index before
        // can go. (Some systems remove no file that is mapped.)
        drop(rows);
        drop(map);
        drop(old);
        journal::remove(folder)?;
        sweep_old(folder, &manifest)?;

        Ok(Report {
            folder: folder.to_owned(),
            model: self.model.id.clone(),
            tables: manifest.tables().iter().map(TableReport::of).collect(),
            labels: vocabulary.len(),
            encoded: encoded.labels,
            resumed: planned - encoded.labels,
            reused: vocabulary.distinct() - planned - imported,
            imported,
            differing: caches.iter().map(Cache::differing).sum(),
            tokens: encoded.tokens,
            bytes: manifest.tables().iter().map(TableEntry::bytes).sum::<u64>() + manifest_bytes,
            elapsed: start.elapsed(),
            killed_build: lock.previous_owner().cloned(),
            discarded,
            refused,
        })
    }

    /// Refuses what would end in an index that no reader opens.
    fn check(&self, dictionaries: &[Dictionary]) -> Result<()> {
        each_table_once(dictionaries)?;
        for dictionary in dictionaries {
            let found = dictionary.labels().len().div_ceil(self.shard_rows);
            if found > MAX_SHARDS {
                let table = dictionary.table().to_owned();
                return Err(Error::Shards { table, found, most: MAX_SHARDS });
            }
        }
        Ok(())
    }

    /// The index that stands in `folder`, if its rows may be kept; why not, if
    /// there is one and they may not.
    fn usable(&self, folder: &Path) -> LibraryResult<Option<Index>> {
        let index = match Index::open(folder) {
            Err(LibraryError::IndexMissing { .. } | LibraryError::IndexUnfinished { .. }) => {
                return Ok(None);
            }
            other => other?,
        };
        index.check_model(&self.model.id, &self.model.fingerprint)?;
        let (expected, found) = (self.encoder.dim(), index.dim());
        if found != expected {
            return Err(LibraryError::Dim { what: "the index before", expected, found });
        }
        let name = |model: &ModelEntry| model.precision.clone().unwrap_or_else(|| "f32".to_owned());
        let (expected, found) = (name(&self.model), name(index.manifest().model()));
        if found != expected {
            return Err(LibraryError::mismatch(folder, "precision", expected, found));
        }
        index.verify(|_| ())?;
        probe::index(self.encoder, &index, self.near())?;
        Ok(Some(index))
    }

    /// How many of the rows of an earlier build must be near to the encoder's own.
    fn near(&self) -> Near {
        match self.model.precision.as_deref() {
            Some(IMPORTED) => Near::Half,
            _ => Near::All,
        }
    }

    /// Opens the journal and registers the rows that it holds. Errors of rows that cannot
    /// be used are pushed to `refused`.
    fn open_journal(
        &self,
        folder: &Path,
        places: &mut Places<'_>,
        refused: &mut Vec<LibraryError>,
    ) -> Result<Journal> {
        let ModelEntry { fingerprint, precision, .. } = &self.model;
        let tag = [fingerprint, precision.as_deref().unwrap_or_default()].join(" ");
        let found = |label: &str, at| places.journaled(label, at);
        let journal = Journal::open(folder, tag.trim_end(), self.encoder.dim(), found)?;
        if journal.refused() > 0 {
            let found = format!("others in {} of its blocks", journal.refused());
            refused.push(LibraryError::mismatch(journal.path(), "rows", "unit length", found));
        }
        let map = journal.map()?;
        let row = |at: u64| {
            let start = usize::try_from(at).ok()?;
            map.as_ref().get(start..)?.get(..self.encoder.dim() * 2)
        };
        let sample = places.journaled_sample();
        let tried: Vec<_> =
            sample.iter().filter_map(|&(label, at)| Some((label, row(at)?))).collect();
        // Those that are encoded into a journal are this encoder's own.
        match probe::rows(self.encoder, journal.path(), &tried, Near::All) {
            Err(error @ LibraryError::Mismatch { .. }) => {
                refused.push(error);
                drop(map); // some systems replace no file that is mapped
                places.forget_journaled();
                journal.begin_anew()
            }
            probed => Ok(probed.map(|()| journal)?),
        }
    }

    /// Encodes what of `plan` has no place yet, into the journal.
    fn encode(
        &self,
        plan: &Plan<'_>,
        journal: &mut Journal,
        places: &mut Places<'_>,
        progress: &mut impl FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Encoded> {
        let mut encoded = Encoded::default();
        let (mut done, mut tokens_done) = (0, 0);
        let (total, total_tokens) = (plan.len(), plan.tokens());
        for block in plan.blocks() {
            let (labels, tokens) = block.without(|number| places.has(number));
            if !labels.is_empty() {
                let rows = journal.append(&labels, &self.embed(&tokens)?)?;
                labels.iter().zip(rows).for_each(|(label, at)| places.journaled(label, at));
                encoded.labels += labels.len();
                encoded.tokens += tokens.total();
            }
            done += block.len();
            tokens_done += block.tokens();
            let now = Progress::Encoding { labels: done, total, tokens: tokens_done, total_tokens };
            if progress(now).is_break() {
                return Err(Error::Stopped { done, total });
            }
        }
        Ok(encoded)
    }

    /// The rows of `tokens`, in their order, rounded to f16.
    fn embed(&self, tokens: &Tokens) -> Result<Vec<f16>> {
        let rows = self.encoder.embed(tokens)?;
        if rows.len() != tokens.len() {
            return Err(Error::Rows { expected: tokens.len(), found: rows.len() });
        }
        let (expected, found) = (self.encoder.dim(), rows.dim());
        if found != expected {
            return Err(LibraryError::Dim { what: "embeddings", expected, found })?;
        }
        let mut halves = vec![f16::ZERO; rows.as_slice().len()];
        halves.convert_from_f32_slice(rows.as_slice());
        Ok(halves)
    }
}

/// What was encoded in this build.
#[derive(Default)]
struct Encoded {
    labels: usize,
    tokens: usize,
}

/// Removes what belonged to the index before and is not in the new one.
fn sweep_old(folder: &Path, manifest: &Manifest) -> Result<()> {
    let files = |table: &TableEntry| table.shard_names().chain([table.labels_name()]).collect();
    let named: HashSet<String> = manifest.tables().iter().flat_map::<Vec<_>, _>(files).collect();
    Ok(durable::remove(folder, |name| is_index_file(name) && !named.contains(name))?)
}
