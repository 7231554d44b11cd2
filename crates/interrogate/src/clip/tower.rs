//! All layers of a tower, one behind the other.

use super::layer::{EncoderLayer, Sizes};
use super::past::Past;
use super::room::Room;
use super::scope::Scope;
use crate::Result;
use crate::trie::Trie;
use crate::weights::Weights;

/// The layers of a tower.
#[derive(Debug)]
pub(super) struct Encoder {
    layers: Vec<EncoderLayer>,
}

impl Encoder {
    /// Takes `{prefix}.layers.0` and on.
    pub(super) fn new(weights: &Weights, prefix: &str, sizes: &Sizes) -> Result<Self> {
        let layer = |n| EncoderLayer::new(weights, &format!("{prefix}.layers.{n}"), sizes);
        Ok(Encoder { layers: (0..sizes.layers).map(layer).collect::<Result<_>>()? })
    }

    /// Takes the rows of `room` through all layers, to those that `readout`
    /// numbers: in the last layer no other row goes on past keys and values.
    pub(super) fn forward(
        &self,
        room: &mut Room,
        scope: &Scope<'_>,
        readout: &[u32],
    ) -> Result<()> {
        for (number, layer) in self.layers.iter().enumerate() {
            let last = number + 1 == self.layers.len();
            layer.forward(number, room, scope, last.then_some(readout))?;
        }
        Ok(())
    }

    /// Appends to `past` the keys and values of a path that hangs from it, whose
    /// states are in `room`.
    pub(super) fn extend(&self, room: &mut Room, trie: &Trie, past: &mut Past) -> Result<()> {
        for (number, layer) in self.layers.iter().enumerate() {
            let last = number + 1 == self.layers.len();
            // Nothing is read out: the last layer ends with its keys and values.
            layer.forward(number, room, &Scope::Trie(trie, past), last.then_some(&[]))?;
            past.keep(number, &room.keys, &room.values);
        }
        past.grow(trie);
        Ok(())
    }
}
