//! Batches that a device computes at the same time.
//!
//! All operations of a device are queued on one stream, in the order in which they are called. A
//! thread that waits for the results of its batch leaves the device idle unless another thread
//! has queued the next batch before. So a few threads run batches side by side.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::IN_FLIGHT;
use super::memory::as_out_of_memory;
use crate::error::DeviceError;
use crate::nn::backend::Batch;
use crate::{Error, Result};

/// Bounds the batches that a backend computes at the same time. Clones share the bound.
#[derive(Clone, Debug)]
pub(super) struct InFlight(Arc<(Mutex<Usage>, Condvar)>);

#[derive(Debug)]
struct Usage {
    running: usize,
    limit: usize,
}

/// A batch that counts as running until this is dropped.
struct Slot<'a> {
    in_flight: &'a InFlight,
    /// Whether no other batch runs beside it.
    alone: bool,
}

impl InFlight {
    pub(super) fn new(limit: usize) -> Self {
        InFlight(Arc::new((Mutex::new(Usage { running: 0, limit }), Condvar::new())))
    }

    fn usage(&self) -> MutexGuard<'_, Usage> {
        // Ignore lock poisoning: both numbers are valid at any time.
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self) -> Slot<'_> {
        let full = |usage: &mut Usage| usage.running >= usage.limit;
        let usage = self.0.1.wait_while(self.usage(), full);
        let mut usage = usage.unwrap_or_else(PoisonError::into_inner);
        usage.running += 1;
        Slot { in_flight: self, alone: usage.limit == 1 }
    }

    /// From now on, each batch waits until it is the only one: several do not fit the memory.
    fn one_at_a_time(&self) {
        self.usage().limit = 1;
    }

    /// Returns the results of `work` for `batches`, in order, with up to [`IN_FLIGHT`] batches at
    /// a time. When the device runs out of memory, `reclaim` is called and the batch is tried
    /// again with no other beside it, and halved only if it does not fit alone; later batches
    /// are limited to the size that fit. After an error no batch is begun.
    ///
    /// # Errors
    /// [`DeviceError::OutOfMemory`] at `action` if a batch of one does not fit, else those of
    /// `work`; of several, that of the first batch.
    pub(super) fn each<P: Batch + Clone + Send, T: Send>(
        &self,
        action: &'static str,
        batches: impl ExactSizeIterator<Item = P> + Send,
        reclaim: impl Fn() + Sync,
        work: impl Fn(P) -> Result<T> + Sync,
    ) -> Result<Vec<T>> {
        let threads = batches.len().min(IN_FLIGHT);
        let queue = Mutex::new(Queue {
            batches: batches.enumerate(),
            most: usize::MAX,
            results: Vec::new(),
            error: None,
        });
        // A function of its own, so that the lock is not held while the batch is computed.
        let next = || lock(&queue).next();
        let run = || {
            while let Some((number, batch)) = next() {
                let found = self.parts(action, batch, &queue, &reclaim, &work);
                lock(&queue).add(number, found);
            }
        };
        thread::scope(|scope| {
            let others: Vec<_> = (1..threads).map(|_| scope.spawn(run)).collect();
            run();
            for other in others {
                if let Err(panic) = other.join() {
                    std::panic::resume_unwind(panic);
                }
            }
        });
        queue.into_inner().unwrap_or_else(PoisonError::into_inner).finish()
    }

    /// Returns the results of the parts of a batch, in order.
    fn parts<P: Batch + Clone, T, I>(
        &self,
        action: &'static str,
        batch: P,
        queue: &Mutex<Queue<I, T>>,
        reclaim: &impl Fn(),
        work: &impl Fn(P) -> Result<T>,
    ) -> Result<Vec<T>> {
        let (mut parts, mut results) = (vec![batch], Vec::new());
        while let Some(part) = parts.pop() {
            let most = lock(queue).most;
            if part.items() > most {
                let [first, rest] = part.split(most);
                parts.extend([rest, first]);
                continue;
            }
            let slot = self.enter();
            let error = match work(part.clone()) {
                Ok(result) => {
                    results.push(result);
                    continue;
                }
                Err(error) => error,
            };
            let source = as_out_of_memory(error)?;
            reclaim();
            if !slot.alone {
                self.one_at_a_time();
            } else if part.items() > 1 {
                let mut queue = lock(queue);
                queue.most = queue.most.min(part.items() / 2);
            } else {
                let batch = 1;
                return Err(Error::Device(DeviceError::OutOfMemory { action, batch, source }));
            }
            parts.push(part);
        }
        Ok(results)
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        self.in_flight.usage().running -= 1;
        self.in_flight.0.1.notify_all();
    }
}

/// The batches that are not begun, and the results so far.
struct Queue<I, T> {
    batches: I,
    /// The most items of a batch that fit.
    most: usize,
    /// The number of a batch, and its results.
    results: Vec<(usize, Vec<T>)>,
    error: Option<(usize, Error)>,
}

impl<I, T> Queue<I, T> {
    /// The next batch to begin, unless one failed.
    fn next<P>(&mut self) -> Option<(usize, P)>
    where
        I: Iterator<Item = (usize, P)>,
    {
        match self.error {
            None => self.batches.next(),
            Some(_) => None,
        }
    }

    /// Adds the results of a batch. Batches are begun in order, so all before a failed one are
    /// computed, and the first error does not depend on the threads.
    fn add(&mut self, number: usize, found: Result<Vec<T>>) {
        match found {
            Ok(results) => self.results.push((number, results)),
            Err(error) => {
                if self.error.as_ref().is_none_or(|(first, _)| number < *first) {
                    self.error = Some((number, error));
                }
            }
        }
    }

