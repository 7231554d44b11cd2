//! The images and texts of queries: decoded before a model is opened, then encoded.

use interrogate::encoder::{Features, ImageEncoder, TextEncoder};
use interrogate::error::RowsError;
use interrogate::models::Model;
use interrogate::picture::Picture;
use interrogate::query::{Operand, Query};
use interrogate::{Error, Result};

use crate::args::Decoding;

/// A query and its decoded images.
pub(super) struct DecodedQuery {
    query: Query,
    /// One for each image of the query, in order.
    pictures: Vec<Picture>,
}

impl DecodedQuery {
    /// Decodes the images of `query`.
    ///
    /// # Errors
    /// Those of [`Decoding::open`].
    pub(super) fn open(query: Query, decoding: Decoding) -> Result<Self> {
        let pictures = query.images().map(|path| decoding.open(path)).collect::<Result<_>>()?;
        Ok(DecodedQuery { query, pictures })
    }

    pub(super) fn has_images(&self) -> bool {
        !self.pictures.is_empty()
    }

    pub(super) fn has_texts(&self) -> bool {
        self.query.texts().next().is_some()
    }

    /// Returns the sum of the operands at unit length.
    ///
    /// # Errors
    /// Those of [`Query::features`] and of the encoders.
    pub(super) fn features(&self, towers: &Towers<'_>) -> Result<Features> {
        let mut pictures = self.pictures.iter();
        self.query.features(|operand| {
            let row = match operand {
                Operand::Text(text) => towers.text(text)?,
                Operand::Image(_) => match pictures.next() {
                    Some(picture) => towers.image(picture)?,
                    None => Vec::new(), // unreachable: each image has a picture
                },
            };
            Ok(row)
        })
    }
}

/// The encoders that the queries need.
pub(super) struct Towers<'a> {
    pub(super) images: Option<&'a dyn ImageEncoder>,
    pub(super) texts: Option<Box<dyn TextEncoder>>,
}

impl<'a> Towers<'a> {
    /// Loads the text encoder of `model` if one of `queries` has a text. `images` encodes their
    /// images.
    ///
    /// # Errors
    /// Those of [`Model::text_encoder`].
    pub(super) fn open(
        model: &Model,
        images: Option<&'a dyn ImageEncoder>,
        queries: &[DecodedQuery],
    ) -> Result<Self> {
        let texts = queries.iter().any(DecodedQuery::has_texts);
        Ok(Towers { images, texts: texts.then(|| model.text_encoder()).transpose()? })
    }

    fn text(&self, text: &str) -> Result<Vec<f32>> {
        let encoder = self.texts.as_deref().ok_or_else(not_loaded)?;
        Ok(TextEncoder::encode(encoder, &[text])?.as_slice().to_vec())
    }

    fn image(&self, picture: &Picture) -> Result<Vec<f32>> {
        let encoder = self.images.ok_or_else(not_loaded)?;
        let features = encoder.encode(std::slice::from_ref(picture))?;
        Ok(features.first().map_or_else(Vec::new, |features| features.as_slice().to_vec()))
    }
}

/// Does not happen: the encoders that the queries need are loaded.
fn not_loaded() -> Error {
    Error::Rows(RowsError::Dim { what: "a term of the query", expected: 1, found: 0 })
}
