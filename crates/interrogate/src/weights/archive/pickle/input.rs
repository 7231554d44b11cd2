//! A pickle's bytes, and where among them the program stands.

use std::path::Path;

use crate::{Error, Result};

/// What is still to be read. Every refusal names the opcode in hand by its place.
pub(super) struct Input<'a> {
    path: &'a Path,
    bytes: &'a [u8],
    /// The next byte.
    at: usize,
    /// Where the opcode in hand stands.
    op: usize,
}

impl<'a> Input<'a> {
    pub(super) fn new(path: &'a Path, bytes: &'a [u8]) -> Self {
        Input { path, bytes, at: 0, op: 0 }
    }

    /// The next opcode, which is in hand from here on.
    pub(super) fn opcode(&mut self) -> Result<u8> {
        self.op = self.at;
        self.byte()
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let end = self.at.checked_add(count);
        match end.and_then(|end| self.bytes.get(self.at..end)) {
            Some(bytes) => {
                self.at += count;
                Ok(bytes)
            }
            None => self.refuse(
                format!("{count} bytes more"),
                format!("{} until the end", self.bytes.len() - self.at),
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

    pub(super) fn slot(&mut self, long: bool) -> Result<u32> {
        Ok(if long { u32::from_le_bytes(self.array()?) } else { self.byte()?.into() })
    }

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

    pub(super) fn refuse<T>(
        &self,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Result<T> {
        Err(Error::Pickle {
            path: self.path.to_owned(),
            offset: self.op,
            expected: expected.into(),
            found: found.into(),
        })
    }
}
