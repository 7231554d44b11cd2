//! Attention within windows of a feature map.

use crate::Result;
#[cfg(doc)]
use crate::error::DeviceError;
use crate::nn::{Backend, Heads, KvView, Scope, Workspace};

/// The windows of a stage's feature maps.
#[derive(Debug)]
pub(super) struct Windows<'a, B: Backend> {
    /// The row of padding, if there is any.
    zero: Option<&'a B::Rows>,
    /// The pixels of each window.
    ids: B::Ids,
    /// The place of each pixel in its window.
    back: B::Ids,
    scope: B::Scope,
    heads: Heads,
}

impl<'a, B: Backend> Windows<'a, B> {
    /// Prepares windows of `window` by `window` pixels of `images` maps of `side` by `side`. Maps
    /// are padded to whole windows with the row `zero`.
    pub(super) fn new(
        backend: &B,
        heads: Heads,
        [images, side, window]: [usize; 3],
        zero: &'a B::Rows,
    ) -> Result<Self> {
        let count = side.div_ceil(window);
        let (padded, pixels) = (count * window, side * side);
        let padding = (images * pixels) as u32;
        let mut ids = Vec::with_capacity(images * padded * padded);
        let mut back = vec![0; images * pixels];
        for image in 0..images {
            for at in 0..padded * padded {
                // A window's number, then the pixel's in it.
                let (number, at) = (at / (window * window), at % (window * window));
                let y = number / count * window + at / window;
                let x = number % count * window + at % window;
                let row = image * pixels + y * side + x;
                if y < side && x < side {
                    back[row] = ids.len() as u32;
                    ids.push(row as u32);
                } else {
                    ids.push(padding);
                }
            }
        }
        Ok(Windows {
            zero: (padded > side).then_some(zero),
            ids: backend.ids(&ids)?,
            back: backend.ids(&back)?,
            scope: backend.scope(Scope::Groups(images * count * count))?,
            heads,
        })
    }

    /// Attends within each window. Padding is attended to as well: its keys and values are the
    /// biases.
    ///
    /// # Errors
    /// [`DeviceError::Tensors`].
    pub(super) fn attend(
        &self,
        backend: &B,
        work: &mut Workspace<B>,
        [query, key, value]: &[B::Linear; 3],
    ) -> Result<()> {
        let Workspace { normed, queries, keys, values, context, next, .. } = work;
        if let Some(zero) = self.zero {
            backend.concat(&[normed, zero], next)?;
            std::mem::swap(normed, next);
        }
        backend.select(normed, &self.ids, next)?;
        backend.apply_each(
            &mut [(query, &mut *queries), (key, &mut *keys), (value, &mut *values)],
            next,
        )?;
        let view = KvView::uncached(keys, values);
        backend.attend(self.heads, queries, view, &self.scope, None, context)?;
        backend.select(context, &self.back, next)?;
        std::mem::swap(context, next);
        Ok(())
    }
}
