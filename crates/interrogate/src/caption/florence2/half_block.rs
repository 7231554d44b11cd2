//! Half of a block of DaViT: attention and an MLP, each after a depthwise convolution.

use super::davit_config::DavitConfig;
use crate::Result;
#[cfg(doc)]
use crate::error::DeviceError;
use crate::nn::{Activation, Backend, Depthwise, Epilogue, Loader, Window, Workspace};

/// The epsilon of the norms, torch's default.
const EPS: f64 = 1e-5;

/// Pixels along a side of the convolutions.
const KERNEL: usize = 3;

/// Attention and an MLP, each after a depthwise convolution.
#[derive(Debug)]
pub(super) struct Half<B: Backend> {
    conv1: Depthwise<B>,
    norm1: B::Norm,
    pub(super) qkv: [B::Linear; 3],
    proj: B::Linear,
    conv2: Depthwise<B>,
    norm2: B::Norm,
    fc1: B::Linear,
    fc2: B::Linear,
}

impl<B: Backend> Half<B> {
    /// Loads the weights under `prefix`; `attention` is the name of its attention.
    ///
    /// # Errors
    /// Those of [`Weights`](crate::weights::Weights).
    pub(super) fn load(
        loader: &Loader<'_, B>,
        config: &DavitConfig,
        width: usize,
        [prefix, attention]: [&str; 2],
    ) -> Result<Self> {
        let at = |name: &str| format!("{prefix}.{name}");
        let inner = config.inner(width);
        let qkv = at(&format!("{attention}.qkv"));
        Ok(Half {
            conv1: loader.depthwise(&at("conv1"), [width, KERNEL])?,
            norm1: loader.layer_norm(&at("norm1"), width, EPS)?,
            qkv: loader.thirds(&qkv, width, config.qkv_bias)?,
            proj: loader.linear(&at(&format!("{attention}.proj")), [width, width])?,
            conv2: loader.depthwise(&at("conv2"), [width, KERNEL])?,
            norm2: loader.layer_norm(&at("norm2"), width, EPS)?,
            fc1: loader.linear(&at("ffn.fc1"), [inner, width])?,
            fc2: loader.linear(&at("ffn.fc2"), [width, inner])?,
        })
    }

    /// Runs the rows of `work` through the half, in place. `attend` attends from and to the
    /// normed rows of `work`, and leaves the result in its context.
    ///
    /// # Errors
    /// [`DeviceError::Tensors`].
    pub(super) fn forward(
        &self,
        backend: &B,
        work: &mut Workspace<B>,
        (side, activation): (usize, Activation),
        attend: impl FnOnce(&mut Workspace<B>) -> Result<()>,
    ) -> Result<()> {
        let window = Window { side, kernel: KERNEL, stride: 1, padding: KERNEL / 2 };
        let convolve = |conv: &Depthwise<B>, work: &mut Workspace<B>| -> Result<()> {
            let Workspace { rows, next, .. } = work;
            backend.convolve_depthwise(conv, &window, rows, next)?;
            // One group: the sum of both.
            backend.add_to_groups(rows, next)?;
            std::mem::swap(rows, next);
            Ok(())
        };
        convolve(&self.conv1, work)?;
        backend.normalize(&self.norm1, &work.rows, &mut work.normed)?;
        attend(work)?;
        let Workspace { rows, context, next, .. } = &mut *work;
        backend.apply(&self.proj, context, Epilogue::plus(rows), next)?;
        std::mem::swap(rows, next);
        convolve(&self.conv2, work)?;
        let Workspace { rows, normed, next, inner, .. } = work;
        backend.normalize(&self.norm2, rows, normed)?;
        backend.apply(&self.fc1, normed, Epilogue::activation(activation), inner)?;
        backend.apply(&self.fc2, inner, Epilogue::plus(rows), next)?;
        std::mem::swap(rows, next);
        Ok(())
    }
}
