//! The thread that writes, so that nothing else waits for a disk or a pipe.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use build_index::signals::InHand;
use interrogate::Error;

use super::{Row, Sidecars, Sink, render};
use crate::args::Form;
use crate::fault::Fault;
use crate::image_name;
use crate::interrupt;
use crate::logger::{self, Logger};

/// Batches that wait to be written, at most.
const WAITING: usize = 2;

/// Writes rows in order, a batch after the other.
pub(crate) struct Writer {
    batches: SyncSender<Batch>,
    thread: JoinHandle<Result<Sidecars, Fault>>,
}

/// The form of the rows, for those of images whose sidecar fails.
#[derive(Clone, Copy, Debug)]
pub(super) struct Table {
    pub(super) form: Form,
    /// Columns beside the image's name and the error.
    pub(super) columns: usize,
}

enum Batch {
    /// With what keeps the process from ending before they are written.
    Rows(Vec<Row>, InHand),
    /// No more comes; without this, the run was stopped.
    End,
}

impl Writer {
    pub(super) fn start(
        sink: Box<dyn Sink>,
        table: Table,
        sidecars: Sidecars,
        logger: Logger,
    ) -> Self {
        let (batches, received) = sync_channel(WAITING);
        let thread = thread::spawn(move || write(sink, table, sidecars, &logger, &received));
        Writer { batches, thread }
    }

    /// Has `rows` written; waits where too many wait already. `false` where the
    /// writer has failed: [`finish`](Self::finish) says why.
    pub(crate) fn write(&self, rows: Vec<Row>) -> bool {
        self.batches.send(Batch::Rows(rows, interrupt::writing())).is_ok()
    }

    /// Waits until all is written, and says what stands beside the images.
    ///
    /// # Errors
    /// What could not be written.
    pub(crate) fn finish(self, whole: bool) -> Result<Sidecars, Fault> {
        if whole {
            // Nobody to hear it has failed, and says so below.
            let _ = self.batches.send(Batch::End);
        }
        drop(self.batches);
        self.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

fn write(
    mut sink: Box<dyn Sink>,
    table: Table,
    mut sidecars: Sidecars,
    logger: &Logger,
    batches: &Receiver<Batch>,
) -> Result<Sidecars, Fault> {
    for batch in batches {
        let Batch::Rows(rows, _in_hand) = batch else {
            sink.finish()?;
            return Ok(sidecars);
        };
        for Row { mut content, sidecar } in rows {
            // First the sidecar: an answer that stands says that it is there. Without one the
            // image has failed.
            if let Some((image, text)) = sidecar
                && let Err(fault) = sidecars.write(&image, &text)
            {
                if ends_the_run(&fault) {
                    return Err(fault);
                }
                let (image, error) = (image_name::text(&image), logger::with_causes(&fault));
                content = render::failed(table.form, table.columns, &image, error)?;
                sidecars.failed += 1;
                logger.error(&fault, fault.hint());
            }
            sink.write(content)?;
        }
        sink.flush()?;
    }
    Ok(sidecars)
}

/// Whether no other sidecar can be written either: the disk is full, or takes no writes, or
/// they are not allowed. What is wrong with an old sidecar is its own.
fn ends_the_run(fault: &Fault) -> bool {
    use io::ErrorKind::{PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    let ends = [PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull];
    match fault {
        Fault::Library(Error::Io { action, source, .. }) => {
            action.starts_with("write") && ends.contains(&source.kind())
        }
        _ => false,
    }
}
