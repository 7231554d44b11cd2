//! The archives that PyTorch writes: `torch.save`, and TorchScript as OpenAI's
//! CLIP came.
//!
//! Both are zip files whose entries are stored as they are: `{root}/data.pkl`, a
//! pickle, names the tensors, `{root}/data/{key}` hold their values. Owns finding
//! the tensors and where they lie; nothing is unpacked. No code of an archive
//! runs: of the pickle a closed set of values is built ([`pickle`]), and what
//! TorchScript keeps under `code/` is never looked at.
//!
//! Sources of the format: torch/csrc/jit/serialization/pickler.cpp,
//! torch/serialization.py and torch/_utils.py of PyTorch 2.

mod entries;
mod pickle;
mod state_dict;
mod tensors;
#[cfg(test)]
mod tests;
mod zip_directory;

use std::collections::BTreeMap;
use std::path::Path;

use super::stored_tensor::StoredTensor;
use crate::limits::PICKLE;
use crate::{Error, Result};
use entries::Entries;
use pickle::Unpickler;

/// How a pickle of protocol 2 begins that is no archive: what `torch.save` wrote
/// before PyTorch 1.6.
pub(super) const OLD_PICKLE: &[u8] = &[0x80, 0x02];

/// Whether `bytes` begin as an archive does.
pub(super) fn is_archive(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04")
}

/// The tensors of the archive `bytes`, by name, where they lie in it: those of a
/// state dict by its keys, those of a module by the attributes that lead to them,
/// joined by dots. Reads the central directory, a header an entry, and data.pkl.
///
/// # Errors
/// [`Error::Mismatch`] where the archive is not whole or a tensor reaches out of
/// its entry, [`Error::Pickle`] where data.pkl holds anything but values.
pub(super) fn tensors(path: &Path, bytes: &[u8]) -> Result<BTreeMap<String, StoredTensor>> {
    let entries = Entries::read(path, bytes)?;
    let pickle = entries.copy("data.pkl", PICKLE)?;
    if let Some(order) = entries.find("byteorder")
        && entries.bytes(order) != b"little"
    {
        return Err(Error::mismatch(path, "byteorder", "little", "another"));
    }
    let (values, root) = Unpickler::new(path, &pickle).read()?;
    let named = state_dict::collect(path, &values, root)?;
    let placed = named.into_iter().map(|(name, tensor)| tensors::locate(&entries, name, tensor));
    let placed = placed.collect::<Result<BTreeMap<_, _>>>()?;
    tensors::check_total_size(path, bytes.len(), placed.values())?;
    Ok(placed)
}
