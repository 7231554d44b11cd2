//! From a pickle's values to tensors by name.

use std::collections::BTreeMap;
use std::path::Path;

use super::pickle::value::{Id, Tensor, Value};
use crate::{Error, Result};

/// How deep attributes may lead: CLIP's to six.
const MAX_DEPTH: usize = 32;

/// Steps of a walk at most. Values may be shared, so that a small pickle can
/// name one tensor in as many ways as it likes. The largest CLIP takes some
/// three thousand.
const MAX_STEPS: usize = 1 << 16;

/// Bytes of all names together at most, as a long key can be shared as well.
const MAX_NAMES: usize = 8 << 20;

/// All tensors below `root`: the keys of dicts and the attributes of modules that
/// lead to them, joined by dots. Of a checkpoint that holds more than a state
/// dict, its `state_dict` alone, without the `module.` that training on several
/// processors puts before every key (open_clip, factory.py, `load_state_dict`).
pub(super) fn collect<'a>(
    path: &Path,
    values: &[Value<'a>],
    root: Id,
) -> Result<BTreeMap<String, Tensor<'a>>> {
    let mut collector = Collector { path, values, named: BTreeMap::new(), steps: 0, bytes: 0 };
    let root = collector.attribute(root, "state_dict").unwrap_or(root);
    collector.visit(root, "", 0)?;
    let named = collector.named;
    if named.is_empty() {
        return Err(Error::mismatch(path, "data.pkl", "tensors by name", "none"));
    }
    if !named.keys().all(|name| name.starts_with("module.")) {
        return Ok(named);
    }
    let shorter = |(name, tensor): (String, _)| (name["module.".len()..].to_owned(), tensor);
    Ok(named.into_iter().map(shorter).collect())
}

struct Collector<'w, 'a> {
    path: &'w Path,
    values: &'w [Value<'a>],
    named: BTreeMap<String, Tensor<'a>>,
    steps: usize,
    /// Of the names so far, those of dicts and modules among them.
    bytes: usize,
}

impl<'a> Collector<'_, 'a> {
    fn value(&self, id: Id) -> Option<&Value<'a>> {
        self.values.get(id as usize)
    }

    /// Keys and values of a dict, or of a module's attributes.
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
        if depth > MAX_DEPTH || self.steps > MAX_STEPS || self.bytes > MAX_NAMES {
            let expected = format!(
                "names {MAX_DEPTH} deep at most, {MAX_STEPS} in all, of {MAX_NAMES} bytes together"
            );
            return Err(Error::mismatch(self.path, "data.pkl", expected, "more"));
        }
        if let Some(Value::Tensor(tensor)) = self.value(id) {
            let tensor = Tensor::clone(tensor);
            if self.named.insert(name.to_owned(), tensor).is_some() {
                return Err(Error::mismatch(self.path, "data.pkl", "each name once", name));
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
