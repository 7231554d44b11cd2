//! How many threads decode at once: one for each that the machine has, while
//! others wait for the disk.

use std::sync::{Condvar, Mutex, PoisonError};

/// So many seats, taken for as long as something is done on one.
pub(super) struct Seats {
    free: Mutex<usize>,
    freed: Condvar,
}

impl Seats {
    pub(super) fn new(seats: usize) -> Self {
        Seats { free: Mutex::new(seats.max(1)), freed: Condvar::new() }
    }

    /// Does `work` once a seat is free.
    pub(super) fn on_one<T>(&self, work: impl FnOnce() -> T) -> T {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let free = self.freed.wait_while(free, |free| *free == 0);
        *free.unwrap_or_else(PoisonError::into_inner) -= 1;
        let _seat = Seat(self);
        work()
    }
}

/// A taken seat; free again when it is dropped, by a panic too.
struct Seat<'a>(&'a Seats);

impl Drop for Seat<'_> {
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
    fn no_more_sit_than_there_are_seats() {
        let (seats, sitting, most) = (Seats::new(3), AtomicUsize::new(0), AtomicUsize::new(0));
        thread::scope(|scope| {
            for _ in 0..12 {
                scope.spawn(|| {
                    seats.on_one(|| {
                        most.fetch_max(
                            sitting.fetch_add(1, Ordering::SeqCst) + 1,
                            Ordering::SeqCst,
                        );
                        thread::sleep(Duration::from_millis(5));
                        sitting.fetch_sub(1, Ordering::SeqCst);
                    });
                });
            }
        });
        assert_eq!((most.into_inner(), *seats.free.lock().unwrap()), (3, 3));
    }
}
