//! What a pickle may hold: a closed set of values, each by number.

use safetensors::Dtype;

/// A value's number among all of a pickle.
pub(super) type Id = u32;

/// A value.
#[derive(Debug)]
pub(super) enum Value<'a> {
    /// `None`, a bool or a float: nothing that a tensor is made of.
    Plain,
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

/// What a pickle may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Global {
    /// `torch._utils._rebuild_tensor_v2`.
    Tensor,
    /// `torch._utils._rebuild_parameter`: the tensor within.
    Parameter,
    /// `collections.OrderedDict`.
    OrderedDict,
    /// `torch.jit._pickle`'s names for typed lists: the list within.
    Typed,
    /// `torch.FloatStorage` and its kin.
    Storage(Dtype),
    /// A class of TorchScript's, `__torch__.…`: a bag of attributes.
    Class,
}

impl Global {
    /// What `module.name` may stand for; `None` for all that is not on the list.
    pub(super) fn named(module: &str, name: &str) -> Option<Self> {
        Some(match (module, name) {
            ("torch._utils", "_rebuild_tensor_v2") => Global::Tensor,
            ("torch._utils", "_rebuild_parameter") => Global::Parameter,
            ("collections", "OrderedDict") => Global::OrderedDict,
            (
                "torch.jit._pickle",
                "build_intlist" | "build_boollist" | "build_doublelist" | "build_tensorlist"
                | "restore_type_tag",
            ) => Global::Typed,
            ("torch", storage) => Global::Storage(match storage {
                "HalfStorage" => Dtype::F16,
                "BFloat16Storage" => Dtype::BF16,
                "FloatStorage" => Dtype::F32,
                "DoubleStorage" => Dtype::F64,
                "LongStorage" => Dtype::I64,
                "IntStorage" => Dtype::I32,
                "ShortStorage" => Dtype::I16,
                "CharStorage" => Dtype::I8,
                "ByteStorage" => Dtype::U8,
                "BoolStorage" => Dtype::BOOL,
                _ => return None,
            }),
            (module, _) if module == "__torch__" || module.starts_with("__torch__.") => {
                Global::Class
            }
            _ => return None,
        })
    }
}

/// An entry that holds values.
#[derive(Clone, Copy, Debug)]
pub(super) struct Storage<'a> {
    /// The entry is `data/{key}`.
    pub(super) key: &'a str,
    pub(super) dtype: Dtype,
    /// Values in it.
    pub(super) len: usize,
}

/// A tensor over a storage; offset and strides count values. Nothing here has
/// been held against the storage.
#[derive(Clone, Debug)]
pub(super) struct Tensor<'a> {
    pub(super) storage: Storage<'a>,
    pub(super) offset: usize,
    pub(super) shape: Vec<usize>,
    pub(super) strides: Vec<usize>,
}
