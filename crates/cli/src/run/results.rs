//! The results of a run: written batch by batch, counted and shown as progress.

use build_index::terminal::library_hint;
use interrogate::Error;

use crate::error::CliError;
use crate::image_name::Name;
use crate::logger::Logger;
use crate::outcome::Outcome;
use crate::output::{Record, Renderer, Sidecars, Writer};
use crate::progress::Progress;

/// Writes the results of images in order. Nothing of a batch is written before
/// [`commit`](Self::commit).
pub(crate) struct Results {
    logger: Logger,
    rows: Renderer,
    writer: Writer,
    progress: Progress,
    /// The images of the batch that is not committed yet.
    batch: Counts,
    /// All committed images, and those of earlier runs into the same file.
    total: Counts,
}

#[derive(Clone, Copy, Default)]
pub(super) struct Counts {
    pub(super) done: usize,
    pub(super) failed: usize,
}

impl Results {
    /// `before` counts the images that the output file already holds.
    pub(super) fn new(
        logger: &Logger,
        rows: Renderer,
        writer: Writer,
        progress: Progress,
        before: Counts,
    ) -> Self {
        let logger = logger.clone();
        Results { logger, rows, writer, progress, batch: Counts::default(), total: before }
    }

    /// Adds the row of the image `name`.
    ///
    /// # Errors
    /// If `row` cannot be serialized.
    pub(crate) fn write<A: Record>(&mut self, name: &Name, row: &A) -> Result<(), CliError> {
        self.rows.push(name, row)?;
        self.batch.done += 1;
        Ok(())
    }

    /// Adds the error of the image `name`, and logs it.
    ///
    /// # Errors
    /// If the error cannot be serialized.
    pub(crate) fn failed(&mut self, name: &Name, error: &Error) -> Result<(), CliError> {
        self.rows.push_error(name, error)?;
        self.batch.failed += 1;
        self.logger.error(error, library_hint(error));
        Ok(())
    }

    /// Sends the rows of one batch to the thread that writes them.
    ///
    /// # Errors
    /// [`CliError::WriterStopped`] if that thread has ended; [`finish`](Self::finish) returns why.
    pub(crate) fn commit(&mut self) -> Result<(), CliError> {
        let Counts { done, failed } = std::mem::take(&mut self.batch);
        self.total.done += done;
        self.total.failed += failed;
        self.progress.step(done, failed);
        if self.writer.write(self.rows.take()) { Ok(()) } else { Err(CliError::WriterStopped) }
    }

    /// Waits until everything committed is written; what is not committed is dropped.
    /// `complete` is whether the run reached its last image. Returns the counts, the
    /// sidecars and a line on the speed.
    ///
    /// # Errors
    /// The error that stopped the writing thread.
    pub(super) fn finish(self, complete: bool) -> Result<(Outcome, Sidecars, String), CliError> {
        let speed = self.progress.finish();
        let sidecars = self.writer.finish(complete)?;
        let outcome = Outcome {
            // An image whose sidecar failed was counted as done.
            done: self.total.done.saturating_sub(sidecars.failed),
            failed: self.total.failed + sidecars.failed,
            interrupted: !complete,
        };
        Ok((outcome, sidecars, speed))
    }
}
