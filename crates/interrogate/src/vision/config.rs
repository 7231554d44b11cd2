//! The architectures of image towers.

use std::path::Path;

use super::convnext::{ConvNext, ConvNextConfig};
use super::eva::{EvaConfig, EvaTower};
use super::image_tower::ImageTower;
use super::resnet::{ResNet, ResNetConfig};
use super::vit::Vit;
use super::vit_config::VitConfig;
use crate::Result;
#[cfg(doc)]
use crate::error::Error;
use crate::nn::{Backend, Loader};
use crate::weights::Shapes;

/// The architecture of an image tower, with its sizes.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum VisionConfig {
    /// A vision transformer.
    Vit(VitConfig),
    /// CLIP's ResNet.
    ResNet(ResNetConfig),
    /// A ConvNeXt.
    ConvNext(ConvNextConfig),
    /// EVA or EVA-02.
    Eva(EvaConfig),
}

impl VisionConfig {
    /// Returns the height and width of the input in pixels.
    pub fn image_size(&self) -> usize {
        match self {
            VisionConfig::Vit(vit) => vit.image_size,
            VisionConfig::ResNet(resnet) => resnet.image_size,
            VisionConfig::ConvNext(convnext) => convnext.image_size,
            VisionConfig::Eva(eva) => eva.img_size,
        }
    }

    /// Returns the number of rows that an image takes in a layer, for the size of batches.
    pub(crate) fn positions(&self) -> usize {
        match self {
            VisionConfig::Vit(vit) => vit.positions(),
            VisionConfig::ResNet(resnet) => resnet.positions(),
            VisionConfig::ConvNext(convnext) => convnext.positions(),
            VisionConfig::Eva(eva) => eva.positions(),
        }
    }

    /// Returns the name and shape of every weight of a tower with rows of `dim` values.
    pub(crate) fn weights(&self, dim: usize) -> Shapes {
        match self {
            VisionConfig::Vit(vit) => vit.weights(dim),
            VisionConfig::ResNet(resnet) => resnet.weights(dim),
            VisionConfig::ConvNext(convnext) => convnext.weights(dim),
            VisionConfig::Eva(eva) => eva.weights(dim),
        }
    }

    /// Checks the sizes of a tower with rows of `dim` values. `path` is their file.
    ///
    /// # Errors
    /// [`Error::Mismatch`] for an invalid size.
    pub(crate) fn check(&self, path: &Path, dim: usize) -> Result<()> {
        match self {
            VisionConfig::Vit(vit) => vit.check(path, dim),
            VisionConfig::ResNet(resnet) => resnet.check(path, dim),
            VisionConfig::ConvNext(convnext) => convnext.check(path, dim),
            VisionConfig::Eva(eva) => eva.check(path, dim),
        }
    }

    /// Loads a tower with rows of `dim` values.
    ///
    /// # Errors
    /// Those of [`Loader`].
    pub(super) fn load<B: Backend>(
        &self,
        loader: &Loader<'_, B>,
        dim: usize,
    ) -> Result<Box<dyn ImageTower<B>>> {
        Ok(match self {
            VisionConfig::Vit(vit) => Box::new(Vit::load(loader, vit, dim)?),
            VisionConfig::ResNet(resnet) => Box::new(ResNet::load(loader, resnet, dim)?),
            VisionConfig::ConvNext(convnext) => Box::new(ConvNext::load(loader, convnext, dim)?),
            VisionConfig::Eva(eva) => Box::new(EvaTower::load(loader, eva, dim)?),
        })
    }
}
