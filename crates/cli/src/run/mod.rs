//! A run over images: which images it reads, where its results go, and how it ends.
//!
//! Images are decoded ahead on other threads, encoded in batches by the command, and
//! written in order by a thread of their own.

mod batch;
mod results;
mod summary;
#[cfg(test)]
mod tests;

use std::io::{IsTerminal, stdout};
use std::path::PathBuf;

use interrogate::Error;
use interrogate::index::Index;
use interrogate::models::Model;
use interrogate::models::is_url;
use interrogate::picture::Picture;

use crate::args::{self, Extension, Form};
use crate::error::CliError;
use crate::files::Files;
use crate::image_name::Name;
use crate::interrupt;
use crate::logger::Logger;
use crate::outcome::Outcome;
use crate::output::{self, ExistingRows, OutputError, Record, Renderer, Sidecars, Target};
use crate::progress::Progress;
use crate::source::Source;
use crate::stream;
pub(crate) use batch::{Batch, Batches, DecodedImage};
use results::Counts;
pub(crate) use results::Results;

/// Images decoded beyond the next batch, so that the decoding threads do not wait while
/// the model runs.
const DECODE_AHEAD: usize = 8;

/// The images of a run and the output of its results.
#[derive(Debug)]
pub(crate) struct Run {
    source: Source,
    target: Target,
    /// The results that the output file already holds (`--resume`).
    resumed: ExistingRows,
    sidecars: Option<Sidecars>,
    /// The extension of the sidecars whose images are skipped (`--skip-existing`).
    skip_beside: Option<Extension>,
    batch_size: usize,
}

impl Run {
    /// Finds the images and opens the output, before any model is opened. `default` is
    /// the output format if neither the file name nor an option gives one; `files` are the
    /// other files that the command reads and writes.
    ///
    /// # Errors
    /// If there is no image, or the output cannot be written, and those of
    /// [`Files::check`].
    pub(crate) fn open<A: Record>(
        images: &args::Images,
        output: &args::Output,
        sidecars: Option<&args::Sidecars>,
        default: Form,
        mut files: Files,
    ) -> Result<Self, CliError> {
        let source = Source::collect(images)?;
        let sidecars = sidecars.filter(|sidecars| sidecars.sidecar);
        if sidecars.is_some() && source.has_archives() {
            return Err(OutputError::SidecarInArchive.into());
        }
        if sidecars.is_some() && source.has_urls() {
            return Err(CliError::Arguments {
                message: "--sidecar does not support images that are downloaded".to_owned(),
                hint: "leave --sidecar out and write to a file with -o".to_owned(),
            });
        }
        if let Some(list) = source.filelist() {
            files = files.reading(list, "the list of images");
        }
        if let Some(path) = output.file() {
            files = files.writing(path, "the answers");
            files = files.writing(&output::run_file_path(path), "the record of the run");
            if Target::form::<A>(output, default) == Form::Npy {
                let path = output::description_path(path);
                files = files.writing(&path, "the names of the images");
            }
        }
        let extension = sidecars.map(args::Sidecars::extension);
        files.check(source.entries(), extension.as_ref())?;
        let (target, resumed) = Target::open::<A>(output, default)?;
        Ok(Run {
            source,
            target,
            resumed,
            skip_beside: extension.filter(|_| sidecars.is_some_and(|all| all.skip_existing)),
            sidecars: sidecars.map(|sidecars| Sidecars::new(sidecars, output.overwrite)),
            batch_size: images.batch_size.into(),
        })
    }

    /// The run of one shard: `target` gets the results of `source`.
    pub(crate) fn shard(source: Source, target: Target, batch_size: usize) -> Self {
        Run {
            source,
            target,
            resumed: ExistingRows::default(),
            sidecars: None,
            skip_beside: None,
            batch_size,
        }
    }

    /// Records the index of this run.
    ///
    /// # Errors
    /// [`OutputError::OtherOptions`] if the resumed file holds results of another index.
    pub(crate) fn record_indexes(&mut self, indexes: &[Index]) -> Result<(), CliError> {
        Ok(self.target.set_indexes(indexes)?)
    }

    /// Describes the results as those of `model`, in formats that name it.
    ///
    /// # Errors
    /// Where a file of the model cannot be read.
    pub(crate) fn describe(&mut self, model: &Model) -> Result<(), CliError> {
        Ok(self.target.describe(model)?)
    }

    /// Records the model of a run without an index.
    ///
    /// # Errors
    /// [`OutputError::OtherOptions`] if the resumed file holds results of another model.
    pub(crate) fn record_model(&mut self, model: &Model) -> Result<(), CliError> {
        Ok(self.target.set_only_model(model)?)
    }

