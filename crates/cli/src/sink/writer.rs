//! The thread that writes, so that nothing else waits for a disk or a pipe.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use build_index::signals::InHand;

use super::{Row, Sidecars, Sink};
use crate::fault::Fault;
use crate::interrupt;

/// Batches that wait to be written, at most.
const WAITING: usize = 2;

/// Writes rows in order, a batch after the other.
pub(crate) struct Writer {
    batches: SyncSender<Batch>,
    thread: JoinHandle<Result<Sidecars, Fault>>,
}

enum Batch {
    /// With what keeps the process from ending before they are written.
    Rows(Vec<Row>, InHand),
    /// No more comes; without this, the run was stopped.
    End,
}

impl Writer {
    pub(super) fn start(sink: Box<dyn Sink>, sidecars: Sidecars) -> Self {
        let (batches, received) = sync_channel(WAITING);
        let thread = thread::spawn(move || write(sink, sidecars, &received));
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
    mut sidecars: Sidecars,
    batches: &Receiver<Batch>,
) -> Result<Sidecars, Fault> {
    for batch in batches {
        let Batch::Rows(rows, _in_hand) = batch else {
            sink.finish()?;
            return Ok(sidecars);
        };
        for Row { content, sidecar } in rows {
            // First the sidecar: an answer that stands says that it is there.
            if let Some((image, text)) = sidecar {
                sidecars.write(&image, &text)?;
            }
            sink.write(content)?;
        }
        sink.flush()?;
    }
    Ok(sidecars)
}
