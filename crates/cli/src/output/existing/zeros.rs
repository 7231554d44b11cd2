//! Zeros at the end of a file, which a power failure leaves.

use std::io::BufRead;
use std::path::Path;

use interrogate::{Error, limits};

use super::super::error::Result;

/// To compare with, as fast as memory is read.
static ZEROS: [u8; 1 << 16] = [0; 1 << 16];

/// Returns whether the rest of the file is zeros. Memory: one buffer.
///
/// # Errors
/// [`Error::Io`], and [`Error::Mismatch`] for more than [`limits::ANSWER_ZEROS`] bytes.
pub(super) fn only_zeros_follow(path: &Path, file: &mut impl BufRead) -> Result<bool> {
    let mut zeros = 0;
    loop {
        let bytes = file.fill_buf().map_err(Error::io("read", path))?;
        if bytes.is_empty() {
            return Ok(true);
        }
        if bytes.chunks(ZEROS.len()).any(|bytes| *bytes != ZEROS[..bytes.len()]) {
            return Ok(false);
        }
        let read = bytes.len();
        file.consume(read);
        zeros += read as u64;
        if zeros > limits::ANSWER_ZEROS {
            let expected = format!("at most {} bytes", limits::ANSWER_ZEROS);
            return Err(Error::mismatch(path, "zeros at the end", expected, "more").into());
        }
    }
}
