//! The features of one image or text as JSON, as a table column and as text.

use serde::Serialize;

use crate::output::{Column, Kind, Record};

/// Features as a JSON object, with the image or text that they belong to.
#[derive(Serialize)]
pub(crate) struct Row<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    features: &'a [f32],
}

impl<'a> Row<'a> {
    pub(crate) fn of_image(image: &'a str, features: &'a [f32]) -> Self {
        Row { image: Some(image), text: None, features }
    }

    pub(crate) fn of_text(text: &'a str, features: &'a [f32]) -> Self {
        Row { image: None, text: Some(text), features }
    }
}

impl Record for Row<'_> {
    const COLUMNS: &'static [Column] =
        &[Column { name: "features", kind: Kind::Numbers, at: "features" }];
    const KEYS: &'static [&'static str] = &["features"];
    const IS_ROW: bool = true;

    fn image(&self) -> &str {
        self.image.unwrap_or_default()
    }

    /// The name and the values, separated by tabs.
    fn text(&self, _alone: bool) -> String {
        let mut line = crate::escape::line(self.image.or(self.text).unwrap_or_default());
        self.features.iter().for_each(|value| line += &format!("\t{value}"));
        line
    }

    fn sidecar(&self) -> String {
        self.text(true)
    }
}
