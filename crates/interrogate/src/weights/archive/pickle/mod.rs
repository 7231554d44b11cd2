//! Reads an archive's pickle as plain values, without running code.
//!
//! A pickle is a program for a stack machine. [`Unpickler`] supports the opcodes that PyTorch
//! writes for tensors, dicts and modules, and resolves only the globals on the
//! [`allowlist`]; every other opcode or name is refused with its byte offset. It builds values
//! and calls nothing. Values are stored in one list and referred to by index, so shared values
//! cost nothing and memory is bounded by the pickle's length.

pub(super) mod allowlist;
mod calls;
mod input;
mod opcode;
pub(super) mod value;

use std::collections::HashMap;
use std::path::Path;

use crate::Result;
use input::Input;
use value::{Id, Value};

/// Maximum number of values in a pickle. A state dict has about fifteen for each tensor, and
/// the largest CLIP has a thousand tensors.
const MAX_VALUES: usize = 1 << 18;

/// Maximum number of tensors in a pickle, each with its sizes and strides.
const MAX_TENSORS: usize = 1 << 16;

/// The stack machine.
pub(super) struct Unpickler<'a> {
    input: Input<'a>,
    values: Vec<Value<'a>>,
    stack: Vec<Id>,
    /// The stack heights of the open marks.
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

    /// Runs the program; returns all values and the id of the result.
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
                self.set_items(height)
            }
            b'u' => {
                let height = self.marks.pop();
                self.set_items(height)
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
                    Some(&id) => self.push_id(id),
                    None => self.refuse("a memoized value", format!("none in slot {slot}")),
                }
            }
            b'c' => self.global(),
            b'R' => self.reduce(),
            0x81 => self.object(),
            b'b' => self.build(),
            b'Q' => self.storage(),
            other => self.refuse("a supported opcode", opcode::name(other)),
        }
    }

    // ---- values ----

    fn text(&mut self) -> Result<()> {
        let length = u32::from_le_bytes(self.input.array()?);
        let bytes = self.input.take(length as usize)?;
        match std::str::from_utf8(bytes) {
            Ok(text) => self.push(Value::Text(text)),
            Err(_) => self.refuse("text", "invalid UTF-8"),
        }
    }

    /// LONG1: a two's complement integer of up to eight bytes, little-endian.
    fn long(&mut self) -> Result<()> {
        let length = self.input.byte()?;
        if length > 8 {
            return self.refuse("a number of at most 8 bytes", format!("{length} bytes"));
        }
        let bytes = self.input.take(length.into())?;
        let sign = if bytes.last().is_some_and(|last| last >> 7 == 1) { 0xff } else { 0 };
        let mut padded = [sign; 8];
        padded[..bytes.len()].copy_from_slice(bytes);
        self.push(Value::Int(i64::from_le_bytes(padded)))
    }

    // ---- the stack ----

    fn push(&mut self, value: Value<'a>) -> Result<()> {
        let id = self.values.len();
        if id == MAX_VALUES {
            return self.refuse(format!("at most {MAX_VALUES} values"), "more");
        }
        self.values.push(value);
        self.push_id(id as Id) // below 2^18
    }

    fn push_id(&mut self, id: Id) -> Result<()> {
        self.stack.push(id);
        Ok(())
    }

    fn pop(&mut self) -> Result<Id> {
        // An opcode may not pop values below the last mark.
        let floor = self.marks.last().copied().unwrap_or(0);
        match self.stack.pop() {
            Some(id) if self.stack.len() >= floor => Ok(id),
            _ => self.refuse("a value", "an empty stack"),
        }
    }

    /// Pops the values above `height`.
    fn pop_above(&mut self, height: Option<usize>) -> Result<Vec<Id>> {
        let floor = self.marks.last().copied().unwrap_or(0);
        match height {
            Some(height) if height <= self.stack.len() && height >= floor => {
                Ok(self.stack.split_off(height))
            }
            _ => self.refuse("values", "too few on the stack"),
        }
    }

    fn value(&self, id: Id) -> &Value<'a> {
        &self.values[id as usize] // only indexes into `values` are ever pushed
    }

    // ---- containers ----

    // Each of these pops the values above `height`.

    fn tuple(&mut self, height: Option<usize>) -> Result<()> {
        let items = self.pop_above(height)?;
        self.push(Value::Tuple(items))
    }

    fn append(&mut self, height: Option<usize>) -> Result<()> {
        let items = self.pop_above(height)?;
        match self.stack.last().map(|&id| &mut self.values[id as usize]) {
            Some(Value::List(list)) => {
                list.extend(items);
                Ok(())
            }
            _ => self.refuse("a list", "something else"),
        }
    }

    fn set_items(&mut self, height: Option<usize>) -> Result<()> {
        let items = self.pop_above(height)?;
        match self.stack.last().map(|&id| &mut self.values[id as usize]) {
            Some(Value::Dict(dict)) if items.len().is_multiple_of(2) => {
                dict.extend(items.chunks_exact(2).map(|pair| (pair[0], pair[1])));
                Ok(())
            }
            _ => self.refuse("a dict and pairs", "something else"),
        }
    }

    fn refuse<T>(&self, expected: impl Into<String>, found: impl Into<String>) -> Result<T> {
        self.input.refuse(expected, found)
    }
}
