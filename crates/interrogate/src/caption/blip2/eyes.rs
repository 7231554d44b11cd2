//! What BLIP-2 sees, on the processor: image tower, Q-Former, projection.

use super::super::checkpoint::Checkpoint;
use super::super::linear::Linear;
use super::super::states::States;
use super::super::vision::{self, Vision};
use super::See;
use super::config::QFormer as Config;
use super::qformer::QFormer;
use crate::Result;

/// The parts before the language model.
#[derive(Debug)]
pub(in crate::caption) struct Eyes {
    vision: Vision,
    qformer: QFormer,
    language_projection: Linear,
}

impl Eyes {
    /// Takes their weights, for so many queries and a language model of `dim`.
    ///
    /// # Errors
    /// Those of the weights.
    pub(super) fn load(
        weights: &Checkpoint,
        vision: vision::Config,
        qformer: Config,
        [queries, dim]: [usize; 2],
    ) -> Result<Self> {
        let (image_dim, qformer_dim) = (vision.hidden_size, qformer.hidden_size);
        Ok(Eyes {
            vision: Vision::load(weights, vision)?,
            qformer: QFormer::load(weights, qformer, queries, image_dim)?,
            language_projection: weights.linear("language_projection", dim, qformer_dim, true)?,
        })
    }

    /// The tower's states (images * places, its dim).
    ///
    /// # Errors
    /// [`crate::Error::Dim`], [`crate::Error::Engine`].
    pub(in crate::caption) fn tower(&self, pixels: &[f32]) -> Result<States> {
        self.vision.forward(pixels)
    }

    /// What the queries become over the tower's states, (images * queries, the
    /// Q-Former's dim).
    ///
    /// # Errors
    /// [`crate::Error::Engine`].
    pub(in crate::caption) fn queries(&self, tower: &States) -> Result<States> {
        self.qformer.forward(tower.len() / self.vision.places(), tower)
    }
}

impl See for Eyes {
    fn see(&self, pixels: &[f32]) -> Result<States> {
        self.language_projection.forward(&self.queries(&self.tower(pixels)?)?)
    }
}
