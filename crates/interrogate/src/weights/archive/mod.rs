//! The archives that PyTorch writes: those of `torch.save`, and TorchScript, the format of
//! OpenAI's CLIP.
//!
//! Both are zip files with uncompressed entries: the pickle `{root}/data.pkl` names the
//! tensors, and `{root}/data/{key}` hold their values. Owns finding the tensors and their byte
//! ranges; nothing is unpacked. No code of an archive runs: [`pickle`] builds a closed set of
//! values, and TorchScript's `code/` is never read.
//!
//! Sources of the format: torch/csrc/jit/serialization/pickler.cpp,
//! torch/serialization.py and torch/_utils.py of PyTorch 2.

mod entries;
mod pickle;
mod state_dict;
mod tensors;
#[cfg(doc)]
use crate::error::WeightsError;

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

/// The first bytes of a bare pickle of protocol 2, which `torch.save` wrote before
/// PyTorch 1.6.
pub(super) const OLD_PICKLE: &[u8] = &[0x80, 0x02];

/// Whether `bytes` begin like a zip file.
pub(super) fn is_archive(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04")
}

/// Returns the tensors of the archive `bytes` by name: those of a state dict by its keys,
/// those of a module by their attribute path, joined by dots. Reads the central directory,
/// the header of each entry, and data.pkl.
///
/// # Errors
/// [`Error::Mismatch`] if the archive is truncated or a tensor exceeds its entry,
/// [`WeightsError::Pickle`] if data.pkl holds anything but tensors and plain values.
pub(super) fn tensors(path: &Path, bytes: &[u8]) -> Result<BTreeMap<String, StoredTensor>> {
    let entries = Entries::read(path, bytes)?;
    let pickle = entries.copy("data.pkl", PICKLE)?;
    if let Some(order) = entries.find("byteorder")
        && entries.bytes(order) != b"little"
    {
        return Err(Error::mismatch(path, "byteorder", "little", "another order"));
    }
    let (values, root) = Unpickler::new(path, &pickle).read()?;
    let named = state_dict::collect(path, &values, root)?;
    let located = named.into_iter().map(|(name, tensor)| tensors::locate(&entries, name, tensor));
    let located = located.collect::<Result<BTreeMap<_, _>>>()?;
    tensors::check_total_size(path, bytes.len(), located.values())?;
    Ok(located)
}
