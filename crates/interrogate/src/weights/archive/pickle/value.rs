//! The values that a pickle may hold.

use safetensors::Dtype;

use super::allowlist::Global;

/// The index of a value among all values of a pickle.
pub(in crate::weights::archive) type Id = u32;

/// A value.
#[derive(Debug)]
pub(in crate::weights::archive) enum Value<'a> {
    /// `None`, a bool or a float, none of which a tensor needs.
    Scalar,
    Int(i64),
    Text(&'a str),
    Tuple(Vec<Id>),
    List(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    Global(Global),
    Storage(Storage<'a>),
    Tensor(Box<Tensor<'a>>),
    /// A TorchScript module and its attributes, once BUILD has set them.
    Module(Option<Id>),
}

/// An archive entry that holds the values of tensors.
#[derive(Clone, Copy, Debug)]
pub(in crate::weights::archive) struct Storage<'a> {
    /// The entry is `data/{key}`.
    pub(in crate::weights::archive) key: &'a str,
    pub(in crate::weights::archive) dtype: Dtype,
    /// Number of values.
    pub(in crate::weights::archive) len: usize,
}

/// A tensor over a storage; offset and strides count values. Not yet checked against the
/// storage.
#[derive(Clone, Debug)]
pub(in crate::weights::archive) struct Tensor<'a> {
    pub(in crate::weights::archive) storage: Storage<'a>,
    pub(in crate::weights::archive) offset: usize,
    pub(in crate::weights::archive) shape: Vec<usize>,
    pub(in crate::weights::archive) strides: Vec<usize>,
}
