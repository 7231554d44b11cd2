//! preprocessor_config.json and processor_config.json: the numbers of a checkpoint's
//! [`Preprocess`].
//!
//! Owns the files' dialects, as transformers has written them over the years, for CLIP
//! and for the captioners; the steps themselves are `picture`'s.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::picture::{Filter, Preprocess, Resampling, Resize};
use crate::{Error, Result, input, limits};

/// What transformers wrote up to version 4, and reads still.
const IMAGE_PROCESSOR: &str = "preprocessor_config.json";

/// What version 5 writes: a processor's parts, the image processor's among them.
const PROCESSOR: &str = "processor_config.json";

/// Whose defaults stand in for what a file leaves out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Processor {
    /// `CLIPImageProcessor`: the shorter side to 224, the middle of that.
    Clip,
    /// `BlipImageProcessor`: both sides to 384, no crop.
    Blip,
}

/// The file as it stands.
#[derive(Debug, Deserialize)]
struct Config {
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

/// The longest side that an image tower is given.
const MAX_SIDE: u32 = 4096;

/// The file of `folder` that says the steps: processor_config.json where it has an
/// `image_processor`, which wins in transformers too (image_processing_base.py,
/// `get_image_processor_dict`), else preprocessor_config.json.
///
/// # Errors
/// [`Error::FileMissing`], [`Error::Io`], [`Error::Json`].
pub fn find(folder: &Path) -> Result<PathBuf> {
    let (whole, plain) = (folder.join(PROCESSOR), folder.join(IMAGE_PROCESSOR));
    if whole.is_file() && read::<Parts<serde::de::IgnoredAny>>(&whole)?.image_processor.is_some() {
        return Ok(whole);
    }
    match plain.is_file() {
        true => Ok(plain),
        false => Err(Error::FileMissing { folder: folder.to_owned(), name: IMAGE_PROCESSOR }),
    }
}

/// A processor_config.json, as far as it matters.
#[derive(Deserialize)]
struct Parts<T> {
    image_processor: Option<T>,
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let text = input::read(path, limits::CONFIG)?;
    serde_json::from_slice(&text).map_err(|source| Error::Json { path: path.to_owned(), source })
}

/// The steps that the preprocessor_config.json or processor_config.json at `path` asks
/// for. OpenAI's numbers stand in for what it leaves out.
///
/// # Errors
/// [`Error::Io`] and [`Error::Json`] where it cannot be read or is not of this
/// kind, [`Error::Mismatch`] where it asks for what no tower of CLIP's kind can
/// be given: another class of processor, a filter other than bicubic or bilinear,
/// pictures of no one size, a std that is not above zero.
pub fn open(path: &Path) -> Result<Preprocess> {
    open_as(path, Processor::Clip)
}

/// The same with the defaults of `processor` where the file names no class.
///
/// # Errors
/// Those of [`open`].
pub(crate) fn open_as(path: &Path, processor: Processor) -> Result<Preprocess> {
    match read::<Parts<Config>>(path)?.image_processor {
        Some(config) => config.steps(path, processor),
        None => read::<Config>(path)?.steps(path, processor),
    }
}

/// The same, held to a tower that takes `side` by `side` pixels; `what` names the key.
///
/// # Errors
/// Those of [`open`], and [`Error::Mismatch`] for another size.
pub(crate) fn open_for(
    path: &Path,
    processor: Processor,
    what: &'static str,
    side: usize,
) -> Result<Preprocess> {
    let steps = open_as(path, processor)?;
    let (height, width) = steps.crop;
    if [height, width].map(|side| side as usize) == [side, side] {
        return Ok(steps);
    }
    let found = format!("{height} x {width}");
    Err(Error::mismatch(path, what, format!("{side} x {side}"), found))
}

impl Config {
    /// The class that transformers would run: that of the file, whose older name for
    /// it ends otherwise, whichever its backend.
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
            _ => {
                let expected = "CLIPImageProcessor or BlipImageProcessor";
                Err(Error::mismatch(path, "image_processor_type", expected, name))
            }
        }
    }

    fn steps(&self, path: &Path, processor: Processor) -> Result<Preprocess> {
        let processor = self.class(path)?.unwrap_or(processor);
        for (what, found) in
            [("do_pad", self.do_pad), ("do_flip_channel_order", self.do_flip_channel_order)]
        {
            if found == Some(true) {
                return Err(Error::mismatch(path, what, false, true));
            }
        }
        let openai = Preprocess::default();
        let resize = match self.size {
            _ if self.do_resize == Some(false) => Resize::Keep,
            Some(size) => size.resize(path, processor)?,
            None if processor == Processor::Blip => Resize::Exact { height: 384, width: 384 },
            None => openai.resize,
        };
        let crops = self.do_center_crop.unwrap_or(processor == Processor::Clip);
        let crop = match (crops, self.crop_size, resize) {
            (true, None, _) => openai.crop,
            (true, Some(size), _) => size.crop(path)?,
            (false, _, Resize::Exact { height, width }) => (height, width),
            (false, _, Resize::Keep) => {
                let expected = "true, or a centre crop";
                return Err(Error::mismatch(path, "do_resize", expected, false));
            }
            (false, ..) => {
                let expected = "a centre crop, or a size of height and width";
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

    /// Whose arithmetic the resize follows, by the class that the file names. BLIP's
    /// published checkpoints were made with its slow class, which calls Pillow.
    fn resampling(&self, processor: Processor) -> Resampling {
        let class = self.image_processor_type.as_deref().or(self.feature_extractor_type.as_deref());
        match (processor, class) {
            (Processor::Clip, class) => Resampling::of_processor(class),
            (Processor::Blip, Some(class)) if class.ends_with("Fast") => Resampling::Torchvision,
            (Processor::Blip, _) => Resampling::Pillow,
        }
    }

    /// Mean and std of values in 0..=1, whatever the file's own scale is.
    fn scale(&self, openai: &Preprocess) -> ([f32; 3], [f32; 3]) {
        let (mean, std) = match self.do_normalize {
            Some(false) => ([0.0; 3], [1.0; 3]),
            _ => (self.image_mean.unwrap_or(openai.mean), self.image_std.unwrap_or(openai.std)),
        };
        let factor = match self.do_rescale {
            Some(false) => 1.0,
            _ => self.rescale_factor.unwrap_or(1.0 / 255.0),
        };
        // (v f - m) / s = (v / 255 - m / 255 f) / (s / 255 f); the usual factor
        // is written with all its digits, or with seven.
        let ours = (factor * 255.0) as f32;
        if (ours - 1.0).abs() < 1e-4 {
            return (mean, std);
        }
        (mean.map(|m| m / ours), std.map(|s| s / ours))
    }
}

impl Size {
    /// As `size`. One number is the shorter side to CLIP's class and both sides to
    /// BLIP's (`default_to_square`).
    fn resize(self, path: &Path, processor: Processor) -> Result<Resize> {
        match self {
            Size::Number(side) if processor == Processor::Blip => {
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
            Size::Sides(sides) => Err(sides.refused(path, "size")),
        }
    }

    /// As `crop_size`: height and width.
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
            Size::Sides(sides) => Err(sides.refused(path, "crop_size")),
        }
    }
}

impl Sides {
    fn refused(self, path: &Path, what: &'static str) -> Error {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Preprocess> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        open(file.path())
    }

    fn refused(text: &str) -> String {
        let error = parse(text).unwrap_err().to_string();
        error.split_once(": ").unwrap().1.to_owned()
    }

    #[test]
    fn an_empty_file_means_openais_steps() {
        let steps = Preprocess { resampling: Resampling::Torchvision, ..Preprocess::default() };
        assert_eq!(parse("{}").unwrap(), steps);
    }

    #[test]
    fn the_class_of_the_processor_decides_whose_resize_it_is() {
        for (class, resampling) in [
            ("CLIPImageProcessor", Resampling::Torchvision),
            ("CLIPImageProcessorFast", Resampling::Torchvision),
            ("CLIPImageProcessorPil", Resampling::Pillow),
        ] {
            let text = format!(r#"{{"image_processor_type": "{class}"}}"#);
            assert_eq!(parse(&text).unwrap().resampling, resampling, "{class}");
        }
        let old = r#"{"feature_extractor_type": "CLIPFeatureExtractor"}"#;
        assert_eq!(parse(old).unwrap().resampling, Resampling::Pillow);
    }

    #[test]
    fn a_side_is_written_as_a_number_or_as_an_object() {
        for text in [
            r#"{"size": 336, "crop_size": 336, "feature_extractor_type": "CLIPFeatureExtractor"}"#,
            r#"{"size": {"shortest_edge": 336}, "crop_size": {"height": 336, "width": 336}}"#,
        ] {
            let steps = parse(text).unwrap();
            assert_eq!((steps.resize, steps.crop), (Resize::ShorterSide(336), (336, 336)));
        }
        let exact =
            parse(r#"{"size": {"height": 8, "width": 9}, "do_center_crop": false}"#).unwrap();
        assert_eq!((exact.resize, exact.crop), (Resize::Exact { height: 8, width: 9 }, (8, 9)));
    }

    #[test]
    fn steps_that_are_switched_off_are_left_out() {
        assert_eq!(parse(r#"{"do_resize": false}"#).unwrap().resize, Resize::Keep);
        let plain = parse(r#"{"do_normalize": false}"#).unwrap();
        assert_eq!((plain.mean, plain.std), ([0.0; 3], [1.0; 3]));
    }

    #[test]
    fn another_scale_moves_into_mean_and_std() {
        let own = r#""image_mean": [0.5, 0.5, 0.5], "image_std": [0.25, 0.5, 1.0]"#;
        let usual = parse(&format!(r#"{{{own}, "rescale_factor": 0.00392156862745098}}"#)).unwrap();
        assert_eq!((usual.mean, usual.std), ([0.5; 3], [0.25, 0.5, 1.0]));
        let twice = parse(&format!(r#"{{{own}, "rescale_factor": 0.00784313725490196}}"#)).unwrap();
        assert_eq!((twice.mean, twice.std), ([0.25; 3], [0.125, 0.25, 0.5]));
        let raw = parse(&format!(r#"{{{own}, "do_rescale": false}}"#)).unwrap();
        assert_eq!(raw.mean, [0.5 / 255.0; 3]);
    }

    #[test]
    fn bilinear_is_known_and_other_filters_are_refused() {
        assert_eq!(parse(r#"{"resample": 2}"#).unwrap().filter, Filter::Bilinear);
        assert_eq!(parse(r#"{"resample": 1}"#).unwrap().filter, Filter::Lanczos);
        assert_eq!(refused(r#"{"resample": 6}"#), "resample: expected 0 to 5, found 6");
    }

    #[test]
    fn what_no_tower_can_be_given_is_refused() {
        for (text, message) in [
            (
                r#"{"do_center_crop": false}"#,
                "size: expected a centre crop, or a size of height and width, found neither",
            ),
            (r#"{"crop_size": 0}"#, "crop_size: expected sides of 1 to 4096, found 0 x 0"),
            (r#"{"size": 5000}"#, "size: expected sides of 1 to 4096, found 5000 x 5000"),
            (
                r#"{"image_std": [0.5, 0, 0.5]}"#,
                "image_std: expected numbers above 0, found [0.5, 0.0, 0.5]",
            ),
            (r#"{"rescale_factor": 0}"#, "image_mean: expected numbers, found [inf, inf, inf]"),
        ] {
            assert_eq!(refused(text), message);
        }
        for (text, message) in [
            (
                r#"{"size": {"longest_edge": 384}}"#,
                "size: expected shortest_edge, or height and width, found longest_edge 384",
            ),
            (
                r#"{"size": {"shortest_edge": 224, "longest_edge": 384}}"#,
                "size: expected shortest_edge, or height and width, found longest_edge 384",
            ),
            (
                r#"{"crop_size": {"height": 8}}"#,
                "crop_size: expected shortest_edge, or height and width, found neither",
            ),
            (r#"{"do_pad": true}"#, "do_pad: expected false, found true"),
            (
                r#"{"image_processor_type": "SiglipImageProcessor"}"#,
                "image_processor_type: expected CLIPImageProcessor or BlipImageProcessor, found SiglipImageProcessor",
            ),
            (
                r#"{"image_processor_type": "BlipImageProcessor", "do_resize": false}"#,
                "do_resize: expected true, or a centre crop, found false",
            ),
        ] {
            assert_eq!(refused(text), message);
        }
        assert!(
            parse(r#"{"size": "big"}"#)
                .unwrap_err()
                .to_string()
                .ends_with("is not the JSON expected here")
        );
    }

    #[test]
    fn the_class_of_a_file_decides_on_what_it_leaves_out() {
        let blip =
            parse(r#"{"image_processor_type": "BlipImageProcessorFast", "size": 30}"#).unwrap();
        assert_eq!((blip.resize, blip.crop), (Resize::Exact { height: 30, width: 30 }, (30, 30)));
        let clip = r#"{"feature_extractor_type": "CLIPFeatureExtractor", "size": 30}"#;
        assert_eq!(parse(clip).unwrap().resize, Resize::ShorterSide(30));
        let path = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(path.path(), "{}").unwrap();
        let blip = open_as(path.path(), Processor::Blip).unwrap();
        assert_eq!(
            (blip.crop, blip.resize),
            ((384, 384), Resize::Exact { height: 384, width: 384 })
        );
    }

    /// As `get_image_processor_dict` of transformers 5.24 finds them.
    #[test]
    fn an_image_processor_within_processor_config_wins() {
        let folder = tempfile::tempdir().unwrap();
        let write =
            |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        assert!(matches!(find(folder.path()), Err(Error::FileMissing { .. })));
        // Version 4 wrote such a file beside the other, without the image processor.
        write(PROCESSOR, r#"{"processor_class": "Blip2Processor", "num_query_tokens": 32}"#);
        assert!(matches!(find(folder.path()), Err(Error::FileMissing { .. })));
        write(IMAGE_PROCESSOR, r#"{"size": 100, "crop_size": 50}"#);
        assert_eq!(find(folder.path()).unwrap(), folder.path().join(IMAGE_PROCESSOR));
        write(
            PROCESSOR,
            r#"{"image_processor": {"size": 90, "crop_size": 40}, "processor_class": "CLIPProcessor"}"#,
        );
        let found = find(folder.path()).unwrap();
        assert_eq!(found, folder.path().join(PROCESSOR));
        let steps = open(&found).unwrap();
        assert_eq!((steps.resize, steps.crop), (Resize::ShorterSide(90), (40, 40)));
    }
}
