//! All threads at work, and none waiting for another longer than it must.
//!
//! A product that is shared out to threads costs a signal to each and a wait for
//! the last, twice that where the caller stands outside of the pool and has to
//! be woken as well. So whoever calls many products enters the pool once
//! ([`inside`]), and whoever has several pieces of work gives each thread whole
//! pieces ([`each`]): what a piece shares out then meets threads that are busy,
//! and stays where it is until one of them has nothing else to do.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::Result;

/// Calls `f` on a thread of the pool, so that what it shares out costs no way in.
pub(crate) fn inside<T: Send>(f: impl FnOnce() -> T + Send) -> T {
    rayon::scope(|_| f())
}

/// The results of `work` for each of `items`, in their order. A thread takes one
/// item after the other, the first that nobody has.
///
/// # Errors
/// That of the first item for which `work` fails; those behind it may be left
/// out.
pub(crate) fn each<I, T>(items: I, work: impl Fn(I::Item) -> Result<T> + Sync) -> Result<Vec<T>>
where
    I: ExactSizeIterator + Send,
    I::Item: Send,
    T: Send,
{
    let threads = rayon::current_num_threads().min(items.len());
    let done = Mutex::new(Vec::with_capacity(items.len()));
    let items = Mutex::new(Some(items.enumerate()));
    // A function of its own, so that the list is free again while an item is worked on.
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

/// A list whose user panicked is a list all the same; the panic goes on by itself.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use rayon::prelude::*;

    use super::*;
    use crate::Error;

    fn refused(row: usize) -> Error {
        Error::Direction { what: "rows", row }
    }

    #[test]
    fn results_stand_in_the_order_of_the_items_whatever_is_shared_out_within() {
        let sum = |n: usize| Ok((0..n * 100).into_par_iter().sum::<usize>());
        let found = each(0..50, sum).unwrap();
        let wanted: Vec<usize> = (0..50).map(|n| (0..n * 100).sum()).collect();
        assert_eq!(found, wanted);
        assert!(each(0..0, sum).unwrap().is_empty());
        assert_eq!(inside(|| each(0..50, sum)).unwrap(), wanted);
    }

    #[test]
    fn the_first_failure_is_told_and_ends_the_rest() {
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
    fn what_is_inside_runs_on_a_thread_of_the_pool() {
        assert!(rayon::current_thread_index().is_none());
        assert!(inside(rayon::current_thread_index).is_some());
    }
}
