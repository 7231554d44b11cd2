//! Collects a pickle's tensors by name.

use std::collections::BTreeMap;
use std::path::Path;

use super::pickle::value::{Id, Tensor, Value};
use crate::{Error, Result};

/// Maximum depth of nested dicts and modules. CLIP has six.
const MAX_DEPTH: usize = 32;

/// Maximum number of names. Values may be shared, so a small pickle can give one tensor any
/// number of names. The largest CLIP has about three thousand, those of dicts and modules
/// included.
const MAX_STEPS: usize = 1 << 16;

/// Maximum total length of all names in bytes: a long key can be shared as well.
const MAX_NAME_BYTES: usize = 8 << 20;

/// Returns all tensors below `root`. A tensor's name is the path of dict keys and module
/// attributes that leads to it, joined by dots. If `root` has a `state_dict`, only that is
/// read. If all names have the prefix `module.`, which distributed training adds, it is removed
/// (open_clip, factory.py, `load_state_dict`).
pub(super) fn collect<'a>(
    path: &Path,
    values: &[Value<'a>],
    root: Id,
) -> Result<BTreeMap<String, Tensor<'a>>> {
    let mut collector = Collector { path, values, tensors: BTreeMap::new(), steps: 0, bytes: 0 };
    let root = collector.attribute(root, "state_dict").unwrap_or(root);
    collector.visit(root, "", 0)?;
    let tensors = collector.tensors;
    if tensors.is_empty() {
        return Err(Error::mismatch(path, "data.pkl", "tensors by name", "none"));
    }
    if !tensors.keys().all(|name| name.starts_with("module.")) {
        return Ok(tensors);
    }
    let shorter = |(name, tensor): (String, _)| (name["module.".len()..].to_owned(), tensor);
    Ok(tensors.into_iter().map(shorter).collect())
}

struct Collector<'w, 'a> {
    path: &'w Path,
    values: &'w [Value<'a>],
    tensors: BTreeMap<String, Tensor<'a>>,
    steps: usize,
    /// Total length of the names so far, those of dicts and modules included.
    bytes: usize,
}

impl<'a> Collector<'_, 'a> {
    fn value(&self, id: Id) -> Option<&Value<'a>> {
        self.values.get(id as usize)
    }

    /// Returns the keys and values of a dict, or of a module's attributes.
    fn pairs(&self, id: Id) -> &[(Id, Id)] {
        match self.value(id) {
            Some(Value::Dict(pairs)) => pairs,
            Some(Value::Module(Some(attributes))) => match self.value(*attributes) {
                Some(Value::Dict(pairs)) => pairs,
                _ => &[],
            },
            _ => &[],
        }
    }

    fn attribute(&self, id: Id, name: &str) -> Option<Id> {
        let found = |key| matches!(self.value(key), Some(&Value::Text(text)) if text == name);
        self.pairs(id).iter().find(|(key, _)| found(*key)).map(|&(_, value)| value)
    }

    fn visit(&mut self, id: Id, name: &str, depth: usize) -> Result<()> {
        self.steps += 1;
        self.bytes += name.len(); // at most MAX_STEPS times a pickle's length
        if depth > MAX_DEPTH || self.steps > MAX_STEPS || self.bytes > MAX_NAME_BYTES {
            let expected = format!(
                "at most {MAX_STEPS} names, {MAX_DEPTH} levels and {MAX_NAME_BYTES} bytes of names"
            );
            return Err(Error::mismatch(self.path, "data.pkl", expected, "more"));
        }
        if let Some(Value::Tensor(tensor)) = self.value(id) {
            let tensor = Tensor::clone(tensor);
            if self.tensors.insert(name.to_owned(), tensor).is_some() {
                let found = format!("{name} twice");
                return Err(Error::mismatch(self.path, "data.pkl", "unique names", found));
            }
            return Ok(());
        }
        for at in 0..self.pairs(id).len() {
            let (key, value) = self.pairs(id)[at];
            if let Some(&Value::Text(key)) = self.value(key) {
                let name = if name.is_empty() { key.to_owned() } else { format!("{name}.{key}") };
                self.visit(value, &name, depth + 1)?;
            }
        }
        Ok(())
    }
}
