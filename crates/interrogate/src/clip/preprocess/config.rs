//! The fields of a preprocessor configuration, and the steps that they describe.

use std::path::Path;

use serde::Deserialize;

use super::Processor;
use crate::picture::{Filter, Preprocess, Resampling, Resize};
use crate::{Error, Result};

/// The fields of a preprocessor configuration that are read.
#[derive(Debug, Deserialize)]
pub(super) struct RawConfig {
    image_processor_type: Option<String>,
    feature_extractor_type: Option<String>,
    do_resize: Option<bool>,
    size: Option<Size>,
    resample: Option<u32>,
    do_center_crop: Option<bool>,
    crop_size: Option<Size>,
    do_rescale: Option<bool>,
    rescale_factor: Option<f64>,
    do_normalize: Option<bool>,
    image_mean: Option<[f32; 3]>,
    image_std: Option<[f32; 3]>,
    do_pad: Option<bool>,
    do_flip_channel_order: Option<bool>,
}

/// `224`, `[224, 224]`, `{"shortest_edge": 224}` or `{"height": 224, "width": 224}`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(untagged)]
enum Size {
    Number(u32),
    Pair([u32; 2]),
    Sides(Sides),
}

#[derive(Clone, Copy, Debug, Deserialize)]
struct Sides {
    shortest_edge: Option<u32>,
    longest_edge: Option<u32>,
    height: Option<u32>,
    width: Option<u32>,
}

/// The maximum side in pixels.
const MAX_SIDE: u32 = 4096;

impl RawConfig {
    /// Returns the class that transformers would use, whichever its backend; `None` if the
    /// file names none. Older files name a feature extractor.
    fn class(&self, path: &Path) -> Result<Option<Processor>> {
        let older = || {
            Some(
                self.feature_extractor_type.as_ref()?.replace("FeatureExtractor", "ImageProcessor"),
            )
        };
        let Some(name) = self.image_processor_type.clone().or_else(older) else { return Ok(None) };
        let base = name.strip_suffix("Fast").or(name.strip_suffix("Pil")).unwrap_or(&name);
        match base {
            "CLIPImageProcessor" => Ok(Some(Processor::Clip)),
            "BlipImageProcessor" => Ok(Some(Processor::Blip)),
            "SiglipImageProcessor" => Ok(Some(Processor::Siglip)),
            _ => {
                let expected = "CLIPImageProcessor, BlipImageProcessor or SiglipImageProcessor";
                Err(Error::mismatch(path, "image_processor_type", expected, name))
            }
        }
    }

    /// Returns the steps, with the defaults of `processor` if the file names no class.
    ///
    /// # Errors
    /// [`Error::Mismatch`] for steps that are not supported.
    pub(super) fn steps(&self, path: &Path, processor: Processor) -> Result<Preprocess> {
        let processor = self.class(path)?.unwrap_or(processor);
        for (what, found) in
            [("do_pad", self.do_pad), ("do_flip_channel_order", self.do_flip_channel_order)]
        {
            if found == Some(true) {
                return Err(Error::mismatch(path, what, false, true));
            }
        }
        let openai = match processor {
            Processor::Siglip => {
                Preprocess { mean: [0.5; 3], std: [0.5; 3], ..Preprocess::default() }
            }
            _ => Preprocess::default(),
        };
        let resize = match self.size {
            _ if self.do_resize == Some(false) => Resize::Keep,
            Some(size) => size.resize(path, processor)?,
            None if processor == Processor::Blip => Resize::Exact { height: 384, width: 384 },
            None if processor == Processor::Siglip => Resize::Exact { height: 224, width: 224 },
            None => openai.resize,
        };
        let crops = self.do_center_crop.unwrap_or(processor == Processor::Clip);
        let crop = match (crops, self.crop_size, resize) {
            (true, None, _) => openai.crop,
            (true, Some(size), _) => size.crop(path)?,
            (false, _, Resize::Exact { height, width }) => (height, width),
            (false, _, Resize::Keep) => {
                let expected = "true, or a center crop";
                return Err(Error::mismatch(path, "do_resize", expected, false));
            }
            (false, ..) => {
                let expected = "a center crop, or a size of height and width";
                return Err(Error::mismatch(path, "size", expected, "neither"));
            }
        };
        let number = self.resample.unwrap_or(3);
        let filter = Filter::from_pillow(number)
            .ok_or_else(|| Error::mismatch(path, "resample", "0 to 5", number))?;
        let (mean, std) = self.scale(&openai);
        let resampling = self.resampling(processor);
        let steps = Preprocess { resize, filter, resampling, crop, mean, std, ..openai };
        validate(&steps, path)?;
        Ok(steps)
    }

