//! Limits how many threads decode at once to the number of processors, while
//! others wait for the disk.

use std::sync::{Condvar, Mutex, PoisonError};

/// A counting semaphore.
pub(super) struct Semaphore {
    free: Mutex<usize>,
    freed: Condvar,
}

impl Semaphore {
    /// Returns a semaphore of `permits` permits, at least one.
    pub(super) fn new(permits: usize) -> Self {
        Semaphore { free: Mutex::new(permits.max(1)), freed: Condvar::new() }
    }

    /// Waits for a permit and runs `work` with it.
    pub(super) fn run<T>(&self, work: impl FnOnce() -> T) -> T {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let free = self.freed.wait_while(free, |free| *free == 0);
        *free.unwrap_or_else(PoisonError::into_inner) -= 1;
        let _permit = Permit(self);
        work()
    }
}

/// A permit in use; dropping it returns it, also in a panic.
struct Permit<'a>(&'a Semaphore);

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;
    use std::time::Duration;

    use super::*;

    #[test]
    fn concurrency_stays_within_the_permits() {
        let (semaphore, running, most) =
            (Semaphore::new(3), AtomicUsize::new(0), AtomicUsize::new(0));
        thread::scope(|scope| {
            for _ in 0..12 {
                scope.spawn(|| {
                    semaphore.run(|| {
                        most.fetch_max(
                            running.fetch_add(1, Ordering::SeqCst) + 1,
                            Ordering::SeqCst,
                        );
                        thread::sleep(Duration::from_millis(5));
                        running.fetch_sub(1, Ordering::SeqCst);
                    });
                });
            }
        });
        assert_eq!((most.into_inner(), *semaphore.free.lock().unwrap()), (3, 3));
    }
}
