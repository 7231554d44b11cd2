//! The globals that a pickle may name. All others are refused, so that no code runs.

use safetensors::Dtype;

/// A global that a pickle may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::weights::archive) enum Global {
    /// `torch._utils._rebuild_tensor_v2`.
    Tensor,
    /// `torch._utils._rebuild_parameter`: stands for the wrapped tensor.
    Parameter,
    /// `collections.OrderedDict`.
    OrderedDict,
    /// The typed lists of `torch.jit._pickle`: stands for the wrapped list.
    TypedList,
    /// `torch.FloatStorage` and the storages of other types.
    Storage(Dtype),
    /// A TorchScript class, `__torch__.…`: read as a bag of attributes.
    Class,
}

impl Global {
    /// Looks up `module.name`; `None` if it is not on the list and must be refused.
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
