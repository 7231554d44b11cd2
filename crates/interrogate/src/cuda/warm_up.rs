//! Compiles kernels in the background.

use std::sync::{Condvar, Mutex, MutexGuard, Once, PoisonError};
use std::thread;

use candle_core::cuda_backend::{CudaDevice, DeviceId};

use super::Source;

/// What has begun.
static BEGUN: Mutex<Vec<(DeviceId, Source)>> = Mutex::new(Vec::new());

/// The compilations in the background.
static RUNNING: (Mutex<usize>, Condvar) = (Mutex::new(0), Condvar::new());

/// Compiles `sources` for `device` and loads them, once, each on a thread of its own, while the
/// caller reads files or copies weights. [`function`](super::function) waits for a compilation that has
/// begun. Errors are ignored here: the call that needs the kernel reports them.
pub(crate) fn warm_up(device: &CudaDevice, sources: Vec<Source>) {
    wait_at_exit();
    for source in sources {
        if !begin(device, &source) {
            continue;
        }
        let (device, running) = (device.clone(), Running::new());
        let load = move || {
            let _running = running;
            let stream = device.cuda_stream();
            let Ok(ptx) = source.ptx(stream.context()) else { return };
            // Loads the module. The error that it has no kernel without a name does not matter.
            let _ = device.get_or_load_custom_func("", &source.module(), &ptx);
        };
        // Without a thread, the kernels are compiled when they are needed.
        let _ = thread::Builder::new().name("compile kernels".to_owned()).spawn(load);
    }
}

/// Returns whether the source is the first of its kind for `device`.
fn begin(device: &CudaDevice, source: &Source) -> bool {
    // Ignore lock poisoning: the list has whole entries.
    let mut begun = BEGUN.lock().unwrap_or_else(PoisonError::into_inner);
    let is_new = !begun.iter().any(|(id, known)| *id == device.id() && known == source);
    if is_new {
        begun.push((device.id(), source.clone()));
    }
    is_new
}

/// Counts a compilation until it is dropped.
struct Running;

impl Running {
    fn new() -> Self {
        *running() += 1;
        Running
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        *running() -= 1;
        RUNNING.1.notify_all();
    }
}

fn running() -> MutexGuard<'static, usize> {
    // Ignore lock poisoning: the count is valid at any time.
    RUNNING.0.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Lets the program's end wait for compilations: the compiler's library must not be unloaded
/// below them.
fn wait_at_exit() {
    #[cfg(unix)]
    {
        extern "C" fn wait() {
            drop(RUNNING.1.wait_while(running(), |running| *running > 0));
        }
        static REGISTERED: Once = Once::new();
        REGISTERED.call_once(|| {
            // SAFETY: the function may be called at any time, and does not unwind: nothing in it
            // panics. If it cannot be registered, the program's end does not wait.
            let _ = unsafe { libc::atexit(wait) };
        });
    }
}
