//! Model and index together.

use crate::Result;
use crate::encoder::{Features, ImageEncoder};
use crate::index::{Index, Match};
use crate::models::Model;
use crate::picture::Picture;
use crate::prompt::{Pick, Prompt, Recipe};
use crate::rank::Order;

/// An index and the image tower of the model that it was built with.
pub struct Interrogator {
    tower: Box<dyn ImageEncoder>,
    index: Index,
}

impl Interrogator {
    /// Ties `index` to `model`, and loads the model's image tower.
    ///
    /// # Errors
    /// Those of [`Model::check`], where the index was built with another model, with
    /// another version of the same, or with other text cleaning; else what the tower's loading says.
    pub fn new(model: &Model, index: Index) -> Result<Self> {
        model.check(&index)?;
        Ok(Interrogator { tower: model.image_encoder()?, index })
    }

    /// The index.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// The image tower: for features of pictures that are prepared ahead.
    pub fn tower(&self) -> &dyn ImageEncoder {
        self.tower.as_ref()
    }

    /// The features of `pictures`, in their order: the costly step, done once
    /// an image whatever is asked of it.
    ///
    /// # Errors
    /// Those of [`ImageEncoder::encode`].
    pub fn features(&self, pictures: &[Picture]) -> Result<Vec<Features>> {
        self.tower.encode(pictures)
    }

    /// The `k` best labels of one table for one picture, best first, ties by
    /// row.
    ///
    /// # Errors
    /// [`crate::Error::TableMissing`], and those of [`features`](Self::features).
    pub fn rank(&self, picture: &Picture, table: &str, k: usize) -> Result<Vec<Match<'_>>> {
        let table = self.index.table(table)?; // a wrong name costs no tower
        let features = self.features(std::slice::from_ref(picture))?;
        let mut ranked = table.rank_many(&features, k, Order::Best)?;
        Ok(ranked.pop().unwrap_or_default())
    }

    /// The recipe of the plain form over this index's tables:
    /// see [`Recipe::seed`].
    pub fn recipe(&self, max_flavors: usize) -> Recipe {
        Recipe::seed(
            self.index.tables().iter().map(|t| (t.name(), t.top().map(|n| n as usize))),
            max_flavors,
        )
    }

    /// One prompt an image, in order, each beginning with its caption where it
    /// has one. `captions` may be shorter than `features`. All images pass
    /// through each table together.
    ///
    /// # Errors
    /// [`crate::Error::TableMissing`] where the recipe takes from a table that is not there.
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
