//! How SIGINT (Ctrl-C), SIGTERM and SIGHUP end a process.
//!
//! Without work in progress the first signal ends the process. Work in progress
//! ([`Work::begin`]) polls [`interrupted`] and has [`GRACE`] to end. After that
//! the process exits as soon as the rows that are being written are written
//! ([`Work::write_rows`]) and the files that are being finished have their names
//! ([`Work::finish_file`]). A second signal ends the process at once. That is safe at any
//! moment: a file is renamed when it is whole, and journals and lines are read up to the
//! last whole record.
//!
//! A signal that is ignored when the process starts stays ignored, as `nohup` and a
//! shell's `&` expect. Nothing here happens before [`listen`] is called.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::{flag, low_level};

/// How long work in progress may take to end. With the waits for rows and messages the sum
/// stays below a second.
pub const GRACE: Duration = Duration::from_millis(700);

/// The longest wait for rows after that: the process must not wait for an unread pipe.
const ROWS: Duration = Duration::from_millis(150);

/// The longest wait for a message: a terminal may be stopped.
const MESSAGE: Duration = Duration::from_millis(50);

/// The exit code is this plus the signal's number, as in a shell.
const SIGNALLED: i32 = 128;

/// When [`listen`] calls back, for a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A signal arrived while work is in progress.
    Stopping,
    /// The work has not ended in time, and the process exits now.
    Exiting,
}

/// The signal that arrived; 0 before.
static SIGNAL: AtomicI32 = AtomicI32::new(0);

/// The work in progress.
static COUNTS: Mutex<Counts> = Mutex::new(Counts::NONE);

/// Notified when a [`Work`] ends.
static ENDED: Condvar = Condvar::new();

/// Number of [`Work`]s of each kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Counts {
    work: usize,
    rows: usize,
    files: usize,
}

impl Counts {
    const NONE: Counts = Counts { work: 0, rows: 0, files: 0 };
}

/// Work in progress; it ends when this is dropped.
#[derive(Debug)]
#[must_use = "the work ends when this is dropped"]
pub struct Work(fn(&mut Counts) -> &mut usize);

impl Work {
    /// Begins work that polls [`interrupted`] and ends when it returns true.
    pub fn begin() -> Self {
        Self::count(|counts| &mut counts.work)
    }

    /// Begins to write rows, which should not be cut in the middle.
    pub fn write_rows() -> Self {
        Self::count(|counts| &mut counts.rows)
    }

    /// Begins to finish a file, which the process waits for however long it takes.
    pub fn finish_file() -> Self {
        Self::count(|counts| &mut counts.files)
    }

    fn count(which: fn(&mut Counts) -> &mut usize) -> Self {
        *which(&mut counts()) += 1;
        Work(which)
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        *(self.0)(&mut counts()) -= 1;
        ENDED.notify_all();
    }
}

fn counts() -> MutexGuard<'static, Counts> {
    // Ignore lock poisoning: a count is never half changed.
    COUNTS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether a signal has come.
pub fn interrupted() -> bool {
    SIGNAL.load(Ordering::Relaxed) != 0
}

/// Returns the exit code of interrupted work: 128 plus the signal's number, so 130 for
/// Ctrl-C, 143 for SIGTERM, 129 for SIGHUP.
pub fn exit_code() -> u8 {
    let signal = match SIGNAL.load(Ordering::Relaxed) {
        0 => SIGINT,
        signal => signal,
    };
    u8::try_from(SIGNALLED + signal).unwrap_or(u8::MAX)
}

/// Handles the signals that end a process from now on. A write beyond the limit of a
/// file's size (`ulimit -f`) becomes an error instead of SIGXFSZ. `on_event` is called on
/// a thread of its own, and the process may exit before it returns.
///
/// # Errors
/// Those of the system where no thread can be started or no handler set; the signals then
/// do what they did before.
pub fn listen(on_event: impl Fn(Event) + Copy + Send + 'static) -> io::Result<()> {
    #[cfg(unix)]
    flag::register(signal_hook::consts::SIGXFSZ, Arc::default())?;
    let (ready, is_ready) = channel();
    thread::Builder::new().name("signals".into()).spawn(move || match await_first() {
        Ok(first) => {
            let _ = ready.send(Ok(()));
            if let Some(signal) = first() {
                end(signal, on_event);
            }
        }
        Err(error) => {
            let _ = ready.send(Err(error));
        }
    })?;
    is_ready.recv().unwrap_or(Ok(()))
}

/// The signals that end a process and are not ignored.
fn handled_signals() -> Vec<i32> {
    #[cfg(unix)]
    let all = [SIGINT, SIGTERM, signal_hook::consts::SIGHUP];
    #[cfg(not(unix))]
    let all = [SIGINT, SIGTERM];
    all.into_iter().filter(|signal| !is_ignored(*signal)).collect()
}

