//! The header of a .npy file.

/// The first bytes of a .npy file; two bytes of version follow.
pub(super) const MAGIC: &[u8] = b"\x93NUMPY";

/// What a header says of the values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// Whether the values are f64, else f32.
    pub(super) double: bool,
    pub(super) rows: usize,
    /// The number of values in a row.
    pub(super) dim: usize,
}

/// Returns the header of `rows` rows of `dim` f32, padded so that the values begin at a multiple
/// of 64 bytes. Headers of all shapes have 128 bytes, so that one can replace another.
pub(super) fn encode(rows: usize, dim: usize) -> Vec<u8> {
    let dict = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {dim}), }}");
    let length = (MAGIC.len() + 4 + dict.len() + 1).next_multiple_of(64) - MAGIC.len() - 4;
    let mut header = [MAGIC, &[1, 0], &(length as u16).to_le_bytes(), dict.as_bytes()].concat();
    header.resize(MAGIC.len() + 4 + length - 1, b' ');
    header.push(b'\n');
    header
}

/// Parses the dict of a header as NumPy writes it. `None` for values other than f32 or f64,
/// little-endian, in row order, and for a shape other than (rows, dim) with dim > 0.
pub(super) fn parse(text: &str) -> Option<Header> {
    let dict = text.trim().strip_prefix('{')?.strip_suffix('}')?;
    let after = |key: &str| dict.split_once(key).map(|(_, value)| value.trim_start());
    let double = match after("'descr':")? {
        value if value.starts_with("'<f4'") => false,
        value if value.starts_with("'<f8'") => true,
        _ => return None,
    };
    after("'fortran_order':")?.starts_with("False").then_some(())?;
    let shape = after("'shape':")?.strip_prefix('(')?.split_once(')')?.0;
    let mut sizes = shape.split(',').map(str::trim).filter(|size| !size.is_empty());
    let (rows, dim) = (sizes.next()?.parse().ok()?, sizes.next()?.parse().ok()?);
    (sizes.next().is_none() && dim > 0).then_some(Header { double, rows, dim })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoded_header_is_numpys() {
        let header = encode(7, 384);
        assert_eq!(header.len(), 128);
        assert_eq!(encode(usize::MAX, usize::MAX).len(), 128);
        assert_eq!(encode(0, 1).len(), 128);
        let text = std::str::from_utf8(&header[10..]).unwrap();
        assert!(text.starts_with("{'descr': '<f4', 'fortran_order': False, 'shape': (7, 384), }"));
        let expected = Header { double: false, rows: 7, dim: 384 };
        assert_eq!((parse(text), header.last()), (Some(expected), Some(&b'\n')));
    }

    #[test]
    fn unsupported_headers_are_refused() {
        for text in [
            "",
            "{}",
            "{'descr': '<i4', 'fortran_order': False, 'shape': (7, 384), }",
            "{'descr': '<f4', 'fortran_order': True, 'shape': (7, 384), }",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (7,), }",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (7, 3, 8), }",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 8), }",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (7, 0), }",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
