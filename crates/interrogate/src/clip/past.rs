//! The path that a trie hangs from: keys and values that are there already.

use crate::trie::Trie;

/// The tokens of a path, and for each layer the keys and values that later
/// tokens attend to: `2 * layers * width * 4` bytes a token.
#[derive(Clone, Debug, Default)]
pub(super) struct Past {
    tokens: Vec<u32>,
    /// For each layer keys and values, (tokens, width) each.
    layers: Vec<[Vec<f32>; 2]>,
}

/// One layer's keys and values, (tokens, width) each.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Layer<'a> {
    pub(super) keys: &'a [f32],
    pub(super) values: &'a [f32],
}

impl Past {
    /// The tokens of the path.
    pub(super) fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    /// Keys and values of layer number `layer`; none where nothing is past.
    pub(super) fn layer(&self, layer: usize) -> Layer<'_> {
        self.layers.get(layer).map_or(Layer::default(), |[keys, values]| Layer { keys, values })
    }

    /// Forgets all but the first `tokens`.
    pub(super) fn truncate(&mut self, tokens: usize) {
        if tokens < self.tokens.len() {
            let before = self.tokens.len();
            self.tokens.truncate(tokens);
            for all in self.layers.iter_mut().flatten() {
                all.truncate(all.len() / before * tokens);
            }
        }
    }

    /// Appends the nodes of `trie`, a single path that hangs from all of this,
    /// once each layer has been [kept](Self::keep).
    pub(super) fn grow(&mut self, trie: &Trie) {
        self.tokens.extend_from_slice(trie.ids());
    }

    /// Takes over layer number `layer`: keys and values of the past and of the
    /// nodes behind it.
    pub(super) fn keep(&mut self, layer: usize, keys: &[f32], values: &[f32]) {
        if self.layers.len() <= layer {
            self.layers.resize_with(layer + 1, Default::default);
        }
        for (kept, all) in self.layers[layer].iter_mut().zip([keys, values]) {
            kept.extend_from_slice(&all[kept.len()..]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_by_a_path_and_forgets_from_the_end() {
        let mut past = Past::default();
        assert!(past.layer(3).keys.is_empty());
        let path = [&[5, 6, 7][..]];
        past.keep(0, &[1., 2., 3., 4., 5., 6.], &[9.; 6]);
        past.keep(1, &[0.; 6], &[8.; 6]);
        past.grow(&Trie::after(&[], path));
        past.truncate(1);
        assert_eq!((past.tokens(), past.layer(0).keys), (&[5][..], &[1., 2.][..]));
        past.keep(0, &[1., 2., 3., 3.], &[9.; 4]);
        past.keep(1, &[0., 0., 4., 4.], &[8.; 4]);
        past.grow(&Trie::after(&[5], [&[5, 2][..]]));
        assert_eq!((past.tokens(), past.layer(1).keys), (&[5, 2][..], &[0., 0., 4., 4.][..]));
        past.truncate(0);
        assert!(past.tokens().is_empty() && past.layer(0).values.is_empty());
    }
}