    fn finish(mut self) -> Result<Vec<T>> {
        if let Some((_, error)) = self.error {
            return Err(error);
        }
        self.results.sort_unstable_by_key(|(number, _)| *number);
        Ok(self.results.into_iter().flat_map(|(_, results)| results).collect())
    }
}

/// Ignores lock poisoning: a panic ends the call, and nothing reads the queue after it.
fn lock<T>(queue: &Mutex<T>) -> MutexGuard<'_, T> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::ops::Range;
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::super::memory::tests::out_of_memory;
    use super::*;

    fn even(count: usize, size: usize) -> Vec<Range<usize>> {
        (0..count).map(|number| number * size..(number + 1) * size).collect()
    }

    fn run<T: Send>(
        batches: Vec<Range<usize>>,
        work: impl Fn(Range<usize>) -> Result<T> + Sync,
    ) -> Result<Vec<T>> {
        InFlight::new(IN_FLIGHT).each("a test", batches.into_iter(), || (), work)
    }

    #[test]
    fn batches_run_side_by_side_with_results_in_order() {
        // Each batch ends only when three have begun.
        let barrier = Barrier::new(IN_FLIGHT);
        let found = run(even(12, 4), |batch| {
            barrier.wait();
            Ok(batch)
        });
        assert_eq!(found.unwrap(), even(12, 4));
        assert!(run(Vec::new(), |_| Ok(())).unwrap().is_empty());
    }

    /// A device for `room` items at a time.
    struct Memory {
        room: usize,
        used: AtomicUsize,
        most: AtomicUsize,
    }

    impl Memory {
        fn new(room: usize) -> Self {
            Memory { room, used: AtomicUsize::new(0), most: AtomicUsize::new(0) }
        }

        fn compute(&self, batch: Range<usize>) -> Result<Range<usize>> {
            let used = self.used.fetch_add(batch.len(), Ordering::SeqCst) + batch.len();
            thread::sleep(std::time::Duration::from_millis(1));
            let fits = used <= self.room;
            self.used.fetch_sub(batch.len(), Ordering::SeqCst);
            if fits {
                self.most.fetch_max(batch.len(), Ordering::SeqCst);
                Ok(batch)
            } else {
                Err(out_of_memory())
            }
        }
    }

    #[test]
    fn batches_that_compete_for_memory_are_not_halved() {
        for round in 0..20 {
            let memory = Memory::new(8 + round % 4);
            let found = run(even(10, 8), |batch| memory.compute(batch));
            assert_eq!(found.unwrap(), even(10, 8));
        }
    }

    #[test]
    fn batches_that_do_not_fit_alone_are_halved() {
        for room in [1, 3, 5, 7] {
            let memory = Memory::new(room);
            let found: Vec<_> = run(even(6, 8), |batch| memory.compute(batch)).unwrap();
            let items: Vec<usize> = found.into_iter().flatten().collect();
            assert_eq!(items, Vec::from_iter(0..48), "room for {room}");
            // 8, 4, 2, 1
            assert_eq!(
                memory.most.into_inner(),
                [1, 2, 4].into_iter().rfind(|&n| n <= room).unwrap()
            );
        }
    }

    #[test]
    fn two_calls_share_the_bound() {
        let (in_flight, memory) = (InFlight::new(IN_FLIGHT), Memory::new(8));
        let call = || {
            let (in_flight, memory) = (in_flight.clone(), &memory);
            let work = |batch| memory.compute(batch);
            in_flight.each("a test", even(6, 8).into_iter(), || (), work)
        };
        thread::scope(|scope| {
            let other = scope.spawn(call);
            assert_eq!(call().unwrap(), even(6, 8));
            assert_eq!(other.join().unwrap().unwrap(), even(6, 8));
        });
    }

    #[test]
    fn batch_of_one_that_does_not_fit_is_reported() {
        let reclaimed = AtomicUsize::new(0);
        let error = InFlight::new(IN_FLIGHT).each(
            "a test",
            even(4, 4).into_iter(),
            || {
                reclaimed.fetch_add(1, Ordering::SeqCst);
            },
            |_| Err::<(), _>(out_of_memory()),
        );
        let expected = "the device ran out of memory at a test, with batches down to 1";
        assert_eq!(error.unwrap_err().to_string(), expected);
        assert!(reclaimed.into_inner() >= 3);
    }

    #[test]
    fn first_error_is_reported_and_no_batch_begins_after_it() {
        let begun = AtomicUsize::new(0);
        let failed = run(even(100, 1), |batch: Range<usize>| {
            begun.fetch_add(1, Ordering::SeqCst);
            if batch.start < 2 {
                thread::sleep(std::time::Duration::from_millis(20 - 10 * batch.start as u64));
                let message = format!("batch {}", batch.start);
                return Err(Error::tensors("test")(candle_core::Error::Msg(message)));
            }
            thread::sleep(std::time::Duration::from_millis(2));
            Ok(())
        });
        let error = failed.unwrap_err();
        assert!(format!("{error:?}").contains("batch 0"), "{error:?}");
        assert!(begun.into_inner() < 100);
    }

    #[test]
    #[should_panic(expected = "in a batch")]
    fn panic_is_propagated() {
        let _ = run(even(6, 1), |batch: Range<usize>| {
            assert!(batch.start != 4, "in a batch");
            Ok(())
        });
    }
}
