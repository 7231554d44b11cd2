//! What BLIP-2 sees, on a device: image tower, Q-Former, projection.

use candle_core::{Result, Tensor};

use super::super::super::states::States;
use super::super::super::vision;
use super::super::See;
use super::super::config::QFormer as Config;
use super::Weights;
use super::qformer::QFormer;
use super::vision::Vision;
use crate::nn::engine::Dense;
use crate::rank::device::halving;
use crate::{Error, Result as Checked};

/// Images that are looked at together, where memory is for them.
const BATCH: usize = 64;

/// The parts before the language model.
#[derive(Debug)]
pub(in crate::caption) struct Eyes {
    vision: Vision,
    qformer: QFormer,
    language_projection: Dense,
    dim: usize,
}

impl Eyes {
    /// Takes their weights, for so many queries and a language model of `dim`.
    pub(super) fn load(
        weights: &Weights<'_>,
        vision: vision::Config,
        qformer: Config,
        [queries, dim]: [usize; 2],
    ) -> Checked<Self> {
        let (image_dim, qformer_dim) = (vision.hidden_size, qformer.hidden_size);
        Ok(Eyes {
            vision: Vision::load(weights, vision)?,
            qformer: QFormer::load(weights, qformer, queries, image_dim)?,
            language_projection: weights.dense("language_projection", dim, qformer_dim, true)?,
            dim,
        })
    }

    /// The tower's states (images * places, its dim).
    pub(super) fn tower(&self, pixels: &[f32]) -> Result<Tensor> {
        self.vision.forward(pixels)
    }

    /// What the queries become over the tower's states, (images * queries, the
    /// Q-Former's dim).
    pub(super) fn queries(&self, tower: &Tensor) -> Result<Tensor> {
        self.qformer.forward(tower.dim(0)? / self.vision.places(), tower)
    }
}

impl See for Eyes {
    fn see(&self, pixels: &[f32]) -> Checked<States> {
        let image = self.vision.pixels();
        if !pixels.len().is_multiple_of(image) {
            return Err(Error::Dim { what: "an image", expected: image, found: pixels.len() });
        }
        let seen = halving("looking at images", pixels.len() / image, BATCH, |part| {
            let tower = self.tower(&pixels[part.start * image..part.end * image])?;
            let projected = self.language_projection.forward(&self.queries(&tower)?)?;
            projected.flatten_all()?.to_vec1()
        })?;
        Ok(States::new(self.dim, seen.concat()))
    }
}
