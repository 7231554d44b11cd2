//! The build: which rows are kept, encoded and written, in order.

mod encode;
mod locations;
mod merge;
mod part;
mod pipeline;
mod previous;
mod probe;
mod progress;
mod rows;
mod tables;

pub use merge::merge;
pub use progress::Progress;

use std::collections::HashSet;
use std::ops::ControlFlow::{self, Continue};
use std::path::Path;
use std::time::Instant;

use interrogate::Precision;
use interrogate::encoder::TextEncoder;
use interrogate::index::format::{MAX_SHARDS, is_index_file};
use interrogate::index::{Manifest, ModelEntry, TableEntry};

use crate::cache::Cache;
use crate::dictionary::check_tables;
use crate::durable;
use crate::journal::{self, Journal};
use crate::lock::{BUILD_LOCK, Lock};
use crate::plan::Plan;
use crate::report::Report;
use crate::vocabulary::Vocabulary;
use crate::{Dictionary, Error, Result};
use encode::{Encoded, encode};
use locations::Locations;
use rows::Rows;
use tables::Tables;

/// The default of [`Builder::shard_rows`]: 32 MiB at 512 values a row.
const SHARD_ROWS: usize = 32_768;

/// The most bytes of a block's rows, where the encoder chooses the block: all are in memory.
const BLOCK_BYTES: usize = 64 << 20;

/// The default of [`Builder::block`] for the CPU, and the most labels that a killed build loses. Short
/// enough to wait for after Ctrl-C, long enough to batch well.
const BLOCK: usize = 2_048;

/// The precision of an index with rows of caches.
const IMPORTED: &str = "imported";

/// Builds indexes with one model.
pub struct Builder<'a> {
    encoder: &'a dyn TextEncoder,
    model: ModelEntry,
    shard_rows: usize,
    /// `None` for the encoder's own choice.
    block: Option<usize>,
}

impl<'a> Builder<'a> {
    /// Returns a builder of `encoder`'s rows. `id` is the model's name for people. Rows of
    /// an earlier build are kept only if their model has the same `fingerprint`.
    pub fn new(encoder: &'a dyn TextEncoder, id: &str, fingerprint: &str) -> Self {
        let (id, fingerprint) = (id.to_owned(), fingerprint.to_owned());
        let model = ModelEntry { id, fingerprint, precision: None };
        Builder { encoder, model, shard_rows: SHARD_ROWS, block: None }
    }

    /// Sets the precision that `encoder` computes in; by default f32. Rows of another
    /// precision are not kept.
    pub fn precision(mut self, precision: Precision) -> Self {
        let other = (precision != Precision::F32).then(|| precision.name().to_owned());
        self.model.precision = other;
        self
    }

    /// Sets the maximum rows of a shard: at least 1, by default 32,768.
    pub fn shard_rows(self, rows: usize) -> Self {
        Builder { shard_rows: rows.max(1), ..self }
    }

    /// Sets the labels of a block: at least 1, by default 2,048, or as many as a device needs
    /// ([`TextEncoder::calls`]). A block is the unit of encoding, of progress and of what is
    /// kept when a build is killed. A resumed build writes the same bytes if its blocks are the
    /// same.
    pub fn block(self, labels: usize) -> Self {
        Builder { block: Some(labels.max(1)), ..self }
    }

