//! The images between the one that is read next and the one that is answered
//! next: given out in order, done in any order, taken in order again.

use std::collections::{BTreeMap, VecDeque};
use std::ops::ControlFlow;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// A queue whose items are turned into others by many threads and keep their
/// order. It holds `ahead` of them at most, finished or not.
pub(super) struct Window<I, O> {
    ahead: usize,
    state: Mutex<State<I, O>>,
    /// There is room for one more.
    room: Condvar,
    /// There is one to be worked on, or none will come.
    work: Condvar,
    /// The next one is done, or none will come.
    done: Condvar,
}

struct State<I, O> {
    waiting: VecDeque<(usize, I)>,
    done: BTreeMap<usize, O>,
    given: usize,
    taken: usize,
    /// No more will be given.
    ended: bool,
    /// No more is wanted.
    closed: bool,
}

impl<I, O> Window<I, O> {
    pub(super) fn new(ahead: usize) -> Self {
        let state = State {
            waiting: VecDeque::new(),
            done: BTreeMap::new(),
            given: 0,
            taken: 0,
            ended: false,
            closed: false,
        };
        Window {
            ahead: ahead.max(1),
            state: Mutex::new(state),
            room: Condvar::new(),
            work: Condvar::new(),
            done: Condvar::new(),
        }
    }

    /// Puts `item` in once there is room; breaks off where no more is wanted.
    pub(super) fn give(&self, item: I) -> ControlFlow<()> {
        let full =
            |state: &mut State<I, O>| !state.closed && state.given >= state.taken + self.ahead;
        let mut state = wait(&self.room, self.state(), full);
        if state.closed {
            return ControlFlow::Break(());
        }
        let place = state.given;
        state.waiting.push_back((place, item));
        state.given += 1;
        drop(state);
        self.work.notify_one();
        ControlFlow::Continue(())
    }

    /// No more will be given.
    pub(super) fn end(&self) {
        self.state().ended = true;
        self.work.notify_all();
        self.done.notify_all();
    }

    /// The next one to be worked on, with its place; `None` where all are.
    pub(super) fn work(&self) -> Option<(usize, I)> {
        let idle =
            |state: &mut State<I, O>| state.waiting.is_empty() && !state.ended && !state.closed;
        let mut state = wait(&self.work, self.state(), idle);
        if state.closed { None } else { state.waiting.pop_front() }
    }

    /// What came of the one at `place`.
    pub(super) fn put(&self, place: usize, item: O) {
        let mut state = self.state();
        state.done.insert(place, item);
        if place == state.taken {
            drop(state);
            self.done.notify_all();
        }
    }

    /// The next one in order, once it is done; `None` where all are taken.
    pub(super) fn take(&self) -> Option<O> {
        let unfinished = |state: &mut State<I, O>| {
            let all = state.ended && state.given == state.taken;
            !state.closed && !all && !state.done.contains_key(&state.taken)
        };
        let mut state = wait(&self.done, self.state(), unfinished);
        let taken = state.taken;
        let item = state.done.remove(&taken)?;
        state.taken += 1;
        drop(state);
        self.room.notify_one();
        Some(item)
    }

    /// No more is wanted: all who wait are let go, and what waits for work is dropped.
    pub(super) fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        drop(waiting);
        for all in [&self.room, &self.work, &self.done] {
            all.notify_all();
        }
    }

    fn state(&self) -> MutexGuard<'_, State<I, O>> {
        // Every change is a whole one: a thread that panicked left none half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn wait<'a, S>(
    event: &Condvar,
    state: MutexGuard<'a, S>,
    not_yet: impl FnMut(&mut S) -> bool,
) -> MutexGuard<'a, S> {
    event.wait_while(state, not_yet).unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_is_done_out_of_order_is_taken_in_order() {
        let window = Window::new(7);
        let (inside, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let taken = thread::scope(|scope| {
            scope.spawn(|| {
                for item in 0..200u64 {
                    assert!(window.give(item).is_continue());
                    most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                }
                window.end();
            });
            for _ in 0..4 {
                scope.spawn(|| {
                    while let Some((place, item)) = window.work() {
                        thread::sleep(Duration::from_micros(item * 37 % 11 * 50));
                        window.put(place, item * item);
                    }
                });
            }
            let mut taken = Vec::new();
            while let Some(item) = window.take() {
                inside.fetch_sub(1, Ordering::SeqCst);
                taken.push(item);
            }
            taken
        });
        assert_eq!(taken, (0..200).map(|item| item * item).collect::<Vec<u64>>());
        // One that was just taken may not have been counted out yet.
        assert!(most.into_inner() <= 8);
    }

    #[test]
    fn who_waits_is_let_go_when_no_more_is_wanted() {
        let window = Window::<u8, u8>::new(1);
        thread::scope(|scope| {
            let giver = scope.spawn(|| (window.give(1), window.give(2)));
            let worker = scope.spawn(|| (window.work(), window.work()));
            thread::sleep(Duration::from_millis(20));
            window.close();
            let (first, second) = giver.join().unwrap();
            assert!(first.is_continue() && second.is_break());
            assert_eq!(worker.join().unwrap(), (Some((0, 1)), None));
            assert_eq!(window.take(), None);
        });
    }

    #[test]
    fn nothing_given_is_nothing_taken() {
        let window = Window::<u8, u8>::new(3);
        window.end();
        assert_eq!((window.work(), window.take()), (None, None));
    }
}
