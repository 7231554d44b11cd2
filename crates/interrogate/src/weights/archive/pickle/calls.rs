//! The opcodes that name or call something: GLOBAL, REDUCE, NEWOBJ, BUILD and BINPERSID.
//!
//! None of them runs code: each builds a [`Value`] or is refused.

use super::allowlist::Global;
use super::value::{Id, Storage, Tensor, Value};
use super::{MAX_TENSORS, Unpickler};
use crate::Result;

/// Maximum number of dimensions of a tensor.
const MAX_RANK: usize = 16;

impl<'a> Unpickler<'a> {
    /// GLOBAL: pushes a name. A name that is not on the allowlist is refused here.
    pub(super) fn global(&mut self) -> Result<()> {
        let (module, name) = (self.input.line()?, self.input.line()?);
        match Global::allowed(module, name) {
            Some(global) => self.push(Value::Global(global)),
            None => self.refuse("an allowed global", format!("{module}.{name}")),
        }
    }

    /// REDUCE: "calls" a global with a tuple of arguments, which builds a tensor or a dict.
    pub(super) fn reduce(&mut self) -> Result<()> {
        let (arguments, callee) = (self.pop()?, self.pop()?);
        let (Value::Global(global), Value::Tuple(arguments)) =
            (self.value(callee), self.value(arguments))
        else {
            return self.refuse("a global and a tuple", "something else");
        };
        match (global, &arguments[..]) {
            (Global::OrderedDict, []) => self.push(Value::Dict(Vec::new())),
            // The first argument is the wrapped value; the others are torch's bookkeeping.
            (Global::TypedList | Global::Parameter, &[inner, ..]) => self.push_id(inner),
            (Global::Tensor, _) if self.tensors == MAX_TENSORS => {
                self.refuse(format!("at most {MAX_TENSORS} tensors"), "more")
            }
            (Global::Tensor, &[storage, offset, shape, strides, ..]) => {
                self.tensors += 1;
                match self.tensor(storage, offset, shape, strides) {
                    Some(tensor) => self.push(Value::Tensor(tensor.into())),
                    None => {
                        self.refuse("a storage, an offset, sizes and strides", "other arguments")
                    }
                }
            }
            (global, _) => {
                let found = format!("{global:?} of {} arguments", arguments.len());
                self.refuse("a call that makes a tensor or a dict", found)
            }
        }
    }

    fn tensor(&self, storage: Id, offset: Id, shape: Id, strides: Id) -> Option<Tensor<'a>> {
        let &Value::Storage(storage) = self.value(storage) else { return None };
        let (shape, strides) = (self.sizes(shape)?, self.sizes(strides)?);
        (shape.len() == strides.len()).then_some(())?;
        Some(Tensor { storage, offset: self.size(offset)?, shape, strides })
    }

    fn size(&self, id: Id) -> Option<usize> {
        match self.value(id) {
            &Value::Int(size) => usize::try_from(size).ok(),
            _ => None,
        }
    }

    fn sizes(&self, id: Id) -> Option<Vec<usize>> {
        match self.value(id) {
            Value::Tuple(ids) if ids.len() <= MAX_RANK => {
                ids.iter().map(|&id| self.size(id)).collect()
            }
            _ => None,
        }
    }

    /// NEWOBJ: pushes a TorchScript module without attributes.
    pub(super) fn object(&mut self) -> Result<()> {
        let (arguments, class) = (self.pop()?, self.pop()?);
        match (self.value(class), self.value(arguments)) {
            (Value::Global(Global::Class), Value::Tuple(none)) if none.is_empty() => {
                self.push(Value::Module(None))
            }
            _ => self.refuse("a module's class without arguments", "something else"),
        }
    }

    /// BUILD: gives a module its attributes.
    pub(super) fn build(&mut self) -> Result<()> {
        let state = self.pop()?;
        match self.stack.last().map(|&id| &mut self.values[id as usize]) {
            Some(Value::Module(attributes @ None)) => {
                *attributes = Some(state);
                Ok(())
            }
            // A state dict's `_metadata` (versions of classes) is ignored.
            Some(Value::Dict(_)) => Ok(()),
            _ => self.refuse("a module or a dict", "something else"),
        }
    }

    /// BINPERSID: pushes the storage that the tuple `("storage", class, key, device, len)`
    /// describes.
    pub(super) fn storage(&mut self) -> Result<()> {
        let id = self.pop()?;
        let parts = match self.value(id) {
            Value::Tuple(parts) => &parts[..],
            _ => &[],
        };
        let storage = match parts {
            &[kind, class, key, _, len] => {
                match (self.value(kind), self.value(class), self.value(key), self.size(len)) {
                    (
                        Value::Text("storage"),
                        &Value::Global(Global::Storage(dtype)),
                        &Value::Text(key),
                        Some(len),
                    ) => Some(Storage { key, dtype, len }),
                    _ => None,
                }
            }
            _ => None,
        };
        match storage {
            Some(storage) => self.push(Value::Storage(storage)),
            None => self.refuse("a storage tuple", "something else"),
        }
    }
}
