//! The CLIP model and its index.

use std::sync::{Arc, OnceLock};

use interrogate::Result;
use interrogate::encoder::{Counter, ImageEncoder, TextEncoder};
use interrogate::index::Index;
use interrogate::models::{Model, ModelSource};
use interrogate::rank::Sigmoid;

/// A model, its index and its encoders. One thread computes with it ([`super::clip_thread`]);
/// others prepare images and check requests.
pub(super) struct Clip {
    pub(super) model: Model,
    pub(super) index: Index,
    pub(super) tower: Box<dyn ImageEncoder>,
    pub(super) counter: Arc<dyn Counter>,
    pub(super) sigmoid: Option<Sigmoid>,
    /// Loaded by the first chain.
    texts: OnceLock<Arc<dyn TextEncoder>>,
}

impl Clip {
    /// Checks that `index` was built with `model`, and loads the image tower.
    pub(super) fn open(model: Model, index: Index) -> Result<Self> {
        model.check(&index)?;
        Ok(Clip {
            tower: model.image_encoder()?,
            counter: model.counter()?.into(),
            sigmoid: model.sigmoid()?,
            model,
            index,
            texts: OnceLock::new(),
        })
    }

    /// Returns the text tower, and loads it first if no chain has run.
    pub(super) fn texts(&self) -> Result<Arc<dyn TextEncoder>> {
        if let Some(texts) = self.texts.get() {
            return Ok(texts.clone());
        }
        let texts: Arc<dyn TextEncoder> = self.model.text_encoder()?.into();
        Ok(self.texts.get_or_init(|| texts).clone())
    }

    /// Returns the model's name for clients: of a path only the last part.
    pub(super) fn name(&self) -> String {
        public_name(&self.model.id())
    }

    /// Whether `name` is this model. An empty name is the server's model.
    pub(super) fn is_named(&self, name: &str) -> bool {
        let same = |source: ModelSource| source.to_string() == self.model.id();
        name.is_empty() || name == self.name() || name.parse().is_ok_and(same)
    }
}

/// Returns the name of the model `id` without the folders of a path.
pub(super) fn public_name(id: &str) -> String {
    match id.parse() {
        Ok(ModelSource::Folder(path) | ModelSource::File(path)) => path
            .file_name()
            .map_or_else(|| id.to_owned(), |name| name.to_string_lossy().into_owned()),
        _ => id.to_owned(),
    }
}
