//! The queue of a model's thread.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::problem::Problem;

/// The maximum number of jobs in a batch.
pub(super) const BATCH: usize = 16;

/// How long a batch waits for more jobs after its first.
const JOIN: Duration = Duration::from_millis(5);

/// The number of batches after which a long job that waits is taken.
const PATIENCE: usize = 8;

/// Jobs that wait for the thread of a model: short ones, which are taken in batches, and long
/// ones, which are taken one by one. The number of jobs is limited by the server's admission.
pub(super) struct Queue<J> {
    jobs: Mutex<Jobs<J>>,
    changed: Condvar,
}

struct Jobs<J> {
    short: VecDeque<J>,
    long: VecDeque<J>,
    /// The number of batches since the last long job.
    batches: usize,
    closed: bool,
}

/// What a thread does next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next<J> {
    /// Short jobs, at most [`BATCH`].
    Batch(Vec<J>),
    /// A long job.
    Long(J),
}

impl<J> Queue<J> {
    pub(super) fn new() -> Self {
        let (short, long) = (VecDeque::new(), VecDeque::new());
        let jobs = Jobs { short, long, batches: 0, closed: false };
        Queue { jobs: Mutex::new(jobs), changed: Condvar::new() }
    }

    /// Appends a job. A closed queue drops it.
    pub(super) fn push(&self, job: J, long: bool) {
        let mut jobs = self.jobs();
        if !jobs.closed {
            if long {
                jobs.long.push_back(job);
            } else {
                jobs.short.push_back(job);
            }
            self.changed.notify_one();
        }
    }

    /// Waits for the next jobs. Short jobs come first, but a long job waits for at most 8 batches
    /// of them. A batch that is not full waits 5 ms for more. Returns `None` once the queue is
    /// closed.
    pub(super) fn next(&self) -> Option<Next<J>> {
        let mut jobs = self.jobs();
        loop {
            if jobs.closed {
                return None;
            }
            if (jobs.short.is_empty() || jobs.batches >= PATIENCE)
                && let Some(job) = jobs.long.pop_front()
            {
                jobs.batches = 0;
                return Some(Next::Long(job));
            }
            if !jobs.short.is_empty() {
                break;
            }
            jobs = self.changed.wait(jobs).unwrap_or_else(PoisonError::into_inner);
        }
        let until = Instant::now() + JOIN;
        while jobs.short.len() < BATCH && !jobs.closed {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let waited = self.changed.wait_timeout(jobs, left);
            (jobs, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
        jobs.batches += 1;
        Some(Next::Batch(take(&mut jobs.short)))
    }

    /// Returns the short jobs that wait now, at most [`BATCH`], without waiting.
    pub(super) fn waiting(&self) -> Vec<J> {
        take(&mut self.jobs().short)
    }

    /// Drops the long jobs that are unwanted.
    pub(super) fn discard(&self, is_unwanted: impl Fn(&J) -> bool) {
        let mut jobs = self.jobs();
        let long = std::mem::take(&mut jobs.long).into_iter();
        let (dropped, left): (VecDeque<J>, _) = long.partition(|job| is_unwanted(job));
        jobs.long = left;
        drop(jobs);
        drop(dropped); // not under the lock
    }

    /// Returns the number of jobs.
    pub(super) fn len(&self) -> usize {
        let jobs = self.jobs();
        jobs.short.len() + jobs.long.len()
    }

    /// Returns the problem of a job that was dropped: status 503 if the queue is closed, else
    /// 500, because the thread panicked.
    pub(super) fn lost(&self) -> Problem {
        if self.is_closed() { Problem::ending() } else { Problem::internal() }
    }

    /// Whether the queue is closed.
    pub(super) fn is_closed(&self) -> bool {
        self.jobs().closed
    }

    /// Drops all jobs and ends the thread.
    pub(super) fn close(&self) {
        let dropped = {
            let mut jobs = self.jobs();
            jobs.closed = true;
            (std::mem::take(&mut jobs.short), std::mem::take(&mut jobs.long))
        };
        drop(dropped); // not under the lock
        self.changed.notify_all();
    }

    fn jobs(&self) -> MutexGuard<'_, Jobs<J>> {
        // Ignore lock poisoning: no panic leaves an update half done.
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn take<J>(jobs: &mut VecDeque<J>) -> Vec<J> {
    let count = jobs.len().min(BATCH);
    jobs.drain(..count).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_jobs_are_batched_and_come_before_long_ones() {
        let queue = Queue::new();
        queue.push(100, true);
        queue.push(101, true);
        (0..18).for_each(|job| queue.push(job, false));
        assert_eq!(queue.len(), 20);
        assert_eq!(queue.next(), Some(Next::Batch((0..16).collect())));
        assert_eq!(queue.next(), Some(Next::Batch(vec![16, 17])));
        assert_eq!(queue.next(), Some(Next::Long(100)));
        queue.push(18, false);
        assert_eq!(queue.waiting(), [18]);
        assert!(queue.waiting().is_empty());
        assert_eq!(queue.next(), Some(Next::Long(101)));
    }

    #[test]
    fn a_long_job_waits_for_eight_batches_at_most() {
        let queue = Queue::new();
        queue.push(0, true);
        (0..200).for_each(|job| queue.push(job, false));
        let batches = (0..12).take_while(|_| matches!(queue.next(), Some(Next::Batch(_))));
        assert_eq!(batches.count(), PATIENCE);
    }

    #[test]
    fn next_waits_for_a_job() {
        let queue = Queue::new();
        std::thread::scope(|scope| {
            let next = scope.spawn(|| queue.next());
            queue.push(1, false);
            assert_eq!(next.join().unwrap(), Some(Next::Batch(vec![1])));
        });
    }

    #[test]
    fn discarded_jobs_leave_the_order_of_the_others() {
        let queue = Queue::new();
        (0..4).for_each(|job| queue.push(job, true));
        queue.discard(|job| job % 2 == 0);
        let found = [queue.next(), queue.next()];
        assert_eq!(found, [Some(Next::Long(1)), Some(Next::Long(3))]);
    }

    #[test]
    fn a_closed_queue_drops_jobs_and_ends_its_thread() {
        let queue = Queue::new();
        queue.push(1, true);
        std::thread::scope(|scope| {
            scope.spawn(|| queue.close());
            while queue.next().is_some() {}
        });
        queue.push(2, false);
        assert_eq!((queue.len(), queue.next()), (0, None));
    }
}
