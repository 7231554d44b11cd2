//! The images in flight: queued in order, processed in any order, returned in
//! order.

use std::collections::{BTreeMap, VecDeque};
use std::ops::ControlFlow;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// A bounded queue between one producer, many workers and one consumer. Workers turn
/// each input into an output; outputs come out in the order of the inputs. At most
/// `capacity` items are inside, finished or not.
pub(super) struct Window<I, O> {
    capacity: usize,
    state: Mutex<State<I, O>>,
    /// An item can be pushed.
    not_full: Condvar,
    /// A job is waiting, or none will come.
    job_ready: Condvar,
    /// The next output in order is ready, or none will come.
    output_ready: Condvar,
}

struct State<I, O> {
    waiting: VecDeque<(usize, I)>,
    done: BTreeMap<usize, O>,
    pushed: usize,
    popped: usize,
    /// The producer has pushed its last item.
    finished: bool,
    /// The consumer wants no more.
    closed: bool,
}

impl<I, O> Window<I, O> {
    pub(super) fn new(capacity: usize) -> Self {
        let state = State {
            waiting: VecDeque::new(),
            done: BTreeMap::new(),
            pushed: 0,
            popped: 0,
            finished: false,
            closed: false,
        };
        Window {
            capacity: capacity.max(1),
            state: Mutex::new(state),
            not_full: Condvar::new(),
            job_ready: Condvar::new(),
            output_ready: Condvar::new(),
        }
    }

    /// Waits until the window is not full and appends `item`. Breaks if the window is
    /// closed.
    pub(super) fn push(&self, item: I) -> ControlFlow<()> {
        let full =
            |state: &mut State<I, O>| !state.closed && state.pushed >= state.popped + self.capacity;
        let mut state = wait(&self.not_full, self.state(), full);
        if state.closed {
            return ControlFlow::Break(());
        }
        let position = state.pushed;
        state.waiting.push_back((position, item));
        state.pushed += 1;
        drop(state);
        self.job_ready.notify_one();
        ControlFlow::Continue(())
    }

    /// Declares that no more items are pushed.
    pub(super) fn finish(&self) {
        self.state().finished = true;
        self.job_ready.notify_all();
        self.output_ready.notify_all();
    }

    /// Waits for the next input and returns it with its position; `None` after the last
    /// one or once the window is closed.
    pub(super) fn next_job(&self) -> Option<(usize, I)> {
        let idle =
            |state: &mut State<I, O>| state.waiting.is_empty() && !state.finished && !state.closed;
        let mut state = wait(&self.job_ready, self.state(), idle);
        if state.closed { None } else { state.waiting.pop_front() }
    }

    /// Stores the output of the job at `position`.
    pub(super) fn complete(&self, position: usize, output: O) {
        let mut state = self.state();
        state.done.insert(position, output);
        if position == state.popped {
            drop(state);
            self.output_ready.notify_all();
        }
    }

    /// Waits for the next output in order and removes it; `None` after the last one.
    pub(super) fn pop(&self) -> Option<O> {
        let unfinished = |state: &mut State<I, O>| {
            let all = state.finished && state.pushed == state.popped;
            !state.closed && !all && !state.done.contains_key(&state.popped)
        };
        let mut state = wait(&self.output_ready, self.state(), unfinished);
        let position = state.popped;
        let output = state.done.remove(&position)?;
        state.popped += 1;
        drop(state);
        self.not_full.notify_one();
        Some(output)
    }

    /// Drops the waiting inputs and wakes every thread; nothing more is processed.
    pub(super) fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        drop(waiting);
        for event in [&self.not_full, &self.job_ready, &self.output_ready] {
            event.notify_all();
        }
    }

    fn state(&self) -> MutexGuard<'_, State<I, O>> {
        // Ignore lock poisoning: no code between two changes of the state can panic.
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
    fn outputs_keep_the_order_of_inputs() {
        let window = Window::new(7);
        let (inside, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let outputs = thread::scope(|scope| {
            scope.spawn(|| {
                for item in 0..200u64 {
                    assert!(window.push(item).is_continue());
                    most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                }
                window.finish();
            });
            for _ in 0..4 {
                scope.spawn(|| {
                    while let Some((position, item)) = window.next_job() {
                        thread::sleep(Duration::from_micros(item * 37 % 11 * 50));
                        window.complete(position, item * item);
                    }
                });
            }
            let mut outputs = Vec::new();
            while let Some(output) = window.pop() {
                inside.fetch_sub(1, Ordering::SeqCst);
                outputs.push(output);
            }
            outputs
        });
        assert_eq!(outputs, (0..200).map(|item| item * item).collect::<Vec<u64>>());
        // The output popped last may still be counted.
        assert!(most.into_inner() <= 8);
    }

    #[test]
    fn close_wakes_all_waiting_threads() {
        let window = Window::<u8, u8>::new(1);
        thread::scope(|scope| {
            let producer = scope.spawn(|| (window.push(1), window.push(2)));
            let worker = scope.spawn(|| (window.next_job(), window.next_job()));
            thread::sleep(Duration::from_millis(20));
            window.close();
            let (first, second) = producer.join().unwrap();
            assert!(first.is_continue() && second.is_break());
            assert_eq!(worker.join().unwrap(), (Some((0, 1)), None));
            assert_eq!(window.pop(), None);
        });
    }

    #[test]
    fn finished_empty_window_has_no_jobs_and_no_outputs() {
        let window = Window::<u8, u8>::new(3);
        window.finish();
        assert_eq!((window.next_job(), window.pop()), (None, None));
    }
}
