//! The features of images.

use interrogate::Result;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Images, Row, row_json};
use crate::commands::embed;

/// No options.
#[derive(Debug, Default, PartialEq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Embed {}

impl Embed {
    pub(super) fn rows(&self, images: &Images<'_>) -> Result<Vec<Row>> {
        let images = images.names.iter().zip(images.features);
        images.map(|(name, row)| row_json(&embed::Row::of_image(name, row.as_slice()))).collect()
    }
}
