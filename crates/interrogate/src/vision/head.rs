//! The product after pooling.

use crate::Result;
use crate::nn::{Backend, Epilogue, Loader};
use crate::weights::Shapes;

/// The product after pooling, in an image tower or a text tower.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Head {
    /// None: rows have the width of the transformer.
    None,
    /// Without a bias.
    #[default]
    Projection,
    /// With a bias.
    BiasedProjection,
}

impl Head {
    /// Adds the weights of the product `name`, (dim, width).
    pub(crate) fn add_shapes(self, shapes: &mut Shapes, name: &str, shape: [usize; 2]) {
        if self != Head::None {
            shapes.layer(name, &shape, self == Head::BiasedProjection);
        }
    }

    /// Loads the product `name`, (dim, width), if there is one.
    ///
    /// # Errors
    /// Those of [`Loader`].
    pub(crate) fn load<B: Backend>(
        self,
        loader: &Loader<'_, B>,
        name: &str,
        shape: [usize; 2],
    ) -> Result<Option<B::Linear>> {
        let bias = self == Head::BiasedProjection;
        (self != Head::None).then(|| loader.linear_if(name, shape, bias)).transpose()
    }
}

/// Returns the numbers of the first rows of `images` groups of `positions` rows: class tokens,
/// or the means of an attention pool.
pub(super) fn first_rows(images: usize, positions: usize) -> Vec<u32> {
    (0..images).map(|image| (image * positions) as u32).collect()
}

/// Applies `head` to `rows`, which are left empty, and copies the result to the host.
pub(crate) fn download<B: Backend>(
    backend: &B,
    head: Option<&B::Linear>,
    rows: &mut B::Rows,
) -> Result<Vec<f32>> {
    let rows = std::mem::take(rows);
    let Some(head) = head else { return backend.download(rows) };
    let mut projected = B::Rows::default();
    backend.apply(head, &rows, Epilogue::none(), &mut projected)?;
    backend.download(projected)
}
