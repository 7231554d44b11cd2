//! The writer thread, so that a slow disk or pipe does not delay the model.

use std::io::ErrorKind::{PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use build_index::signals::InHand;
use interrogate::Error;

use super::Sidecars;
use super::error::{OutputError, Result};
use super::renderer::Layout;
use super::sink::{Row, Sink};
use crate::image_name::path_text;
use crate::interrupt;
use crate::logger::{self, Logger};

/// The number of batches that wait for the writer at most.
const QUEUE: usize = 2;

/// Writes batches of rows in order, on its own thread.
pub(crate) struct Writer {
    batches: SyncSender<Batch>,
    thread: JoinHandle<Result<Sidecars>>,
}

enum Batch {
    /// Rows, and the guard that keeps a signal from ending the process before they are written.
    Rows(Vec<Row>, InHand),
    /// The run is complete. Without this message it was interrupted.
    End,
}

impl Writer {
    pub(super) fn start(
        sink: Box<dyn Sink>,
        layout: Layout,
        sidecars: Sidecars,
        logger: Logger,
    ) -> Self {
        let (batches, received) = sync_channel(QUEUE);
        let thread = thread::spawn(move || write(sink, layout, sidecars, &logger, &received));
        Writer { batches, thread }
    }

    /// Queues `rows`; blocks while the queue is full. Returns `false` where the writer has
    /// failed: [`finish`](Self::finish) returns its error.
    pub(crate) fn write(&self, rows: Vec<Row>) -> bool {
        self.batches.send(Batch::Rows(rows, interrupt::writing())).is_ok()
    }

    /// Waits until the queue is written, and returns the counts of sidecars. `complete` where the
    /// run was not interrupted.
    ///
    /// # Errors
    /// The error that stopped the writer.
    pub(crate) fn finish(self, complete: bool) -> Result<Sidecars> {
        if complete {
            // Fails where the writer has failed; its error is returned below.
            let _ = self.batches.send(Batch::End);
        }
        drop(self.batches);
        self.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

fn write(
    mut sink: Box<dyn Sink>,
    layout: Layout,
    mut sidecars: Sidecars,
    logger: &Logger,
    batches: &Receiver<Batch>,
) -> Result<Sidecars> {
    for batch in batches {
        let Batch::Rows(rows, _guard) = batch else {
            sink.finish()?;
            return Ok(sidecars);
        };
        for Row { mut data, sidecar } in rows {
            // The sidecar comes first: a row promises that its sidecar exists. Without it the
            // image has failed.
            if let Some((image, text)) = sidecar
                && let Err(error) = sidecars.write(&image, &text)
            {
                if is_fatal(&error) {
                    return Err(error);
                }
                data = layout.failed(&path_text(&image), logger::with_causes(&error))?;
                sidecars.failed += 1;
                logger.error(&error, error.hint());
            }
            sink.write(data)?;
        }
        sink.flush()?;
    }
    Ok(sidecars)
}

/// Returns whether writing any other sidecar would fail too: the disk is full or read-only, or
/// permission is missing.
fn is_fatal(error: &OutputError) -> bool {
    let fatal = [PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull];
    match error {
        OutputError::File(Error::Io { action, source, .. }) => {
            action.starts_with("write") && fatal.contains(&source.kind())
        }
        _ => false,
    }
}
