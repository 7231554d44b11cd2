//! What a program prints when a signal interrupts it.

use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

use super::escape;
use super::signals::{self, Event};

/// The messages of an interrupted program.
#[derive(Clone, Copy, Debug)]
pub struct Messages {
    /// The first signal came; the work in progress has some time to end.
    pub stopping: &'static str,
    /// The work did not end in time and the process exits now, unless
    /// [`set_exit_message`] replaced the text.
    pub exiting: &'static str,
}

/// The text that replaces [`Messages::exiting`]; empty where none was set.
static EXIT_MESSAGE: Mutex<String> = Mutex::new(String::new());

/// Handles signals from now on ([`signals::listen`]) and prints `messages`.
///
/// # Errors
/// Those of [`signals::listen`].
pub fn listen(messages: Messages) -> io::Result<()> {
    signals::listen(move |event| {
        let message = match event {
            Event::Stopping => messages.stopping.to_owned(),
            Event::Exiting => {
                let set = EXIT_MESSAGE.lock().unwrap_or_else(PoisonError::into_inner);
                if set.is_empty() { messages.exiting.to_owned() } else { escape::text(&set) }
            }
        };
        let _ = writeln!(io::stderr(), "{message}");
    })
}

/// Sets what is printed when the work does not end in time and the process exits.
pub fn set_exit_message(message: String) {
    *EXIT_MESSAGE.lock().unwrap_or_else(PoisonError::into_inner) = message;
}