    /// Returns the library whose resize is reproduced, by the class that the file names.
    /// BLIP's published checkpoints were made with its slow class, which calls Pillow.
    fn resampling(&self, processor: Processor) -> Resampling {
        let class = self.image_processor_type.as_deref().or(self.feature_extractor_type.as_deref());
        match (processor, class) {
            (Processor::Clip | Processor::Siglip, class) => Resampling::of_processor(class),
            (Processor::Blip, Some(class)) if class.ends_with("Fast") => Resampling::Torchvision,
            (Processor::Blip, _) => Resampling::Pillow,
        }
    }

    /// Returns mean and std for values in 0..=1, whatever the file's own scale.
    fn scale(&self, openai: &Preprocess) -> ([f32; 3], [f32; 3]) {
        let (mean, std) = match self.do_normalize {
            Some(false) => ([0.0; 3], [1.0; 3]),
            _ => (self.image_mean.unwrap_or(openai.mean), self.image_std.unwrap_or(openai.std)),
        };
        let factor = match self.do_rescale {
            Some(false) => 1.0,
            _ => self.rescale_factor.unwrap_or(1.0 / 255.0),
        };
        // (v f - m) / s = (v / 255 - m / (255 f)) / (s / (255 f)). Files write the usual
        // factor 1/255 with all its digits, or with seven.
        let ours = (factor * 255.0) as f32;
        if (ours - 1.0).abs() < 1e-4 {
            return (mean, std);
        }
        (mean.map(|m| m / ours), std.map(|s| s / ours))
    }
}

impl Size {
    /// Reads the field `size`. A single number is the shorter side for CLIP's class, and both
    /// sides for the others (`default_to_square`).
    fn resize(self, path: &Path, processor: Processor) -> Result<Resize> {
        match self {
            Size::Number(side) if processor != Processor::Clip => {
                Ok(Resize::Exact { height: side, width: side })
            }
            Size::Number(side) => Ok(Resize::ShorterSide(side)),
            Size::Pair([height, width]) => Ok(Resize::Exact { height, width }),
            Size::Sides(Sides { height: Some(height), width: Some(width), .. }) => {
                Ok(Resize::Exact { height, width })
            }
            Size::Sides(Sides { shortest_edge: Some(side), longest_edge: None, .. }) => {
                Ok(Resize::ShorterSide(side))
            }
            Size::Sides(sides) => Err(sides.unsupported(path, "size")),
        }
    }

    /// Reads the field `crop_size`, as height and width.
    fn crop(self, path: &Path) -> Result<(u32, u32)> {
        match self {
            Size::Number(side) => Ok((side, side)),
            Size::Pair([height, width]) => Ok((height, width)),
            Size::Sides(Sides { height: Some(height), width: Some(width), .. }) => {
                Ok((height, width))
            }
            Size::Sides(Sides { shortest_edge: Some(side), longest_edge: None, .. }) => {
                Ok((side, side))
            }
            Size::Sides(sides) => Err(sides.unsupported(path, "crop_size")),
        }
    }
}

impl Sides {
    fn unsupported(self, path: &Path, what: &'static str) -> Error {
        let found = match self.longest_edge {
            Some(side) => format!("longest_edge {side}"),
            None => "neither".to_owned(),
        };
        Error::mismatch(path, what, "shortest_edge, or height and width", found)
    }
}

fn validate(steps: &Preprocess, path: &Path) -> Result<()> {
    let sides = |what, sides: (u32, u32)| match sides {
        (1..=MAX_SIDE, 1..=MAX_SIDE) => Ok(()),
        (height, width) => {
            let expected = format!("sides of 1 to {MAX_SIDE}");
            Err(Error::mismatch(path, what, expected, format!("{height} x {width}")))
        }
    };
    sides("crop_size", steps.crop)?;
    match steps.resize {
        Resize::Keep => {}
        Resize::ShorterSide(side) => sides("size", (side, side))?,
        Resize::Exact { height, width } => sides("size", (height, width))?,
    }
    if !steps.mean.iter().all(|v| v.is_finite()) {
        return Err(Error::mismatch(path, "image_mean", "numbers", format!("{:?}", steps.mean)));
    }
    if !steps.std.iter().all(|v| v.is_finite() && *v > 0.0) {
        let found = format!("{:?}", steps.std);
        return Err(Error::mismatch(path, "image_std", "numbers above 0", found));
    }
    Ok(())
}
