//! JSON of a bounded size as a tree.

use std::cell::Cell;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::limits;

/// Values in a tree at most. Templates and chains have some fifty.
const MAX_NODES: usize = 1 << 12;

/// A value of JSON; of numbers and the like it says nothing.
#[derive(Debug, Default)]
pub(super) enum Node {
    #[default]
    Plain,
    Text(String),
    List(Vec<Node>),
    Object(Vec<(String, Node)>),
}

impl Node {
    /// The value of `key`, the last where it comes twice, as the library takes it.
    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        let Node::Object(fields) = self else { return None };
        fields.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// The text of `key`.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        match self.get(key)? {
            Node::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The values of a list, of an object, or none.
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
        Bounded(&left).deserialize(deserializer)
    }
}

/// Nodes and bytes of text that are left.
#[derive(Clone, Copy)]
struct Bounded<'b>(&'b Cell<(usize, usize)>);

impl Bounded<'_> {
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

impl<'de> DeserializeSeed<'de> for Bounded<'_> {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Bounded<'_> {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Node, E> {
        self.spend(0).map(|()| Node::Plain)
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
