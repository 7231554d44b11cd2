//! NumPy's .npy: matrices of f32, little-endian, in row order.
//!
//! The format is NumPy's (numpy/lib/_format_impl.py, version 1.0). The header is a Python dict of
//! three known keys. It is parsed here and as nothing else: crates for it depend on a parser
//! generator.

mod header;
mod reader;
mod writer;

pub(crate) use reader::Reader;
pub(crate) use writer::Writer;
pub(super) use writer::bytes;
