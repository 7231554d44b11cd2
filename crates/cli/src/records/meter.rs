//! A reader with a limit per record, that counts lines.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read};
use std::rc::Rc;

use interrogate::input::Text;

/// The bytes read of a text, its limit, and its line ends. (The CSV reader's own line count is
/// one behind where lines end in CRLF.)
#[derive(Default)]
pub(super) struct Meter {
    /// The number of bytes that may still be read.
    pub(super) left: usize,
    read: u64,
    /// The positions of line ends after the last record.
    ahead: VecDeque<u64>,
    /// The number of line ends before it.
    passed: usize,
}

impl Meter {
    /// Returns the last line, counted from 1, of the record that ends before byte `end`. The
    /// record's own line end is before that byte (LF) or after it (CRLF).
    pub(super) fn pass(&mut self, end: u64) -> usize {
        let mut last = None;
        while let Some(at) = self.ahead.pop_front_if(|at| *at < end) {
            self.passed += 1;
            last = Some(at);
        }
        self.passed + usize::from(last.is_none_or(|at| at + 1 != end))
    }
}

/// A text that fails with [`ErrorKind::FileTooLarge`] past the meter's limit, so that an unclosed
/// quote does not read the whole stream.
pub(super) struct Metered<'a> {
    pub(super) text: Text<'a>,
    pub(super) meter: Rc<RefCell<Meter>>,
}

impl Read for Metered<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut meter = self.meter.borrow_mut();
        let most = buffer.len().min(meter.left);
        if most == 0 && !buffer.is_empty() {
            return Err(ErrorKind::FileTooLarge.into());
        }
        let read = self.text.read(&mut buffer[..most])?;
        let start = meter.read;
        let ends = (start..).zip(&buffer[..read]).filter(|(_, byte)| **byte == b'\n');
        meter.ahead.extend(ends.map(|(at, _)| at));
        meter.left -= read;
        meter.read += read as u64;
        Ok(read)
    }
}
