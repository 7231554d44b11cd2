//! From a decoded picture to the features and the caption that its prompt is made of.

use interrogate::Result;
use interrogate::encoder::{Features, ImageEncoder};
use interrogate::picture::{Picture, Pixels, Preprocess};

use crate::captions::CaptionSource;
use crate::report::Thumbnail;
use crate::run::DecodedImage;

/// How a picture is prepared on the thread that decodes it.
pub(super) struct Preparation<'a> {
    pub(super) tower: &'a dyn ImageEncoder,
    /// The captioner's preprocessing, if images are captioned in this pass.
    pub(super) captioner: Option<&'a Preprocess>,
    /// Whether a report needs thumbnails.
    pub(super) thumbnails: bool,
}

/// The inputs of the models.
pub(super) struct Prepared {
    pixels: Pixels,
    caption_pixels: Option<Pixels>,
    thumbnail: Option<Thumbnail>,
}

/// What a prompt is made of.
pub(super) struct Encoded {
    pub(super) features: Features,
    pub(super) caption: Option<String>,
    pub(super) thumbnail: Option<Thumbnail>,
}

impl Preparation<'_> {
    pub(super) fn prepare(&self, picture: &Picture) -> Result<Prepared> {
        let caption_pixels = self.captioner.map(|steps| steps.prepare(picture)).transpose()?;
        let thumbnail = if self.thumbnails { Thumbnail::of(picture) } else { None };
        Ok(Prepared { pixels: self.tower.prepare(picture)?, caption_pixels, thumbnail })
    }
}

/// Captions and encodes `images`, in order.
pub(super) fn encode(
    images: &[DecodedImage<Prepared>],
    captions: &CaptionSource,
    tower: &dyn ImageEncoder,
) -> Result<Vec<Encoded>> {
    let captioned: Vec<_> =
        images.iter().map(|image| (image.number, image.prepared.caption_pixels.as_ref())).collect();
    let captions = captions.captions(&captioned)?;
    let pixels: Vec<_> = images.iter().map(|image| &image.prepared.pixels).collect();
    let features = tower.encode_prepared(&pixels)?;
    let encoded = images.iter().zip(features).zip(captions);
    let encoded = encoded.map(|((image, features), caption)| {
        let thumbnail = image.prepared.thumbnail.clone();
        Encoded { features, caption, thumbnail }
    });
    Ok(encoded.collect())
}
