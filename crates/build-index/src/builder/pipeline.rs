//! Work on a few items at a time, while results are written.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::Result;

/// Calls `work` for `items`, in order, on `threads` threads, and `write` for each result on the
/// calling thread, in the order in which they are computed. At most `threads` results wait to be
/// written. With one thread, each item is written before the next is begun.
///
/// If `write` breaks or `work` fails, no item is begun after that, and those that were begun are
/// still written; if `write` fails, they are not.
///
/// # Errors
/// The first error.
pub(super) fn pipeline<I, T: Send>(
    threads: usize,
    items: impl Iterator<Item = I> + Send,
    work: impl Fn(I) -> Result<T> + Sync,
    mut write: impl FnMut(T) -> Result<ControlFlow<()>>,
) -> Result<()> {
    if threads <= 1 {
        for item in items {
            if write(work(item)?)?.is_break() {
                break;
            }
        }
        return Ok(());
    }
    let (items, stop) = (Mutex::new(items), AtomicBool::new(false));
    let next = || {
        if stop.load(Ordering::Relaxed) {
            return None;
        }
        // Ignore lock poisoning: a panic of one thread ends the call.
        items.lock().unwrap_or_else(PoisonError::into_inner).next()
    };
    let (sender, results) = sync_channel(threads);
    thread::scope(|scope| {
        for _ in 0..threads {
            let sender = sender.clone();
            let (next, work) = (&next, &work);
            scope.spawn(move || {
                while let Some(item) = next() {
                    if sender.send(work(item)).is_err() {
                        break; // a write failed
                    }
                }
            });
        }
        drop(sender);
        let mut first = Ok(());
        // Ends when all threads have.
        while let Ok(result) = results.recv() {
            match result {
                Ok(result) => match write(result) {
                    Ok(ControlFlow::Continue(())) => continue,
                    Ok(ControlFlow::Break(())) => {}
                    Err(error) => {
                        stop.store(true, Ordering::Relaxed);
                        drop(results);
                        return first.and(Err(error));
                    }
                },
                Err(error) if first.is_ok() => first = Err(error),
                Err(_) => {}
            }
            stop.store(true, Ordering::Relaxed);
        }
        first
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::AtomicUsize;

    use super::*;
    use crate::Error;

    const THREADS: usize = 3;

    fn failed(number: usize) -> Error {
        Error::Stopped { done: number, total: 0 }
    }

    fn number(error: &Error) -> usize {
        match error {
            Error::Stopped { done, .. } => *done,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn items_are_computed_side_by_side_and_each_is_written() {
        let barrier = Barrier::new(THREADS);
        let work = |item: usize| {
            barrier.wait();
            Ok(item * 2)
        };
        let mut written = Vec::new();
        let write = |item| {
            written.push(item);
            Ok(ControlFlow::Continue(()))
        };
        pipeline(THREADS, 0..30, work, write).unwrap();
        written.sort_unstable();
        assert_eq!(written, Vec::from_iter((0..60).step_by(2)));
    }

    #[test]
    fn one_thread_writes_each_item_before_the_next_is_begun() {
        let begun = AtomicUsize::new(0);
        let work = |item: usize| {
            begun.fetch_add(1, Ordering::SeqCst);
            Ok(item)
        };
        let write = |item| {
            assert_eq!(begun.load(Ordering::SeqCst), item + 1);
            Ok(if item == 4 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        };
        pipeline(1, 0..30, work, write).unwrap();
        assert_eq!(begun.into_inner(), 5);
    }

    #[test]
    fn what_was_begun_is_written_after_a_break_or_an_error_of_work() {
        for fails in [false, true] {
            let begun = AtomicUsize::new(0);
            let work = |item: usize| {
                begun.fetch_add(1, Ordering::SeqCst);
                thread::sleep(std::time::Duration::from_millis(1));
                if fails && item == 5 { Err(failed(5)) } else { Ok(item) }
            };
            let mut written = 0;
            let write = |item| {
                written += 1;
                let stop = !fails && item == 5;
                Ok(if stop { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
            };
            let result = pipeline(THREADS, 0..1000, work, write);
            let begun = begun.into_inner();
            assert!(begun < 100, "{begun}");
            if fails {
                assert_eq!(number(&result.unwrap_err()), 5);
                assert_eq!(written, begun - 1);
            } else {
                result.unwrap();
                assert_eq!(written, begun);
            }
        }
    }

    #[test]
    fn no_item_is_written_after_an_error_of_write() {
        let mut written = Vec::new();
        let write = |item: usize| {
            written.push(item);
            if item == 7 { Err(failed(7)) } else { Ok(ControlFlow::Continue(())) }
        };
        // Results wait for each other: a thread must not block on a result that nobody reads.
        let result = pipeline(THREADS, 0..1000, Ok, write);
        assert_eq!(number(&result.unwrap_err()), 7);
        assert_eq!(written.last(), Some(&7)); // other items may come before it
    }

    #[test]
    #[should_panic(expected = "a scoped thread panicked")]
    fn panic_ends_the_call() {
        let work = |item: usize| {
            assert!(item != 3, "in an item");
            Ok(item)
        };
        let _ = pipeline(THREADS, 0..10, work, |_| Ok(ControlFlow::Continue(())));
    }
}
