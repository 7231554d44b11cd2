//! The names and shapes of all weights of a tower, by timm's names.

use super::config::{EvaConfig, Layout, Pool};
use crate::weights::Shapes;

impl EvaConfig {
    /// Returns the name and shape of every weight of a tower with rows of `dim` values.
    pub(crate) fn weights(&self, dim: usize) -> Shapes {
        let (width, inner, side) = (self.embed_dim, self.mlp_hidden, self.patch_size);
        let mut shapes = Shapes::default();
        shapes.add("cls_token", &[1, 1, width]);
        shapes.add("pos_embed", &[1, self.positions(), width]);
        shapes.layer("patch_embed.proj", &[width, 3, side, side], true);
        for number in 0..self.depth {
            let at = |name: &str| format!("blocks.{number}.{name}");
            shapes.layer(&at("norm1"), &[width], true);
            match self.layout {
                Layout::Eva | Layout::PostNorm => {
                    shapes.layer(&at("attn.qkv"), &[3 * width, width], false);
                    shapes.add(at("attn.q_bias"), &[width]);
                    shapes.add(at("attn.v_bias"), &[width]);
                    shapes.layer(&at("mlp.fc1"), &[inner, width], true);
                }
                Layout::Eva02 { scale_attn_inner } => {
                    shapes.layer(&at("attn.q_proj"), &[width, width], true);
                    shapes.layer(&at("attn.k_proj"), &[width, width], false);
                    shapes.layer(&at("attn.v_proj"), &[width, width], true);
                    if scale_attn_inner {
                        shapes.layer(&at("attn.norm"), &[width], true);
                    }
                    shapes.layer(&at("mlp.fc1_g"), &[inner, width], true);
                    shapes.layer(&at("mlp.fc1_x"), &[inner, width], true);
                    shapes.layer(&at("mlp.norm"), &[inner], true);
                }
            }
            shapes.layer(&at("attn.proj"), &[width, width], true);
            shapes.layer(&at("norm2"), &[width], true);
            shapes.layer(&at("mlp.fc2"), &[width, inner], true);
        }
        shapes.layer(self.last_norm(), &[width], true);
        shapes.layer("head", &[dim, width], true);
        shapes
    }

    /// The name of the norm before the head.
    pub(super) fn last_norm(&self) -> &'static str {
        match self.pool {
            Pool::Token => "norm",
            Pool::Average => "fc_norm",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;
    use sha2::{Digest, Sha256};

    use super::*;

    #[derive(Deserialize)]
    struct Golden {
        weights: usize,
        sha256: String,
    }

    #[test]
    fn names_and_shapes_are_those_of_timm() {
        let file = include_str!("../../../../../tests/fixtures/eva/shapes.json");
        let golden: BTreeMap<String, Golden> = serde_json::from_str(file).unwrap();
        assert_eq!(golden.len(), 7);
        for (name, golden) in golden {
            let weights = EvaConfig::named(&name).unwrap().weights(10).into_vec();
            assert_eq!(weights.len(), golden.weights, "{name}");
            let lines = weights.iter().map(|(name, shape)| format!("{name} {shape:?}\n"));
            let mut lines: Vec<String> = lines.collect();
            lines.sort();
            let found = Sha256::digest(lines.concat());
            let found: String = found.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(found, golden.sha256, "{name}");
        }
    }
}
