//! A system allocator that counts bytes, for tests that bound the memory of a reader or a
//! build. Each of them has its own binary.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::RefCell;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);
static LOCK: Mutex<()> = Mutex::new(());

// SAFETY: every call is forwarded unchanged to the system allocator. `realloc` is the
// trait's own, which allocates, copies and frees, so that the peak counts old and new
// together; `alloc_zeroed` is the system's, which commits no page.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        counted(layout.size());
        // SAFETY: the caller upholds the contract of `alloc`, which is the same.
        unsafe { System.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        counted(layout.size());
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as above; `memory` was allocated by the system allocator.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn counted(size: usize) {
    let now = NOW.fetch_add(size, Relaxed) + size;
    PEAK.fetch_max(now, Relaxed);
}

/// The bytes that are allocated now.
pub(crate) fn now() -> usize {
    NOW.load(Relaxed)
}

thread_local! {
    /// The number of guards of this thread, and the lock that they share.
    static GUARDS: RefCell<(usize, Option<MutexGuard<'static, ()>>)> = const { RefCell::new((0, None)) };
}

/// While this guard lives, no other test of the binary runs.
#[must_use = "another test may run once this is dropped"]
pub(crate) struct Exclusive(PhantomData<*const ()>);

/// Waits until no other test of the binary runs. Every test calls this before it allocates,
/// because the count is global. A test that has a guard may get another.
pub(crate) fn exclusive() -> Exclusive {
    GUARDS.with_borrow_mut(|(guards, lock)| {
        if *guards == 0 {
            *lock = Some(LOCK.lock().unwrap_or_else(PoisonError::into_inner));
        }
        *guards += 1;
    });
    Exclusive(PhantomData)
}

impl Drop for Exclusive {
    fn drop(&mut self) {
        GUARDS.with_borrow_mut(|(guards, lock)| {
            *guards -= 1;
            if *guards == 0 {
                *lock = None;
            }
        });
    }
}

/// Runs `work`. Returns its result and the peak of allocated bytes beyond those before.
pub(crate) fn peak<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = now();
    PEAK.store(before, Relaxed);
    let done = work();
    (done, PEAK.load(Relaxed).saturating_sub(before))
}
