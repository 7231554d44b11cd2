//! Parallel work without idle threads.
//!
//! A parallel product costs a signal to each thread and a wait for the last one, and twice that
//! if the caller is outside of the pool and must be woken. So code that computes many products
//! enters the pool once ([`in_pool`]), and several independent items are processed one per
//! thread ([`each`]): an item's own parallel work then finds the other threads busy, and stays
//! on its thread until one of them is free.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::Result;

/// Calls `f` on a thread of the pool, so that its parallel work need not enter it.
pub(crate) fn in_pool<T: Send>(f: impl FnOnce() -> T + Send) -> T {
    rayon::scope(|_| f())
}

/// Returns the results of `work` for each of `items`, in order. Every thread takes the next
/// unprocessed item until none are left.
///
/// # Errors
/// That of the first item for which `work` fails; later items may be skipped.
pub(crate) fn each<I, T>(items: I, work: impl Fn(I::Item) -> Result<T> + Sync) -> Result<Vec<T>>
where
    I: ExactSizeIterator + Send,
    I::Item: Send,
    T: Send,
{
    let threads = rayon::current_num_threads().min(items.len());
    let done = Mutex::new(Vec::with_capacity(items.len()));
    let items = Mutex::new(Some(items.enumerate()));
    // A separate closure, so that the lock is released while an item is processed.
    let next = || lock(&items).as_mut().and_then(Iterator::next);
    let run = || {
        while let Some((number, item)) = next() {
            let result = work(item);
            if result.is_err() {
                *lock(&items) = None;
            }
            lock(&done).push((number, result));
        }
    };
    rayon::scope(|scope| {
        (1..threads).for_each(|_| scope.spawn(|_| run()));
        run();
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_unstable_by_key(|&(number, _)| number);
    done.into_iter().map(|(_, result)| result).collect()
}

/// Ignores lock poisoning: rayon propagates the panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use rayon::prelude::*;

    use super::*;
    use crate::Error;
    use crate::error::RowsError;

    fn refused(row: usize) -> Error {
        Error::Rows(RowsError::Direction { what: "rows", row })
    }

    #[test]
    fn results_are_in_order_with_nested_parallel_work() {
        let sum = |n: usize| Ok((0..n * 100).into_par_iter().sum::<usize>());
        let found = each(0..50, sum).unwrap();
        let wanted: Vec<usize> = (0..50).map(|n| (0..n * 100).sum()).collect();
        assert_eq!(found, wanted);
        assert!(each(0..0, sum).unwrap().is_empty());
        assert_eq!(in_pool(|| each(0..50, sum)).unwrap(), wanted);
    }

    #[test]
    fn first_failure_is_returned_and_stops_the_rest() {
        let calls = Mutex::new(0);
        let work = |n: usize| {
            *lock(&calls) += 1;
            if n == 7 || n == 9 { Err(refused(n)) } else { Ok(n) }
        };
        let error = each(0..1_000_000, work).unwrap_err();
        assert_eq!(error.to_string(), refused(7).to_string());
        assert!(*lock(&calls) < 1_000_000);
    }

    #[test]
    fn in_pool_runs_on_a_thread_of_the_pool() {
        assert!(rayon::current_thread_index().is_none());
        assert!(in_pool(rayon::current_thread_index).is_some());
    }
}
