//! The pickle of an archive, read as plain values.
//!
//! A pickle is a program for a stack machine. This one knows the opcodes that
//! PyTorch writes for tensors, dicts and modules, and the few names of
//! [`Global`]; it builds values and calls nothing. All else is refused with its
//! place. Values lie in one list and are meant by number, so that what is shared
//! costs nothing, and the memory is bounded by the pickle's length.

pub(super) mod allowlist;
mod input;
mod opcode;
pub(super) mod value;

use std::collections::HashMap;
use std::path::Path;

use crate::Result;
use allowlist::Global;
use input::Input;
use value::{Id, Storage, Tensor, Value};

/// Values that a pickle may build. A state dict takes some fifteen a tensor, and
/// the largest CLIP has a thousand tensors.
const MAX_VALUES: usize = 1 << 18;

/// Tensors that a pickle may build, each with its sizes and strides.
const MAX_TENSORS: usize = 1 << 16;

/// Dimensions of a tensor at most.
const MAX_RANK: usize = 16;

/// The machine.
pub(super) struct Unpickler<'a> {
    input: Input<'a>,
    values: Vec<Value<'a>>,
    stack: Vec<Id>,
    /// Heights of the stack at which marks stand.
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
    tensors: usize,
}

impl<'a> Unpickler<'a> {
    pub(super) fn new(path: &'a Path, bytes: &'a [u8]) -> Self {
        Unpickler {
            input: Input::new(path, bytes),
            values: Vec::new(),
            stack: Vec::new(),
            marks: Vec::new(),
            memo: HashMap::new(),
            tensors: 0,
        }
    }

    /// Runs to the end; all values, and which of them is the pickle's.
    pub(super) fn read(mut self) -> Result<(Vec<Value<'a>>, Id)> {
        loop {
            match self.input.opcode()? {
                b'.' => {
                    let root = self.pop()?;
                    return Ok((self.values, root));
                }
                opcode => self.step(opcode)?,
            }
        }
    }

    fn step(&mut self, opcode: u8) -> Result<()> {
        match opcode {
            0x80 => match self.input.byte()? {
                2 => Ok(()),
                other => self.refuse("protocol 2", format!("protocol {other}")),
            },
            b'N' | 0x88 | 0x89 => self.push(Value::Scalar),
            b'G' => {
                self.input.take(8)?;
                self.push(Value::Scalar)
            }
            b'K' => {
                let [value] = self.input.array()?;
                self.push(Value::Int(value.into()))
            }
            b'M' => {
                let value = u16::from_le_bytes(self.input.array()?);
                self.push(Value::Int(value.into()))
            }
            b'J' => {
                let value = i32::from_le_bytes(self.input.array()?);
                self.push(Value::Int(value.into()))
            }
            0x8a => self.long(),
            b'X' => self.text(),
            b')' => self.push(Value::Tuple(Vec::new())),
            b']' => self.push(Value::List(Vec::new())),
            b'}' => self.push(Value::Dict(Vec::new())),
            0x85..=0x87 => {
                let height = self.stack.len().checked_sub(usize::from(opcode - 0x84));
                self.tuple(height)
            }
            b't' => {
                let height = self.marks.pop();
                self.tuple(height)
            }
            b'(' => {
                self.marks.push(self.stack.len());
                Ok(())
            }
            b'a' => {
                let height = self.stack.len().checked_sub(1);
                self.append(height)
            }
            b'e' => {
                let height = self.marks.pop();
                self.append(height)
            }
            b's' => {
                let height = self.stack.len().checked_sub(2);
                self.set(height)
            }
            b'u' => {
                let height = self.marks.pop();
                self.set(height)
            }
            b'q' | b'r' => {
                let slot = self.input.slot(opcode == b'r')?;
                let top = self.stack.last().copied();
                let Some(top) = top else { return self.refuse("a value", "an empty stack") };
                self.memo.insert(slot, top);
                Ok(())
            }
            b'h' | b'j' => {
                let slot = self.input.slot(opcode == b'j')?;
                match self.memo.get(&slot) {
                    Some(&id) => self.put(id),
                    None => self.refuse("a value kept before", format!("none in slot {slot}")),
                }
            }
            b'c' => self.global(),
            b'R' => self.reduce(),
            0x81 => self.object(),
            b'b' => self.build(),
            b'Q' => self.storage(),
            other => self.refuse("an opcode of tensors and dicts", opcode::name(other)),
        }
    }

    // ---- values ----

    fn text(&mut self) -> Result<()> {
        let length = u32::from_le_bytes(self.input.array()?);
        let bytes = self.input.take(length as usize)?;
        match std::str::from_utf8(bytes) {
            Ok(text) => self.push(Value::Text(text)),
            Err(_) => self.refuse("text", "bytes that are no UTF-8"),
        }
    }

    /// A whole number of up to eight bytes, little-endian, the highest bit the
    /// sign.
    fn long(&mut self) -> Result<()> {
        let length = self.input.byte()?;
        if length > 8 {
            return self.refuse("a number of at most 8 bytes", format!("{length} bytes"));
        }
        let bytes = self.input.take(length.into())?;
        let sign = if bytes.last().is_some_and(|last| last >> 7 == 1) { 0xff } else { 0 };
        let mut whole = [sign; 8];
        whole[..bytes.len()].copy_from_slice(bytes);
        self.push(Value::Int(i64::from_le_bytes(whole)))
    }

