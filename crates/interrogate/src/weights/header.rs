//! The header of a safetensors file: each tensor's type, shape and place.
//!
//! The container's crate has a reader of its own, which is not used for what
//! comes from outside: it takes headers of 100 MB, buffers them in a form many
//! times that, lets a name that comes twice stand once, and ends with a sum that
//! may overflow. The rules for offsets are the crate's here as well.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;

use safetensors::tensor::{Metadata, TensorInfo};
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};

use crate::limits::WEIGHTS_HEADER;
use crate::{Error, Result};

/// Where the tensors begin in `bytes`, and what the header says of each, in the
/// order of their places. They lie one behind the other from there to the end.
///
/// # Errors
/// [`Error::Mismatch`] where `bytes` are no whole safetensors file.
pub(crate) fn read(path: &Path, bytes: &[u8]) -> Result<(usize, Vec<(String, TensorInfo)>)> {
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
    let Some((json, held)) = rest.split_at_checked(length) else {
        return Err(refused(format!("{} bytes of a header of {length}", rest.len())));
    };
    // Copied: text of a map may change between its check and its use.
    let json = json.to_vec();
    let Tensors(mut tensors) =
        serde_json::from_slice(&json).map_err(|e| refused(format!("a header with {e}")))?;
    if let Some((name, info)) = tensors.iter().find(|(_, info)| !count_fits(&info.shape)) {
        return Err(refused(format!("{name} of shape {:?}", info.shape)));
    }
    tensors.sort_by_key(|(_, info)| info.data_offsets);
    // Offsets without gap or overlap from the first byte on, sizes that follow
    // from shape and type.
    let metadata = Metadata::new(None, tensors.clone()).map_err(|e| refused(e.to_string()))?;
    if metadata.data_len() != held.len() {
        let needed = metadata.data_len();
        return Err(refused(format!("{} of {needed} bytes behind the header", held.len())));
    }
    Ok((8 + length, tensors))
}

/// Whether the values of any dimensions of `shape` can be counted: a zero among
/// them makes none of a whole, however many its parts would be.
pub(super) fn count_fits(shape: &[usize]) -> bool {
    shape.iter().try_fold(1usize, |count, &size| count.checked_mul(size.max(1))).is_some()
}

/// The tensors of a header as they stand in it.
struct Tensors(Vec<(String, TensorInfo)>);

impl<'de> Deserialize<'de> for Tensors {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Fields)
    }
}

struct Fields;

impl<'de> Visitor<'de> for Fields {
    type Value = Tensors;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tensors by name")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tensors, A::Error> {
        let mut tensors: HashMap<String, TensorInfo> = HashMap::new();
        while let Some(name) = map.next_key::<String>()? {
            if name == "__metadata__" {
                map.next_value::<HashMap<String, String>>()?;
                continue;
            }
            let info = map.next_value()?;
            if tensors.contains_key(&name) {
                return Err(A::Error::custom(format_args!("two tensors {name:?}")));
            }
            tensors.insert(name, info);
        }
        Ok(Tensors(tensors.into_iter().collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of this header and as many zeros.
    fn file(header: &str, held: usize) -> Vec<u8> {
        let length = (header.len() as u64).to_le_bytes();
        [&length[..], header.as_bytes(), &vec![0; held]].concat()
    }

    fn said(header: &str, held: usize) -> String {
        read(Path::new("x"), &file(header, held)).unwrap_err().to_string()
    }

    #[test]
    fn tensors_come_in_the_order_of_their_places() {
        let header = r#"{"__metadata__":{"format":"pt"},
            "b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]},
            "a":{"dtype":"F16","shape":[2,1],"data_offsets":[0,4]}}"#;
        let (start, tensors) = read(Path::new("x"), &file(header, 8)).unwrap();
        assert_eq!(start, 8 + header.len());
        let names: Vec<&str> = tensors.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["a", "b"]);
    }

    #[test]
    fn a_name_that_comes_twice_is_refused() {
        let header = r#"{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},
            "a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}"#;
        assert!(said(header, 2).contains("two tensors \"a\""));
    }

    /// Eight tensors of an eighth of the address space: their ends cannot be summed
    /// with the header's length.
    #[test]
    fn ends_beyond_all_memory_are_refused_without_an_overflow() {
        let size = (1u64 << 61) - 1; // of more the bits cannot be counted
        let one = |at: u64| {
            let (from, to) = (at * size, (at + 1) * size);
            format!(r#""{at}":{{"dtype":"U8","shape":[{size}],"data_offsets":[{from},{to}]}}"#)
        };
        let all: Vec<String> = (0..8).map(one).collect();
        assert!(said(&format!("{{{}}}", all.join(",")), 8).contains("behind the header"));
    }

    /// No bytes at all, and parts of it that no number counts.
    #[test]
    fn a_shape_that_cannot_be_counted_is_refused() {
        let far = 1u64 << 40;
        let header =
            format!(r#"{{"a":{{"dtype":"F32","shape":[0,{far},{far}],"data_offsets":[0,0]}}}}"#);
        assert!(said(&header, 0).contains("a of shape [0, 1099511627776, 1099511627776]"));
    }

    #[test]
    fn a_header_of_any_length_is_refused_before_it_is_read() {
        let mut bytes = file("{}", 0);
        bytes[..8].copy_from_slice(&(WEIGHTS_HEADER as u64 + 1).to_le_bytes());
        let error = read(Path::new("x"), &bytes).unwrap_err().to_string();
        assert_eq!(error, "x: header: expected at most 4194304 bytes, found 4194305");
        bytes[..8].copy_from_slice(&u64::MAX.to_le_bytes());
        assert!(read(Path::new("x"), &bytes).is_err());
    }
}