    /// Builds the index of `dictionaries` in `folder`.
    ///
    /// Rows of the previous index in `folder` are kept if it is of the same model and
    /// passes [`Index::verify`](interrogate::index::Index::verify); so are the rows of a
    /// build that was stopped. Eight rows of each table, and eight of the stopped build,
    /// are compared with the encoder's own; if one differs, all of them are encoded again,
    /// and the report says so. Readers see the previous index whole until the new manifest
    /// replaces it.
    ///
    /// `progress` is called after each piece of work. If it breaks, the build stops with
    /// [`Error::Stopped`], and what was encoded is kept.
    ///
    /// The same dictionaries and encoder give the same bytes in every file. Memory: about
    /// 35 bytes a label and four a token, beside the dictionaries and the encoder; rows
    /// stay on the disk.
    ///
    /// # Errors
    /// [`DictionaryError::DuplicateTable`](crate::DictionaryError::DuplicateTable) and
    /// [`Error::Shards`] before anything is done; [`Error::Locked`] while another build
    /// uses the folder; [`Error::Stopped`]; [`Error::Rows`]; and
    /// [`Error::Library`] for the encoder and the disk.
    pub fn build(
        &self,
        dictionaries: &[Dictionary],
        folder: &Path,
        progress: impl FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Report> {
        self.run(dictionaries, &[], folder, progress)
    }

    /// Builds the index of `dictionaries` in `folder` with the rows of `caches`, and
    /// encodes the labels that these lack.
    ///
    /// The precision in the manifest is "imported", as a cache does not tell its own: a
    /// [`build`](Self::build) over it keeps no row, an import over it keeps the encoded
    /// rows. Rows of caches are copied bit for bit; all are of unit length
    /// ([`Cache::open`]).
    ///
    /// # Errors
    /// Those of [`build`](Self::build);
    /// [`CacheError::Invalid`](crate::CacheError::Invalid) where a cache has rows of
    /// another width, [`CacheError::OtherModel`](crate::CacheError::OtherModel) where its
    /// rows are not the encoder's embeddings of the labels, by a sample of eight. Nothing
    /// is written then.
    pub fn import(
        mut self,
        dictionaries: &[Dictionary],
        caches: &[Cache],
        folder: &Path,
        progress: impl FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Report> {
        self.check(dictionaries)?;
        for cache in caches {
            probe::check_cache(self.encoder, &self.model.id, dictionaries, cache)?;
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
        let lock = lock(folder)?;
        let (index, discarded) = match previous::open_index(self.encoder, &self.model, folder) {
            Ok(index) => (index, None),
            Err(why) => (None, Some(why)),
        };
        let vocabulary = Vocabulary::new(dictionaries)?;
        let mut locations = Locations::new(&vocabulary);
        if let Some(index) = &index {
            locations.add_index(index)?;
        }
        let imported = locations.add_caches(caches);

        let tokenizing = |labels, total| progress(Progress::Tokenizing { labels, total });
        let is_known = |number| locations.contains(number);
        let (block, calls) = self.blocks();
        let plan = Plan::new(self.encoder, &vocabulary, is_known, block, tokenizing)?;
        let Continue(plan) = plan else {
            return Err(Error::Stopped { done: 0, total: vocabulary.len() });
        };
        let planned = plan.len();
        let (mut journal, mut refused) = (None, Vec::new());
        let mut encoded = Encoded::default();
        if planned > 0 {
            let opened = previous::open_journal(
                self.encoder,
                &self.model,
                folder,
                &mut locations,
                &mut refused,
            )?;
            let journal = journal.insert(opened);
            let progress = &mut progress;
            encoded = encode(self.encoder, calls, &plan, journal, &mut locations, progress)?;
        }
        drop(plan); // frees the tokens
        let map: Vec<_> = journal.iter().map(Journal::map).collect::<Result<_>>()?;
        let dim = self.encoder.dim();
        let rows = Rows::new(&locations, index.as_ref(), &map, caches, dim);

        let tables = Tables { folder, dim, shard_rows: self.shard_rows };
        let (manifest, bytes) =
            tables.write_index(self.model.clone(), dictionaries, &rows, &mut progress)?;
        // The new index is complete. The journal and the previous index's files are not
        // needed any more. (Some systems remove no file that is mapped.)
        drop(rows);
        drop(map);
        drop(index);
        journal::remove(folder)?;
        remove_previous(&lock, &manifest)?;

        Ok(Report {
            encoded: encoded.labels,
            resumed: planned - encoded.labels,
            reused: vocabulary.distinct() - planned - imported,
            imported,
            differing: caches.iter().map(Cache::differing).sum(),
            tokens: encoded.tokens,
            discarded,
            refused,
            ..Report::new(folder, &manifest, bytes, &lock, start)
        })
    }

    /// Returns the labels of a block, and the blocks that are encoded at a time.
    fn blocks(&self) -> (usize, usize) {
        let own = self.encoder.calls();
        let most = (BLOCK_BYTES / (2 * self.encoder.dim().max(1))).max(BLOCK);
        let block = own.map_or(BLOCK, |calls| calls.texts.clamp(1, most));
        (self.block.unwrap_or(block), own.map_or(1, |calls| calls.at_once))
    }

    /// Refuses dictionaries whose index no reader would open.
    fn check(&self, dictionaries: &[Dictionary]) -> Result<()> {
        check(dictionaries, self.shard_rows)
    }
}

/// Refuses dictionaries whose index, with `shard_rows` rows in a shard, no reader would open.
fn check(dictionaries: &[Dictionary], shard_rows: usize) -> Result<()> {
    check_tables(dictionaries)?;
    for dictionary in dictionaries {
        let found = dictionary.labels().len().div_ceil(shard_rows);
        if found > MAX_SHARDS {
            let table = dictionary.table().to_owned();
            return Err(Error::Shards { table, found, most: MAX_SHARDS });
        }
    }
    Ok(())
}

/// Creates `folder`, locks it, and removes the drafts that a killed build left there.
fn lock(folder: &Path) -> Result<Lock> {
    durable::create_folder(folder)?;
    let locked = |owner| Error::Locked { path: folder.to_owned(), owner };
    let lock = Lock::acquire(&folder.join(BUILD_LOCK))?.map_err(locked)?;
    durable::sweep_build(&lock)?;
    Ok(lock)
}

/// Removes the files of the previous index that are not part of the new one.
fn remove_previous(lock: &Lock, manifest: &Manifest) -> Result<()> {
    let files = |table: &TableEntry| table.shard_names().chain([table.labels_name()]).collect();
    let new: HashSet<String> = manifest.tables().iter().flat_map::<Vec<_>, _>(files).collect();
    Ok(durable::remove_files(lock, |name| is_index_file(name) && !new.contains(name))?)
}
