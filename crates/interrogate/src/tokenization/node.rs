//! JSON as a tree of limited size.

use std::cell::Cell;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::limits;

/// The maximum number of values in a tree. Templates and sequences have about fifty.
const MAX_NODES: usize = 1 << 12;

/// A JSON value.
#[derive(Debug, Default)]
pub(super) enum Node {
    /// Null, a boolean or a number.
    #[default]
    Scalar,
    Text(String),
    List(Vec<Node>),
    Object(Vec<(String, Node)>),
}

impl Node {
    /// Returns the value of `key`; of duplicate keys the last, like the library.
    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        let Node::Object(fields) = self else { return None };
        fields.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// Returns the value of `key` if it is a string.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        match self.get(key)? {
            Node::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the values of a list or an object; empty for other values.
    pub(super) fn children(&self) -> Box<dyn Iterator<Item = &Node> + '_> {
        match self {
            Node::List(values) => Box::new(values.iter()),
            Node::Object(fields) => Box::new(fields.iter().map(|(_, value)| value)),
            _ => Box::new(std::iter::empty()),
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let left = Cell::new((MAX_NODES, limits::TOKENIZER_RULE));
        NodeReader(&left).deserialize(deserializer)
    }
}

/// Reads a [`Node`] within a budget: the remaining number of nodes and bytes of text.
#[derive(Clone, Copy)]
struct NodeReader<'b>(&'b Cell<(usize, usize)>);

impl NodeReader<'_> {
    /// Takes one node and `text` bytes from the budget.
    fn spend<E: Error>(self, text: usize) -> Result<(), E> {
        let (nodes, bytes) = self.0.get();
        match (nodes.checked_sub(1), bytes.checked_sub(text)) {
            (Some(nodes), Some(bytes)) => {
                self.0.set((nodes, bytes));
                Ok(())
            }
            _ => Err(E::custom(format_args!(
                "a rule of more than {MAX_NODES} values or {} bytes",
                limits::TOKENIZER_RULE
            ))),
        }
    }
}

impl<'de> DeserializeSeed<'de> for NodeReader<'_> {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for NodeReader<'_> {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Node, E> {
        self.spend(0).map(|()| Node::Scalar)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Node, E> {
        self.visit_unit()
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Node, E> {
        self.visit_unit()
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Node, E> {
        self.visit_unit()
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Node, E> {
        self.visit_unit()
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Node, E> {
        self.spend(text.len())?;
        Ok(Node::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Node, A::Error> {
        self.spend(0)?;
        let mut values = Vec::new();
        while let Some(value) = seq.next_element_seed(self)? {
            values.push(value);
        }
        Ok(Node::List(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        self.spend(0)?;
        let mut fields = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            self.spend(key.len())?;
            fields.push((key, map.next_value_seed(self)?));
        }
        Ok(Node::Object(fields))
    }
}
