//! Reads the header of a safetensors file: each tensor's type, shape and byte range.
//!
//! The safetensors crate's own reader is not used for untrusted files: it accepts headers of
//! 100 MB, buffers them in a form many times that size, drops duplicate names silently, and
//! adds offsets in a sum that may overflow. The rules for offsets are checked by the crate.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;

use safetensors::tensor::{Metadata, TensorInfo};
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};

use crate::limits::WEIGHTS_HEADER;
use crate::{Error, Result};

/// The header of a safetensors file.
#[derive(Debug)]
pub(crate) struct Header {
    /// The offset of the tensor data in the file.
    pub(crate) start: usize,
    /// The name and entry of each tensor, sorted by offset. The tensors fill the data without
    /// gaps, up to the end.
    pub(crate) tensors: Vec<(String, TensorInfo)>,
    /// The entry `__metadata__`.
    pub(crate) metadata: HashMap<String, String>,
}

/// Reads the header of the file `bytes`.
///
/// # Errors
/// [`Error::Mismatch`] if `bytes` are not a complete, valid safetensors file.
pub(crate) fn read(path: &Path, bytes: &[u8]) -> Result<Header> {
    let refused = |found: String| Error::mismatch(path, "safetensors", "a whole file", found);
    let Some((length, rest)) = bytes.split_first_chunk::<8>() else {
        return Err(refused(format!("{} bytes", bytes.len())));
    };
    let length = u64::from_le_bytes(*length);
    if length > WEIGHTS_HEADER as u64 {
        let expected = format!("at most {WEIGHTS_HEADER} bytes");
        return Err(Error::mismatch(path, "header", expected, length));
    }
    let length = length as usize; // at most WEIGHTS_HEADER
    let Some((json, data)) = rest.split_at_checked(length) else {
        return Err(refused(format!("{} of {length} header bytes", rest.len())));
    };
    // Copied because a mapped file can change between the check and the use of a name.
    let json = json.to_vec();
    let Entries { mut tensors, metadata: texts } =
        serde_json::from_slice(&json).map_err(|e| refused(format!("an invalid header: {e}")))?;
    if let Some((name, info)) = tensors.iter().find(|(_, info)| !count_fits(&info.shape)) {
        return Err(refused(format!("{name} of shape {:?}", info.shape)));
    }
    tensors.sort_by_key(|(_, info)| info.data_offsets);
    // Checks that offsets start at 0 and have no gap or overlap, and that each size follows
    // from shape and type.
    let metadata = Metadata::new(None, tensors.clone()).map_err(|e| refused(e.to_string()))?;
    if metadata.data_len() != data.len() {
        let needed = metadata.data_len();
        return Err(refused(format!("{} of {needed} bytes after the header", data.len())));
    }
    Ok(Header { start: 8 + length, tensors, metadata: texts })
}

/// Whether the product of any of the sizes of `shape` fits a `usize`. A zero counts as one:
/// the other sizes alone must not overflow.
pub(super) fn count_fits(shape: &[usize]) -> bool {
    shape.iter().try_fold(1usize, |count, &size| count.checked_mul(size.max(1))).is_some()
}

/// The entries of a header, in any order; duplicate names are an error.
struct Entries {
    tensors: Vec<(String, TensorInfo)>,
    metadata: HashMap<String, String>,
}

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EntriesVisitor)
    }
}

struct EntriesVisitor;

impl<'de> Visitor<'de> for EntriesVisitor {
    type Value = Entries;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tensors by name")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
        let mut tensors: HashMap<String, TensorInfo> = HashMap::new();
        let mut metadata = HashMap::new();
        while let Some(name) = map.next_key::<String>()? {
            if name == "__metadata__" {
                metadata = map.next_value()?;
                continue;
            }
            let info = map.next_value()?;
            if tensors.contains_key(&name) {
                return Err(A::Error::custom(format_args!("two tensors {name:?}")));
            }
            tensors.insert(name, info);
        }
        Ok(Entries { tensors: tensors.into_iter().collect(), metadata })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file with this header and `zeros` bytes of data.
    fn file(header: &str, zeros: usize) -> Vec<u8> {
        let length = (header.len() as u64).to_le_bytes();
        [&length[..], header.as_bytes(), &vec![0; zeros]].concat()
    }

    fn error_of(header: &str, zeros: usize) -> String {
        read(Path::new("x"), &file(header, zeros)).unwrap_err().to_string()
    }

    #[test]
    fn tensors_are_sorted_by_offset() {
        let header = r#"{"__metadata__":{"format":"pt"},
            "b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]},
            "a":{"dtype":"F16","shape":[2,1],"data_offsets":[0,4]}}"#;
        let Header { start, tensors, metadata } = read(Path::new("x"), &file(header, 8)).unwrap();
        assert_eq!(start, 8 + header.len());
        let names: Vec<&str> = tensors.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["a", "b"]);
        assert_eq!(metadata["format"], "pt");
    }

    #[test]
    fn duplicate_name_is_refused() {
        let header = r#"{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},
            "a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}"#;
        assert!(error_of(header, 2).contains("two tensors \"a\""));
    }

    /// Eight tensors of an eighth of the address space each: the last end plus the header's
    /// length overflows.
    #[test]
    fn offsets_that_overflow_are_refused() {
        let size = (1u64 << 61) - 1; // the largest size whose bits fit a u64
        let one = |at: u64| {
            let (from, to) = (at * size, (at + 1) * size);
            format!(r#""{at}":{{"dtype":"U8","shape":[{size}],"data_offsets":[{from},{to}]}}"#)
        };
        let all: Vec<String> = (0..8).map(one).collect();
        assert!(error_of(&format!("{{{}}}", all.join(",")), 8).contains("after the header"));
    }

    /// The tensor is empty, but the product of its other sizes overflows.
    #[test]
    fn empty_tensor_whose_sizes_overflow_is_refused() {
        let far = 1u64 << 40;
        let header =
            format!(r#"{{"a":{{"dtype":"F32","shape":[0,{far},{far}],"data_offsets":[0,0]}}}}"#);
        assert!(error_of(&header, 0).contains("a of shape [0, 1099511627776, 1099511627776]"));
    }

    #[test]
    fn header_over_the_limit_is_refused() {
        let mut bytes = file("{}", 0);
        bytes[..8].copy_from_slice(&(WEIGHTS_HEADER as u64 + 1).to_le_bytes());
        let error = read(Path::new("x"), &bytes).unwrap_err().to_string();
        assert_eq!(error, "x: header: expected at most 4194304 bytes, found 4194305");
        bytes[..8].copy_from_slice(&u64::MAX.to_le_bytes());
        assert!(read(Path::new("x"), &bytes).is_err());
    }
}