    /// Limits batches to `images` images, so that slow results are written one by one.
    #[must_use]
    pub(crate) fn with_batch_limit(self, images: usize) -> Self {
        Run { batch_size: self.batch_size.min(images), ..self }
    }

    /// Blends transparent images onto a color.
    #[must_use]
    pub(crate) fn on_background(mut self, color: [u8; 3]) -> Self {
        self.source.decode.background = Some(color);
        self
    }

    /// Returns whether the images can be decoded once only.
    pub(crate) fn is_read_once(&self) -> bool {
        self.source.is_read_once()
    }

    /// Returns the number of images; `None` if some are in archives.
    pub(crate) fn len(&self) -> Option<usize> {
        self.source.len()
    }

    /// Whether all images are files, which can be read twice: no pipes, nothing from an archive
    /// or an address. A file that does not exist fails twice.
    pub(crate) fn are_files(&self) -> bool {
        let is_file =
            |path: &PathBuf| path.is_file() || !path.exists() && !path.to_str().is_some_and(is_url);
        !self.source.has_archives() && self.source.entries().iter().all(is_file)
    }

    /// Decodes all images that need a result and passes them to `consume` in batches, in
    /// order. `prepare` runs on the decoding threads; the decoded picture is dropped when
    /// it returns. Returns whether the run was complete, which an interrupt prevents.
    ///
    /// # Errors
    /// Those of `consume`, except [`Error::Interrupted`].
    pub(crate) fn decode<P: Send>(
        &self,
        prepare: &(dyn Fn(&Picture) -> interrogate::Result<P> + Sync),
        consume: impl FnOnce(&mut Batches<'_, P>) -> Result<(), CliError>,
    ) -> Result<bool, CliError> {
        let _in_hand = interrupt::Work::begin();
        let wanted = |name: &Name| self.needs_result(name);
        let ahead = self.batch_size + DECODE_AHEAD;
        stream::ahead(&self.source, ahead, &wanted, prepare, |mut images| {
            let mut batches = Batches::new(&mut images, self.batch_size, &interrupt::interrupted);
            match consume(&mut batches) {
                Err(CliError::Library(Error::Interrupted)) => Ok(false),
                consumed => consumed.map(|()| !batches.interrupted()),
            }
        })
    }

    /// Decodes the images as [`decode`](Self::decode) does and writes the results that
    /// `consume` adds. `consume` commits each batch.
    ///
    /// # Errors
    /// Errors of writing, and those of `consume`. Committed results are written.
    pub(crate) fn write<A: Record, P: Send>(
        mut self,
        logger: &Logger,
        prepare: &(dyn Fn(&Picture) -> interrogate::Result<P> + Sync),
        consume: impl FnOnce(&mut Batches<'_, P>, &mut Results) -> Result<(), CliError>,
    ) -> Result<Outcome, CliError> {
        interrupt::set_exit_message(self.interrupted());
        let _in_hand = interrupt::Work::begin();
        let mut results = self.start::<A>(logger)?;
        match self.decode(prepare, |batches| consume(batches, &mut results)) {
            Ok(complete) => {
                let (outcome, sidecars, speed) = results.finish(complete)?;
                self.log_summary(logger, &speed, outcome, &sidecars);
                Ok(outcome)
            }
            // The writing thread has ended; its own error is the reason.
            Err(CliError::WriterStopped) => {
                Err(results.finish(false).err().unwrap_or(CliError::WriterStopped))
            }
            Err(fault) => {
                results.finish(false)?;
                Err(fault)
            }
        }
    }

    /// Opens the output file for writing and starts the thread that writes it.
    fn start<A: Record>(&mut self, logger: &Logger) -> Result<Results, CliError> {
        let sidecars = self.sidecars.take();
        self.target.notes().into_iter().for_each(|note| logger.note(note));
        let rows = Renderer::new::<A>(self.target.form, self.len() == Some(1), sidecars.is_some());
        let writer = self.target.start(&self.resumed, sidecars.unwrap_or_default(), logger)?;
        let before = Counts { done: self.resumed.done(), failed: self.resumed.failed() };
        Ok(Results::new(logger, rows, writer, self.progress(logger), before))
    }

    fn needs_result(&self, name: &Name) -> bool {
        let has_sidecar = |extension: &Extension| {
            name.file.as_deref().is_some_and(|file| extension.sidecar(file).exists())
        };
        !self.skip_beside.as_ref().is_some_and(has_sidecar) && !self.resumed.contains(&name.text)
    }

    fn progress(&self, logger: &Logger) -> Progress {
        let several = self.len().is_none_or(|images| images > self.batch_size);
        // Result lines on a terminal show the progress themselves.
        let shown = several && (self.target.path.is_some() || !stdout().is_terminal());
        Progress::new(logger, self.len(), self.resumed.done() + self.resumed.failed(), shown)
    }
}
