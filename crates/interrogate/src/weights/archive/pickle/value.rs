//! What a pickle may hold: a closed set of values, each by number.

use safetensors::Dtype;

use super::allowlist::Global;

/// A value's number among all of a pickle.
pub(in crate::weights::archive) type Id = u32;

/// A value.
#[derive(Debug)]
pub(in crate::weights::archive) enum Value<'a> {
    /// `None`, a bool or a float: nothing that a tensor is made of.
    Scalar,
    Int(i64),
    Text(&'a str),
    Tuple(Vec<Id>),
    List(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    Global(Global),
    Storage(Storage<'a>),
    Tensor(Box<Tensor<'a>>),
    /// A TorchScript module: its attributes, once it has them.
    Module(Option<Id>),
}

/// An entry that holds values.
#[derive(Clone, Copy, Debug)]
pub(in crate::weights::archive) struct Storage<'a> {
    /// The entry is `data/{key}`.
    pub(in crate::weights::archive) key: &'a str,
    pub(in crate::weights::archive) dtype: Dtype,
    /// Values in it.
    pub(in crate::weights::archive) len: usize,
}

/// A tensor over a storage; offset and strides count values. Nothing here has
/// been held against the storage.
#[derive(Clone, Debug)]
pub(in crate::weights::archive) struct Tensor<'a> {
    pub(in crate::weights::archive) storage: Storage<'a>,
    pub(in crate::weights::archive) offset: usize,
    pub(in crate::weights::archive) shape: Vec<usize>,
    pub(in crate::weights::archive) strides: Vec<usize>,
}
