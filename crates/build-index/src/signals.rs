//! How a process ends when it is asked to: by Ctrl-C, SIGTERM or SIGHUP.
//!
//! With nothing in hand the first signal ends the process. Work in hand ([`hold`]) sees
//! [`asked`] and has [`GRACE`] to come to its end; what has not ended by then is cut
//! off, once rows that are being written are out ([`writing`]) and files that are being
//! finished stand ([`saving`]). A second signal ends the process at once. That is safe
//! at any moment: files take their names when they are whole, journals and lines are
//! read up to the last whole record.
//!
//! A signal that is ignored when the process starts stays ignored, so that `nohup` and
//! a script's `&` do what they promise. Only a process that calls [`listen`] has any of
//! this: the binaries do, and no other part of the library.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::{flag, low_level};

/// How long work in hand may take to end by itself. With the time for rows and words it
/// stays below a second.
pub const GRACE: Duration = Duration::from_millis(700);

/// How long rows that are being written are waited for after that: a pipe that nobody
/// reads must not keep the process.
const ROWS: Duration = Duration::from_millis(150);

/// How long words to a person may take: a terminal may be stopped.
const WORDS: Duration = Duration::from_millis(50);

/// The exit code is this and the signal's number, as shells have it.
const SIGNALLED: i32 = 128;

/// When a binary has something to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Work in hand was asked to end.
    Asked,
    /// It has not ended, and the process ends now.
    Cut,
}

/// The signal that came, 0 before.
static SIGNAL: AtomicI32 = AtomicI32::new(0);

/// What is in hand.
static WORK: Mutex<Work> = Mutex::new(Work { held: 0, writing: 0, saving: 0 });

/// Something of it is done.
static DONE: Condvar = Condvar::new();

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Work {
    held: usize,
    writing: usize,
    saving: usize,
}

/// Work in hand, until it is dropped.
#[derive(Debug)]
#[must_use = "it is in hand until this is dropped"]
pub struct InHand(fn(&mut Work) -> &mut usize);

/// Begins work that ends by itself when it is [`asked`] to.
pub fn hold() -> InHand {
    begin(|work| &mut work.held)
}

/// Begins to write rows that nobody should see half of.
pub fn writing() -> InHand {
    begin(|work| &mut work.writing)
}

/// Begins to finish a file, which is waited for however long it takes.
pub fn saving() -> InHand {
    begin(|work| &mut work.saving)
}

fn begin(which: fn(&mut Work) -> &mut usize) -> InHand {
    *which(&mut work()) += 1;
    InHand(which)
}

impl Drop for InHand {
    fn drop(&mut self) {
        *(self.0)(&mut work()) -= 1;
        DONE.notify_all();
    }
}

fn work() -> MutexGuard<'static, Work> {
    // Ignore lock poisoning: a count is never half changed.
    WORK.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether the process is asked to end.
pub fn asked() -> bool {
    SIGNAL.load(Ordering::Relaxed) != 0
}

/// The exit code of work that was asked to end: 128 and the signal's number, so 130 for
/// Ctrl-C, 143 for SIGTERM, 129 for SIGHUP.
pub fn code() -> u8 {
    let signal = match SIGNAL.load(Ordering::Relaxed) {
        0 => SIGINT,
        signal => signal,
    };
    u8::try_from(SIGNALLED + signal).unwrap_or(u8::MAX)
}

/// Listens for the signals that end a process from now on, and makes a file that grows
/// beyond its limit (`ulimit -f`) an error of the write instead of a death by SIGXFSZ.
/// `say` is called on a thread of its own, and may be cut short.
///
/// # Errors
/// Where no thread can be started or no handler set: signals do what they did.
pub fn listen(say: fn(Moment)) -> io::Result<()> {
    #[cfg(unix)]
    flag::register(signal_hook::consts::SIGXFSZ, Arc::default())?;
    let (ready, is_ready) = channel();
    thread::Builder::new().name("signals".into()).spawn(move || match await_first() {
        Ok(first) => {
            let _ = ready.send(Ok(()));
            if let Some(signal) = first() {
                end(signal, say);
            }
        }
        Err(error) => {
            let _ = ready.send(Err(error));
        }
    })?;
    is_ready.recv().unwrap_or(Ok(()))
}

/// The signals that end a process and are not ignored.
fn heard() -> Vec<i32> {
    #[cfg(unix)]
    let all = [SIGINT, SIGTERM, signal_hook::consts::SIGHUP];
    #[cfg(not(unix))]
    let all = [SIGINT, SIGTERM];
    all.into_iter().filter(|signal| !is_ignored(*signal)).collect()
}

