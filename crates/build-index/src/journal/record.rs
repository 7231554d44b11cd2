//! One record of a journal: its length (8 bytes, little-endian), the payload, and the
//! payload's SHA-256.

use std::io::{self, Read};

use interrogate::index::Digest;
use interrogate::limits::JOURNAL_RECORD;

/// Bytes of a record beside its payload.
pub(super) const FRAME: u64 = 8 + 32;

/// Returns what is before a payload and what is after it.
pub(super) fn frame(payload: &[u8]) -> ([u8; 8], Digest) {
    ((payload.len() as u64).to_le_bytes(), Digest::of(payload))
}

/// Returns the record of a payload.
pub(super) fn encode(payload: &[u8]) -> Vec<u8> {
    let (length, checksum) = frame(payload);
    [&length, payload, checksum.as_bytes()].concat()
}

/// Reads the payload of the next record; `None` where the `left` bytes of the file hold no
/// whole record.
pub(super) fn read(reader: &mut impl Read, left: u64) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; 8];
    if left < FRAME {
        return Ok(None);
    }
    reader.read_exact(&mut length)?;
    let length = u64::from_le_bytes(length);
    // The size of a sparse file bounds nothing.
    if length > (left - FRAME).min(JOURNAL_RECORD) {
        return Ok(None);
    }
    let mut payload = Vec::new();
    payload.try_reserve_exact(length as usize)?;
    payload.resize(length as usize, 0);
    reader.read_exact(&mut payload)?;
    let mut checksum = [0; 32];
    reader.read_exact(&mut checksum)?;
    Ok((Digest::of(&payload).as_bytes() == &checksum).then_some(payload))
}
