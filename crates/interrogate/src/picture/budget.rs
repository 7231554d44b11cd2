//! How many bytes the images take that are read, decoded and prepared at once.

use std::path::Path;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::limits;

/// How far an image has come, which decides what it waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// A member of an archive whose bytes wait for a thread.
    Queued,
    /// A thread has it, with the bytes of its file.
    Read,
    /// It is decoded and prepared.
    Decoded,
}

const STAGES: usize = 3;

/// Bytes that threads share.
///
/// An image enters a stage once its bytes fit, or at once where no other image has come so
/// far: it then waits only for images ahead of it, and the foremost one never waits. All
/// together take at most the limit and what one image needs at each stage.
pub struct Budget {
    limit: u64,
    state: Mutex<State>,
    freed: Condvar,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct State {
    taken: u64,
    /// Images that have come to each stage, those beyond it included.
    reached: [usize; STAGES],
}

impl State {
    fn admits(&self, limit: u64, stage: Stage, bytes: u64) -> bool {
        self.reached[stage as usize] == 0 || self.taken.saturating_add(bytes) <= limit
    }
}

impl Budget {
    /// A budget of so many bytes, none of them taken.
    pub fn new(limit: u64) -> Self {
        Budget { limit, state: Mutex::default(), freed: Condvar::new() }
    }

    /// Takes the first `bytes` of an image, at `stage`. Waits until they may be taken.
    pub fn share(&self, stage: Stage, bytes: u64) -> Share<'_> {
        let mut share = Share { budget: self, bytes: 0, stage: None };
        share.enter(stage, bytes);
        share
    }

    /// The same for the file at `path`, at [`Stage::Read`]. Where there is none, reading it
    /// says so.
    pub fn share_file(&self, path: &Path) -> Share<'_> {
        let bytes = std::fs::metadata(path).map_or(0, |file| file.len());
        self.share(Stage::Read, bytes.min(limits::PICTURE_BYTES))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Ignore lock poisoning: every change is a whole one.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The bytes of one image, taken until this is dropped.
pub struct Share<'a> {
    budget: &'a Budget,
    bytes: u64,
    stage: Option<Stage>,
}

impl Share<'_> {
    /// Brings the image to a later `stage`, which takes `bytes` more. Waits until they may
    /// be taken.
    pub fn enter(&mut self, stage: Stage, bytes: u64) {
        let Budget { limit, freed, .. } = self.budget;
        let waiting = |state: &mut State| !state.admits(*limit, stage, bytes);
        let state = freed.wait_while(self.budget.state(), waiting);
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        state.taken += bytes;
        self.bytes += bytes;
        for reached in &mut state.reached[self.next()..=stage as usize] {
            *reached += 1;
        }
        self.stage = Some(stage);
    }

    /// The first stage that it has not come to.
    fn next(&self) -> usize {
        self.stage.map_or(0, |stage| stage as usize + 1)
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        let mut state = self.budget.state();
        state.taken -= self.bytes;
        for reached in &mut state.reached[..self.next()] {
            *reached -= 1;
        }
        drop(state);
        self.budget.freed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::thread;

    use super::Stage::{Decoded, Queued, Read};
    use super::*;

    #[test]
    fn an_image_waits_for_bytes_and_only_for_images_ahead_of_it() {
        let budget = Budget::new(100);
        let admits = |stage, bytes| budget.state().admits(100, stage, bytes);
        assert!([Queued, Read, Decoded].into_iter().all(|stage| admits(stage, 1000)), "the first");
        let queued = budget.share(Queued, 60);
        assert!(admits(Queued, 40) && !admits(Queued, 41));
        assert!(admits(Read, 1000) && admits(Decoded, 1000), "those in the queue are behind");
        let mut read = budget.share(Read, 60);
        assert!(!admits(Queued, 1) && !admits(Read, 1) && admits(Decoded, 1000));
        read.enter(Decoded, 1000);
        assert!(!admits(Decoded, 1));
        assert_eq!(*budget.state(), State { taken: 1120, reached: [2, 1, 1] });
        drop(read);
        assert!(admits(Read, 41) && !admits(Queued, 41) && admits(Queued, 40));
        drop(queued);
        assert_eq!(*budget.state(), State::default());
    }

    /// The sizes of twelve images: all threads come to an end, and the sum stays bounded.
    #[test]
    fn threads_take_no_more_than_the_limit_and_one_image() {
        let (budget, most) = (Budget::new(50), AtomicU64::new(0));
        let took = |budget: &Budget| most.fetch_max(budget.state().taken, Ordering::SeqCst);
        thread::scope(|scope| {
            for number in 0..12u64 {
                let (budget, took) = (&budget, &took);
                scope.spawn(move || {
                    for round in 0..100 {
                        let (file, pixels) = ((number + round) % 5, (number * round) % 90);
                        let mut share = budget.share(Read, file);
                        took(budget);
                        share.enter(Decoded, pixels);
                        took(budget);
                        thread::yield_now();
                    }
                });
            }
        });
        assert!(most.into_inner() <= 50 + 4 + 89);
        assert_eq!(*budget.state(), State::default());
    }
}
