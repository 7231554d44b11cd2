//! A model and an index together.

use crate::Result;
use crate::encoder::{Features, ImageEncoder};
#[cfg(doc)]
use crate::error::IndexError;
use crate::index::{Index, Match};
use crate::models::Model;
use crate::picture::Picture;
use crate::prompt::{Pick, Prompt, Recipe};
use crate::rank::Order;

/// An index and the image tower of the model that it was built with.
///
/// ```no_run
/// use std::path::Path;
///
/// use interrogate::Interrogator;
/// use interrogate::index::Index;
/// use interrogate::models::{Model, ModelSource, Options};
/// use interrogate::picture::Picture;
///
/// let source = ModelSource::Folder("clip-vit-base-patch32".into());
/// let model = Model::open(source, &Options::new("cache"), &mut |_| {})?;
/// let interrogator = Interrogator::new(&model, Index::open(Path::new("indexes/clip"))?)?;
///
/// let picture = Picture::open(Path::new("cat.jpg"))?;
/// for found in interrogator.rank(&picture, "flavors", 5)? {
///     println!("{:.3} {}", found.score, found.label);
/// }
/// # Ok::<(), interrogate::Error>(())
/// ```
pub struct Interrogator {
    tower: Box<dyn ImageEncoder>,
    index: Index,
}

impl Interrogator {
    /// Checks that `index` was built with `model`, and loads the model's image tower.
    ///
    /// # Errors
    /// The errors of [`Model::check`] if the index was built with another model, another
    /// version of it, or other text cleaning, and the errors of
    /// [`Model::image_encoder`].
    pub fn new(model: &Model, index: Index) -> Result<Self> {
        model.check(&index)?;
        Ok(Interrogator { tower: model.image_encoder()?, index })
    }

    /// Returns the index.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// Returns the image tower, to encode images that were preprocessed before.
    pub fn tower(&self) -> &dyn ImageEncoder {
        self.tower.as_ref()
    }

    /// Returns the features of `pictures`, in order. This is the expensive step; all
    /// queries of an image can share its features.
    ///
    /// # Errors
    /// The errors of [`ImageEncoder::encode`].
    pub fn features(&self, pictures: &[Picture]) -> Result<Vec<Features>> {
        self.tower.encode(pictures)
    }

    /// Returns the `k` best labels of a table for one image, best first, ties by row.
    ///
    /// # Errors
    /// [`IndexError::TableMissing`], and the errors of [`features`](Self::features).
    pub fn rank(&self, picture: &Picture, table: &str, k: usize) -> Result<Vec<Match<'_>>> {
        let table = self.index.table(table)?; // first, because encoding is expensive
        let features = self.features(std::slice::from_ref(picture))?;
        let mut ranked = table.rank_many(&features, k, Order::Best)?;
        Ok(ranked.pop().unwrap_or_default())
    }

    /// Returns the recipe of the plain form over the tables of the index: see
    /// [`Recipe::seed`].
    pub fn recipe(&self, max_flavors: usize) -> Recipe {
        Recipe::seed(
            self.index.tables().iter().map(|t| (t.name(), t.top().map(|n| n as usize))),
            max_flavors,
        )
    }

    /// Returns one prompt per image, in order. A prompt begins with the image's caption, if
    /// there is one; `captions` may be shorter than `features`. Each table is ranked for all
    /// images in one pass.
    ///
    /// # Errors
    /// [`IndexError::TableMissing`] if a table of the recipe is missing.
    pub fn prompts(
        &self,
        features: &[Features],
        captions: &[Option<&str>],
        recipe: &Recipe,
    ) -> Result<Vec<Prompt<'_>>> {
        let mut picks: Vec<Vec<Pick<'_>>> = vec![Vec::new(); features.len()];
        for of in &recipe.tables {
            let table = self.index.table(&of.table)?;
            let ranked = table.rank_many(features, of.count, Order::Best)?;
            for (picks, matches) in picks.iter_mut().zip(ranked) {
                picks.push(Pick { table: table.name(), matches });
            }
        }
        let captions = captions.iter().copied().chain(std::iter::repeat(None));
        Ok(picks.into_iter().zip(captions).map(|(p, c)| Prompt::new(c, p, recipe)).collect())
    }
}