/// Sets the handlers. Returns a function that waits for the first signal.
#[cfg(unix)]
fn await_first() -> io::Result<impl FnOnce() -> Option<i32>> {
    use std::io::Read;

    let arrived: Vec<(i32, Arc<AtomicBool>)> =
        handled_signals().into_iter().map(|signal| (signal, Arc::default())).collect();
    let again = Arc::new(AtomicBool::new(false));
    let (mut reader, writer) = io::pipe()?;
    for (signal, arrived) in &arrived {
        // The handler runs these in this order. The first signal sets the flag by which
        // the second ends the process in the handler itself, whatever its threads do.
        // `arrived` is set first, so a signal between two of these calls is not lost.
        flag::register(*signal, arrived.clone())?;
        low_level::pipe::register(*signal, writer.try_clone()?)?;
        flag::register_conditional_shutdown(*signal, SIGNALLED + signal, again.clone())?;
        flag::register(*signal, again.clone())?;
    }
    drop(writer);
    let first = move || {
        let first = arrived.iter().find(|(_, arrived)| arrived.load(Ordering::Relaxed));
        first.map(|(signal, _)| *signal)
    };
    Ok(move || {
        first().or_else(|| {
            // Where every signal is ignored, the pipe has no writer and ends at once.
            reader.read_exact(&mut [0]).ok()?;
            first()
        })
    })
}

/// Sets the handlers. Returns a function that waits for the first signal.
#[cfg(not(unix))]
fn await_first() -> io::Result<impl FnOnce() -> Option<i32>> {
    let arrived: Vec<(i32, Arc<AtomicBool>)> =
        handled_signals().into_iter().map(|signal| (signal, Arc::default())).collect();
    let again = Arc::new(AtomicBool::new(false));
    for (signal, arrived) in &arrived {
        flag::register(*signal, arrived.clone())?;
        flag::register_conditional_shutdown(*signal, SIGNALLED + signal, again.clone())?;
        flag::register(*signal, again.clone())?;
    }
    Ok(move || {
        loop {
            if let Some((signal, _)) =
                arrived.iter().find(|(_, arrived)| arrived.load(Ordering::Relaxed))
            {
                return Some(*signal);
            }
            thread::sleep(MESSAGE);
        }
    })
}

/// Whether `signal` was ignored when the process started, as `nohup` leaves SIGHUP.
#[cfg(unix)]
fn is_ignored(signal: i32) -> bool {
    let mut now = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: without a new action the call changes nothing and writes the current one
    // to `now`, which is large enough.
    let result = unsafe { libc::sigaction(signal, std::ptr::null(), now.as_mut_ptr()) };
    // SAFETY: the call has written it, and before that it was zeros, which are valid
    // for its integers and its handler, a number.
    result == 0 && unsafe { now.assume_init() }.sa_sigaction == libc::SIG_IGN
}

#[cfg(not(unix))]
fn is_ignored(_: i32) -> bool {
    false
}

/// Ends the process: at once without work in progress, else as the module describes.
fn end(signal: i32, on_event: impl Fn(Event) + Copy + Send + 'static) -> ! {
    SIGNAL.store(signal, Ordering::Relaxed);
    if *counts() != Counts::NONE {
        run_aside(move || on_event(Event::Stopping), Duration::ZERO);
        thread::sleep(GRACE);
        wait_until(|counts| counts.rows == 0, Some(ROWS));
        wait_until(|counts| counts.files == 0, None);
        run_aside(move || on_event(Event::Exiting), MESSAGE);
    }
    low_level::exit(SIGNALLED + signal)
}

/// Waits until `done`, but no longer than `at_most`.
fn wait_until(done: impl Fn(&Counts) -> bool, at_most: Option<Duration>) {
    let start = Instant::now();
    let mut counts = counts();
    while !done(&counts) {
        let left = match at_most {
            None => Duration::from_secs(1),
            Some(at_most) => match at_most.checked_sub(start.elapsed()) {
                Some(left) => left,
                None => return,
            },
        };
        (counts, _) = ENDED.wait_timeout(counts, left).unwrap_or_else(PoisonError::into_inner);
    }
}

/// Runs `message` on a thread of its own, and waits for it at most `at_most`.
fn run_aside(message: impl FnOnce() + Send + 'static, at_most: Duration) {
    let (done, is_done) = channel::<()>();
    let spawned = thread::Builder::new().spawn(move || {
        message();
        drop(done);
    });
    if spawned.is_ok() {
        let _ = is_done.recv_timeout(at_most);
    }
}