    // ---- the stack ----

    fn push(&mut self, value: Value<'a>) -> Result<()> {
        let id = self.values.len();
        if id == MAX_VALUES {
            return self.refuse(format!("at most {MAX_VALUES} values"), "more");
        }
        self.values.push(value);
        self.put(id as Id) // below 2^18
    }

    fn put(&mut self, id: Id) -> Result<()> {
        self.stack.push(id);
        Ok(())
    }

    fn pop(&mut self) -> Result<Id> {
        // What stands below a mark is not the opcode's to take.
        let floor = self.marks.last().copied().unwrap_or(0);
        match self.stack.pop() {
            Some(id) if self.stack.len() >= floor => Ok(id),
            _ => self.refuse("a value", "an empty stack"),
        }
    }

    fn above(&mut self, height: Option<usize>) -> Result<Vec<Id>> {
        let floor = self.marks.last().copied().unwrap_or(0);
        match height {
            Some(height) if height <= self.stack.len() && height >= floor => {
                Ok(self.stack.split_off(height))
            }
            _ => self.refuse("values", "too few on the stack"),
        }
    }

    fn value(&self, id: Id) -> &Value<'a> {
        &self.values[id as usize] // only numbers of `values` are ever pushed
    }

    // ---- containers ----

    fn tuple(&mut self, height: Option<usize>) -> Result<()> {
        let items = self.above(height)?;
        self.push(Value::Tuple(items))
    }

    fn append(&mut self, height: Option<usize>) -> Result<()> {
        let items = self.above(height)?;
        match self.stack.last().map(|&id| &mut self.values[id as usize]) {
            Some(Value::List(list)) => {
                list.extend(items);
                Ok(())
            }
            _ => self.refuse("a list", "something else"),
        }
    }

    fn set(&mut self, height: Option<usize>) -> Result<()> {
        let items = self.above(height)?;
        match self.stack.last().map(|&id| &mut self.values[id as usize]) {
            Some(Value::Dict(dict)) if items.len().is_multiple_of(2) => {
                dict.extend(items.chunks_exact(2).map(|pair| (pair[0], pair[1])));
                Ok(())
            }
            _ => self.refuse("a dict and pairs", "something else"),
        }
    }

    // ---- names and what they make ----

    fn global(&mut self) -> Result<()> {
        let (module, name) = (self.input.line()?, self.input.line()?);
        match Global::allowed(module, name) {
            Some(global) => self.push(Value::Global(global)),
            None => self.refuse("a name of tensors and modules", format!("{module}.{name}")),
        }
    }

    fn reduce(&mut self) -> Result<()> {
        let (arguments, callee) = (self.pop()?, self.pop()?);
        let (Value::Global(global), Value::Tuple(arguments)) =
            (self.value(callee), self.value(arguments))
        else {
            return self.refuse("a name and a tuple", "something else");
        };
        match (global, &arguments[..]) {
            (Global::OrderedDict, []) => self.push(Value::Dict(Vec::new())),
            // The value in them is what counts; the rest says how torch holds it.
            (Global::TypedList | Global::Parameter, &[inner, ..]) => self.put(inner),
            (Global::Tensor, _) if self.tensors == MAX_TENSORS => {
                self.refuse(format!("at most {MAX_TENSORS} tensors"), "more")
            }
            (Global::Tensor, &[storage, offset, shape, strides, ..]) => {
                self.tensors += 1;
                match self.tensor(storage, offset, shape, strides) {
                    Some(tensor) => self.push(Value::Tensor(tensor.into())),
                    None => self.refuse("a storage, an offset, sizes and strides", "another"),
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

    fn object(&mut self) -> Result<()> {
        let (arguments, class) = (self.pop()?, self.pop()?);
        match (self.value(class), self.value(arguments)) {
            (Value::Global(Global::Class), Value::Tuple(none)) if none.is_empty() => {
                self.push(Value::Module(None))
            }
            _ => self.refuse("a module's class without arguments", "something else"),
        }
    }

    fn build(&mut self) -> Result<()> {
        let state = self.pop()?;
        match self.stack.last().map(|&id| &mut self.values[id as usize]) {
            Some(Value::Module(attributes @ None)) => {
                *attributes = Some(state);
                Ok(())
            }
            // A state dict's `_metadata`, which names versions of classes.
            Some(Value::Dict(_)) => Ok(()),
            _ => self.refuse("a module or a dict to give attributes to", "something else"),
        }
    }

    /// The tuple that stands for a storage: `("storage", class, key, device,
    /// values)`.
    fn storage(&mut self) -> Result<()> {
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
            None => self.refuse("the tuple of a storage", "another"),
        }
    }

    fn refuse<T>(&self, expected: impl Into<String>, found: impl Into<String>) -> Result<T> {
        self.input.refuse(expected, found)
    }
}
