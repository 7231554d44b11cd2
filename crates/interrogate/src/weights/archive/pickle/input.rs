//! A cursor over a pickle's bytes.

use std::path::Path;

use crate::error::WeightsError;
use crate::{Error, Result};

/// A cursor over a pickle's bytes. Errors report the offset of the current opcode.
pub(super) struct Input<'a> {
    path: &'a Path,
    bytes: &'a [u8],
    /// The offset of the next byte.
    at: usize,
    /// The offset of the current opcode.
    op: usize,
}

impl<'a> Input<'a> {
    pub(super) fn new(path: &'a Path, bytes: &'a [u8]) -> Self {
        Input { path, bytes, at: 0, op: 0 }
    }

    /// Reads the next opcode, which becomes the current one.
    pub(super) fn opcode(&mut self) -> Result<u8> {
        self.op = self.at;
        self.byte()
    }

    /// Reads `count` bytes.
    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let end = self.at.checked_add(count);
        match end.and_then(|end| self.bytes.get(self.at..end)) {
            Some(bytes) => {
                self.at += count;
                Ok(bytes)
            }
            None => self.refuse(
                format!("{count} more bytes"),
                format!("{} before the end", self.bytes.len() - self.at),
            ),
        }
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    pub(super) fn byte(&mut self) -> Result<u8> {
        self.array().map(|[byte]| byte)
    }

    /// Reads the index of a memo slot, of 4 bytes if `long`, else of one.
    pub(super) fn slot(&mut self, long: bool) -> Result<u32> {
        Ok(if long { u32::from_le_bytes(self.array()?) } else { self.byte()?.into() })
    }

    /// Reads a line, without its newline.
    pub(super) fn line(&mut self) -> Result<&'a str> {
        let rest = &self.bytes[self.at..];
        let line = rest.iter().position(|&b| b == b'\n').map(|end| &rest[..end]);
        match line.and_then(|line| std::str::from_utf8(line).ok()) {
            Some(line) => {
                self.at += line.len() + 1;
                Ok(line)
            }
            None => self.refuse("a line of text", "none"),
        }
    }

    /// Returns [`WeightsError::Pickle`] at the current opcode.
    pub(super) fn refuse<T>(
        &self,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Result<T> {
        Err(Error::Weights(WeightsError::Pickle {
            path: self.path.to_owned(),
            offset: self.op,
            expected: expected.into(),
            found: found.into(),
        }))
    }
}