/// Sets the handlers, and gives what waits for the first signal.
#[cfg(unix)]
fn await_first() -> io::Result<impl FnOnce() -> Option<i32>> {
    use std::io::Read;

    let came: Vec<(i32, Arc<AtomicBool>)> =
        heard().into_iter().map(|signal| (signal, Arc::default())).collect();
    let again = Arc::new(AtomicBool::new(false));
    let (mut reader, writer) = io::pipe()?;
    for (signal, came) in &came {
        // The handler runs these in this order. The first signal sets the flag by which
        // the second ends the process in the handler itself, whatever its threads do.
        // `came` is set first: a signal between two of these calls is not lost.
        flag::register(*signal, came.clone())?;
        low_level::pipe::register(*signal, writer.try_clone()?)?;
        flag::register_conditional_shutdown(*signal, SIGNALLED + signal, again.clone())?;
        flag::register(*signal, again.clone())?;
    }
    drop(writer);
    let first = move || {
        let first = came.iter().find(|(_, came)| came.load(Ordering::Relaxed));
        first.map(|(signal, _)| *signal)
    };
    Ok(move || {
        first().or_else(|| {
            // Where every signal is ignored, nothing holds the pipe and it ends at once.
            reader.read_exact(&mut [0]).ok()?;
            first()
        })
    })
}

/// Sets the handlers, and gives what waits for the first signal.
#[cfg(not(unix))]
fn await_first() -> io::Result<impl FnOnce() -> Option<i32>> {
    let came: Vec<(i32, Arc<AtomicBool>)> =
        heard().into_iter().map(|signal| (signal, Arc::default())).collect();
    let again = Arc::new(AtomicBool::new(false));
    for (signal, came) in &came {
        flag::register(*signal, came.clone())?;
        flag::register_conditional_shutdown(*signal, SIGNALLED + signal, again.clone())?;
        flag::register(*signal, again.clone())?;
    }
    Ok(move || {
        loop {
            if let Some((signal, _)) = came.iter().find(|(_, came)| came.load(Ordering::Relaxed)) {
                return Some(*signal);
            }
            thread::sleep(WORDS);
        }
    })
}

/// Whether `signal` was ignored when the process started, as `nohup` leaves SIGHUP.
#[cfg(unix)]
fn is_ignored(signal: i32) -> bool {
    let mut now = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: without a new action the call changes nothing and writes the present one
    // to `now`, which is large enough.
    let told = unsafe { libc::sigaction(signal, std::ptr::null(), now.as_mut_ptr()) };
    // SAFETY: the call has written it, and before that it was zeros, which are valid
    // for its integers and its handler, a number.
    told == 0 && unsafe { now.assume_init() }.sa_sigaction == libc::SIG_IGN
}

#[cfg(not(unix))]
fn is_ignored(_: i32) -> bool {
    false
}

/// Ends the process: at once with nothing in hand, else as this module says.
fn end(signal: i32, say: fn(Moment)) -> ! {
    SIGNAL.store(signal, Ordering::Relaxed);
    if *work() != (Work { held: 0, writing: 0, saving: 0 }) {
        aside(move || say(Moment::Asked), Duration::ZERO);
        thread::sleep(GRACE);
        wait_until(|work| work.writing == 0, Some(ROWS));
        wait_until(|work| work.saving == 0, None);
        aside(move || say(Moment::Cut), WORDS);
    }
    low_level::exit(SIGNALLED + signal)
}

fn wait_until(done: impl Fn(&Work) -> bool, at_most: Option<Duration>) {
    let since = Instant::now();
    let mut work = work();
    while !done(&work) {
        let left = match at_most {
            None => Duration::from_secs(1),
            Some(at_most) => match at_most.checked_sub(since.elapsed()) {
                Some(left) => left,
                None => return,
            },
        };
        (work, _) = DONE.wait_timeout(work, left).unwrap_or_else(PoisonError::into_inner);
    }
}

/// Does `words` on a thread of its own, and waits for it so long at most.
fn aside(words: impl FnOnce() + Send + 'static, at_most: Duration) {
    let (said, is_said) = channel::<()>();
    let spawned = thread::Builder::new().spawn(move || {
        words();
        drop(said);
    });
    if spawned.is_ok() {
        let _ = is_said.recv_timeout(at_most);
    }
}
