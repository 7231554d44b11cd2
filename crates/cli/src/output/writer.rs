//! The writer thread, so that a slow disk or pipe does not delay the model.

use std::io::ErrorKind::{PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use interrogate::Error;

use super::Sidecars;
use super::error::{OutputError, Result};
use super::renderer::Layout;
use super::sink::{Row, Sink};
use crate::image_name::{self, Name};
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
    Rows(Vec<Row>, interrupt::Work),
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
        self.batches.send(Batch::Rows(rows, interrupt::Work::write_rows())).is_ok()
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
                let name = Name::new(image_name::text(&image), None);
                data = layout.failed(&name, logger::with_causes(&error))?;
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

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::{Arc, Mutex};

    use super::super::sink::RowData;
    use super::*;
    use crate::args::Form;

    /// Collects rows; fails at an empty one.
    #[derive(Clone, Default)]
    struct Rows(Arc<Mutex<Vec<u8>>>);

    impl Sink for Rows {
        fn write(&mut self, row: RowData) -> Result<()> {
            match row {
                RowData::Bytes(bytes) if !bytes.is_empty() => self.0.lock().unwrap().extend(bytes),
                _ => return Err(OutputError::Stdout(StorageFull.into())),
            }
            Ok(())
        }

        fn flush(&mut self) -> Result<()> {
            Ok(())
        }

        fn finish(self: Box<Self>) -> Result<()> {
            self.0.lock().unwrap().extend(b"end\n");
            Ok(())
        }
    }

    fn start(rows: &Rows) -> Writer {
        let layout = Layout { form: Form::Csv, columns: 1 };
        Writer::start(Box::new(rows.clone()), layout, Sidecars::default(), Logger::new(true))
    }

    fn row(bytes: &[u8], sidecar: Option<PathBuf>) -> Row {
        let sidecar = sidecar.map(|image| (image, "a cat".to_owned()));
        Row { data: RowData::Bytes(bytes.to_owned()), sidecar }
    }

    fn text(rows: &Rows) -> String {
        String::from_utf8(rows.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn batches_are_written_in_order_and_the_sink_is_finished() {
        let rows = Rows::default();
        let writer = start(&rows);
        for batch in [&b"1\n"[..], b"2\n", b"3\n", b"4\n"] {
            assert!(writer.write(vec![row(batch, None)]));
        }
        writer.finish(true).unwrap();
        assert_eq!(text(&rows), "1\n2\n3\n4\nend\n");
    }

    #[test]
    fn interrupted_run_writes_its_rows_without_finishing_the_sink() {
        let rows = Rows::default();
        let writer = start(&rows);
        assert!(writer.write(vec![row(b"1\n", None)]));
        writer.finish(false).unwrap();
        assert_eq!(text(&rows), "1\n");
    }

    #[test]
    fn write_error_stops_the_writer_and_is_returned() {
        let writer = start(&Rows::default());
        while writer.write(vec![row(b"", None)]) {}
        let error = writer.finish(true).unwrap_err().to_string();
        assert_eq!(error, "cannot write to standard output");
    }

    #[test]
    fn image_whose_sidecar_fails_gets_the_row_of_an_error() {
        let (folder, rows) = (tempfile::tempdir().unwrap(), Rows::default());
        let writer = start(&rows);
        let images = [folder.path().join("a.jpg"), folder.path().join("gone/b.jpg")];
        let [a, b] = images.map(|image| row(b"record\n", Some(image)));
        assert!(writer.write(vec![a, b]));
        let sidecars = writer.finish(true).unwrap();
        assert_eq!(sidecars.failed, 1);
        let lines = text(&rows);
        let lines: Vec<_> = lines.lines().collect();
        assert_eq!((lines[0], lines[2]), ("record", "end"));
        assert!(lines[1].contains("b.jpg,,\"cannot write to "), "{lines:?}");
    }
}
