//! The system's allocator, counted: for tests that hold a reader or a build to its
//! memory, each in a binary of its own.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::RefCell;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);
static TURN: Mutex<()> = Mutex::new(());

// SAFETY: every call goes to the system's allocator as it came. What grows is
// allocated anew and copied (the trait's own `realloc`), so that the peak counts
// old and new together; `alloc_zeroed` is the system's, which commits no page.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        counted(layout.size());
        // SAFETY: the caller's promise is the one that is asked for here.
        unsafe { System.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        counted(layout.size());
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as above; `memory` came from this allocator's own calls to it.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn counted(size: usize) {
    let now = NOW.fetch_add(size, Relaxed) + size;
    PEAK.fetch_max(now, Relaxed);
}

/// Bytes that are allocated now.
pub(crate) fn now() -> usize {
    NOW.load(Relaxed)
}

thread_local! {
    /// How many turns this thread has, and the lock that all of them share.
    static TAKEN: RefCell<(usize, Option<MutexGuard<'static, ()>>)> = const { RefCell::new((0, None)) };
}

/// While it lives, no other test of the binary is at work.
#[must_use = "another test may begin once this is dropped"]
pub(crate) struct Turn(PhantomData<*const ()>);

/// Waits until no other test of the binary is at work: each takes its turn before it
/// allocates, whatever it counts, for what one allocates is counted to all. A test that
/// has the turn may take it again.
pub(crate) fn alone() -> Turn {
    TAKEN.with_borrow_mut(|(turns, lock)| {
        if *turns == 0 {
            *lock = Some(TURN.lock().unwrap_or_else(PoisonError::into_inner));
        }
        *turns += 1;
    });
    Turn(PhantomData)
}

impl Drop for Turn {
    fn drop(&mut self) {
        TAKEN.with_borrow_mut(|(turns, lock)| {
            *turns -= 1;
            if *turns == 0 {
                *lock = None;
            }
        });
    }
}

/// What `work` gives, and the bytes that it had at most beyond those of before.
pub(crate) fn peak<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = now();
    PEAK.store(before, Relaxed);
    let done = work();
    (done, PEAK.load(Relaxed).saturating_sub(before))
}
