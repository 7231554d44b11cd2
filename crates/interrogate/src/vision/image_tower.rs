//! What every image tower computes.

use std::fmt::Debug;

use crate::Result;
use crate::nn::{Backend, Workspace};

/// An image tower over one backend.
pub(super) trait ImageTower<B: Backend>: Debug + Send + Sync {
    /// Returns the rows (images, dim) of `pixels` (images, 3, height, width).
    fn forward(&self, backend: &B, work: &mut Workspace<B>, pixels: &[f32]) -> Result<Vec<f32>>;
}
