//! The globals that a pickle may name. All others are refused, so that no code runs.

use safetensors::Dtype;

/// What a pickle may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::weights::archive) enum Global {
    /// `torch._utils._rebuild_tensor_v2`.
    Tensor,
    /// `torch._utils._rebuild_parameter`: the tensor within.
    Parameter,
    /// `collections.OrderedDict`.
    OrderedDict,
    /// `torch.jit._pickle`'s names for typed lists: the list within.
    TypedList,
    /// `torch.FloatStorage` and its kin.
    Storage(Dtype),
    /// A class of TorchScript's, `__torch__.…`: a bag of attributes.
    Class,
}

impl Global {
    /// What `module.name` may stand for; `None` for all that is not on the list.
    pub(in crate::weights::archive) fn allowed(module: &str, name: &str) -> Option<Self> {
        Some(match (module, name) {
            ("torch._utils", "_rebuild_tensor_v2") => Global::Tensor,
            ("torch._utils", "_rebuild_parameter") => Global::Parameter,
            ("collections", "OrderedDict") => Global::OrderedDict,
            (
                "torch.jit._pickle",
                "build_intlist" | "build_boollist" | "build_doublelist" | "build_tensorlist"
                | "restore_type_tag",
            ) => Global::TypedList,
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
