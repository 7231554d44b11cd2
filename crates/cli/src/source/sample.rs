//! The samples of a WebDataset: members with one key, which follow each other in the archive.
//!
//! An image comes before the .json and .txt of its sample, so it is held until another key
//! comes.

use std::ops::ControlFlow;

use interrogate::Result;
use interrogate::limits::PASSED_TEXT;

use super::members::{Kind, Member, Members, below};
use super::{Body, Image};
use crate::fields::{self, Field, Value};
use crate::image_name;

/// Bytes of the images of one sample that are held.
const HELD_BYTES: usize = 64 << 20;

/// The images of one sample that are held.
const HELD: usize = 64;

/// The columns of the images of an archive.
pub(super) fn columns() -> Vec<Field> {
    ["key", "json", "txt"].map(Field::text).to_vec()
}

/// The members of a sample that were read so far.
#[derive(Default)]
pub(super) struct Sample {
    key: String,
    json: Option<String>,
    txt: Option<String>,
    images: Vec<Image>,
    bytes: usize,
}

impl Sample {
    /// Returns whether `member` is of another sample, or no more images can be held.
    pub(super) fn ends_before(&self, member: &Member) -> bool {
        let name = image_name::text(&below(&member.name));
        let is_full = self.images.len() >= HELD || self.bytes >= HELD_BYTES;
        fields::key(&name).0 != self.key || is_full && is_image(member)
    }

    /// Reads `member` if it is the sample's .json or .txt; returns whether it is. A text of more
    /// than [`PASSED_TEXT`] bytes is left out.
    ///
    /// # Errors
    /// Those of [`Members::read`].
    pub(super) fn read(&mut self, members: &mut Members<'_>, member: &Member) -> Result<bool> {
        let name = image_name::text(&below(&member.name));
        let (key, ending) = fields::key(&name);
        if self.key != key {
            key.clone_into(&mut self.key);
        }
        let place = match ending {
            "json" => &mut self.json,
            "txt" => &mut self.txt,
            _ => return Ok(false),
        };
        let fits = member.kind == Kind::File && member.size <= PASSED_TEXT;
        if fits && place.is_none() {
            let bytes = members.read(&name, member.at, member.size)?;
            *place = Some(String::from_utf8_lossy(&bytes).into_owned());
        }
        Ok(fits)
    }

    /// Holds `image`.
    pub(super) fn push(&mut self, image: Image) {
        self.bytes += if let Body::Bytes(bytes) = &image.body { bytes.len() } else { 0 };
        self.images.push(image);
    }

    /// Passes the held images to `visit`, with the sample's values, and begins another sample.
    pub(super) fn end(
        &mut self,
        visit: &mut dyn FnMut(Image) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let Sample { key, json, txt, images, .. } = std::mem::take(self);
        let text = |text: Option<String>| text.map_or(Value::Missing, Value::Text);
        let values = [Value::Text(key), text(json), text(txt)];
        for mut image in images {
            image.name.fields = values.to_vec();
            visit(image)?;
        }
        ControlFlow::Continue(())
    }
}

fn is_image(member: &Member) -> bool {
    interrogate::picture::has_image_extension(&below(&member.name))
}
