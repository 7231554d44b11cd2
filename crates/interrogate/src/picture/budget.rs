//! Limits the memory of the images that are read, decoded and preprocessed at once.

use std::path::Path;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::limits;

/// How far an image has been loaded. An image waits only for images at its stage or later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LoadStage {
    /// A member of an archive, read and waiting for a thread.
    Queued,
    /// A thread holds the bytes of its file.
    Read,
    /// It is decoded and preprocessed.
    Decoded,
}

const LOAD_STAGES: usize = 3;

/// A memory budget that threads share.
///
/// An image enters a stage once its bytes fit, or at once if no other image has reached
/// that stage. It therefore waits only for images ahead of it, and the foremost one never
/// waits. Together the images use at most the limit plus what one image needs at each stage.
///
/// ```
/// use interrogate::picture::{Budget, LoadStage, Picture};
///
/// let budget = Budget::new(256 << 20);
/// let file = b"P5\n2 1\n255\n\x00\xff"; // a PGM of two pixels
/// let mut reserved = budget.reserve(LoadStage::Read, file.len() as u64);
/// let decoded = Picture::decode_reserving(file, "two.pgm".as_ref(), |bytes| {
///     reserved.advance(LoadStage::Decoded, bytes);
/// })?;
/// assert_eq!(decoded.rgb(), [0, 0, 0, 255, 255, 255]);
/// drop(reserved); // other threads can now reserve the bytes
/// # Ok::<(), interrogate::Error>(())
/// ```
pub struct Budget {
    limit: u64,
    usage: Mutex<Usage>,
    freed: Condvar,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Usage {
    reserved: u64,
    /// Images that have reached each stage, including those beyond it.
    reached: [usize; LOAD_STAGES],
}

impl Usage {
    fn admits(&self, limit: u64, stage: LoadStage, bytes: u64) -> bool {
        self.reached[stage as usize] == 0 || self.reserved.saturating_add(bytes) <= limit
    }
}

impl Budget {
    /// Creates a budget of `limit` bytes.
    pub fn new(limit: u64) -> Self {
        Budget { limit, usage: Mutex::default(), freed: Condvar::new() }
    }

    /// Reserves the first `bytes` of an image, at `stage`. Waits until they fit.
    pub fn reserve(&self, stage: LoadStage, bytes: u64) -> Reservation<'_> {
        let mut reservation = Reservation { budget: self, bytes: 0, stage: None };
        reservation.advance(stage, bytes);
        reservation
    }

    /// Reserves the size of the file at `path`, at [`LoadStage::Read`]. If there is no such
    /// file, reserves 0 bytes; reading it reports the error.
    pub fn reserve_file(&self, path: &Path) -> Reservation<'_> {
        let bytes = std::fs::metadata(path).map_or(0, |file| file.len());
        self.reserve(LoadStage::Read, bytes.min(limits::PICTURE_BYTES))
    }

    fn usage(&self) -> MutexGuard<'_, Usage> {
        // Ignore lock poisoning: no panic leaves an update half done.
        self.usage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The bytes reserved for one image. Dropping it releases them.
pub struct Reservation<'a> {
    budget: &'a Budget,
    bytes: u64,
    stage: Option<LoadStage>,
}

impl Reservation<'_> {
    /// Moves the image to a later `stage`, which needs `bytes` more. Waits until they fit.
    pub fn advance(&mut self, stage: LoadStage, bytes: u64) {
        let Budget { limit, freed, .. } = self.budget;
        let waiting = |usage: &mut Usage| !usage.admits(*limit, stage, bytes);
        let usage = freed.wait_while(self.budget.usage(), waiting);
        let mut usage = usage.unwrap_or_else(PoisonError::into_inner);
        usage.reserved += bytes;
        self.bytes += bytes;
        for reached in &mut usage.reached[self.next()..=stage as usize] {
            *reached += 1;
        }
        self.stage = Some(stage);
    }

    /// The first stage that the image has not reached.
    fn next(&self) -> usize {
        self.stage.map_or(0, |stage| stage as usize + 1)
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        let mut usage = self.budget.usage();
        usage.reserved -= self.bytes;
        for reached in &mut usage.reached[..self.next()] {
            *reached -= 1;
        }
        drop(usage);
        self.budget.freed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::thread;

    use super::LoadStage::{Decoded, Queued, Read};
    use super::*;

    #[test]
    fn an_image_waits_only_for_images_ahead_of_it() {
        let budget = Budget::new(100);
        let admits = |stage, bytes| budget.usage().admits(100, stage, bytes);
        assert!([Queued, Read, Decoded].into_iter().all(|stage| admits(stage, 1000)), "the first");
        let queued = budget.reserve(Queued, 60);
        assert!(admits(Queued, 40) && !admits(Queued, 41));
        assert!(admits(Read, 1000) && admits(Decoded, 1000), "those in the queue are behind");
        let mut read = budget.reserve(Read, 60);
        assert!(!admits(Queued, 1) && !admits(Read, 1) && admits(Decoded, 1000));
        read.advance(Decoded, 1000);
        assert!(!admits(Decoded, 1));
        assert_eq!(*budget.usage(), Usage { reserved: 1120, reached: [2, 1, 1] });
        drop(read);
        assert!(admits(Read, 41) && !admits(Queued, 41) && admits(Queued, 40));
        drop(queued);
        assert_eq!(*budget.usage(), Usage::default());
    }

    /// Twelve threads finish, and the sum of their reservations stays bounded.
    #[test]
    fn threads_reserve_at_most_the_limit_and_one_image() {
        let (budget, peak) = (Budget::new(50), AtomicU64::new(0));
        let sample = |budget: &Budget| peak.fetch_max(budget.usage().reserved, Ordering::SeqCst);
        thread::scope(|scope| {
            for number in 0..12u64 {
                let (budget, sample) = (&budget, &sample);
                scope.spawn(move || {
                    for round in 0..100 {
                        let (file, pixels) = ((number + round) % 5, (number * round) % 90);
                        let mut reservation = budget.reserve(Read, file);
                        sample(budget);
                        reservation.advance(Decoded, pixels);
                        sample(budget);
                        thread::yield_now();
                    }
                });
            }
        });
        assert!(peak.into_inner() <= 50 + 4 + 89);
        assert_eq!(*budget.usage(), Usage::default());
    }
}
