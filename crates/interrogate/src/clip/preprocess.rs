//! preprocessor_config.json: the numbers of a checkpoint's [`Preprocess`].
//!
//! Owns the file's dialects, as transformers has written it over the years; the
//! steps themselves are `picture`'s.

use std::path::Path;

use serde::Deserialize;

use crate::picture::{Filter, Preprocess, Resampling, Resize};
use crate::{Error, Result, input, limits};

/// The file as it stands. What is left out takes the value that transformers'
/// `CLIPImageProcessor` has for it.
#[derive(Debug, Deserialize)]
struct Config {
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
    image_processor_type: Option<String>,
    feature_extractor_type: Option<String>,
}

/// `224`, `{"shortest_edge": 224}` or `{"height": 224, "width": 224}`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(untagged)]
enum Size {
    Number(u32),
    Shorter { shortest_edge: u32 },
    Exact { height: u32, width: u32 },
}

/// The longest side that an image tower is given.
const MAX_SIDE: u32 = 4096;

/// The steps that the preprocessor_config.json at `path` asks for. OpenAI's
/// numbers stand in for what it leaves out.
///
/// # Errors
/// [`Error::Io`] and [`Error::Json`] where it cannot be read or is not of this
/// kind, [`Error::Mismatch`] where it asks for what no tower of CLIP's kind can
/// be given: a filter other than bicubic or bilinear, pictures of no one size,
/// a std that is not above zero.
pub fn open(path: &Path) -> Result<Preprocess> {
    let text = input::read(path, limits::SMALL_FILE)?;
    let config: Config = serde_json::from_slice(&text)
        .map_err(|source| Error::Json { path: path.to_owned(), source })?;
    config.steps(path)
}

impl Config {
    fn steps(&self, path: &Path) -> Result<Preprocess> {
        let openai = Preprocess::default();
        let resize = match self.size {
            _ if self.do_resize == Some(false) => Resize::Keep,
            None => openai.resize,
            Some(Size::Number(side) | Size::Shorter { shortest_edge: side }) => {
                Resize::ShorterSide(side)
            }
            Some(Size::Exact { height, width }) => Resize::Exact { height, width },
        };
        let crop = match (self.do_center_crop.unwrap_or(true), self.crop_size, resize) {
            (true, None, _) => openai.crop,
            (true, Some(Size::Number(side) | Size::Shorter { shortest_edge: side }), _) => {
                (side, side)
            }
            (true, Some(Size::Exact { height, width }), _)
            | (false, _, Resize::Exact { height, width }) => (height, width),
            (false, ..) => {
                let expected = "a centre crop, or a size of height and width";
                return Err(Error::mismatch(path, "size", expected, "neither"));
            }
        };
        let filter = match self.resample.unwrap_or(3) {
            2 => Filter::Bilinear,
            3 => Filter::Bicubic,
            other => return Err(Error::mismatch(path, "resample", "2 or 3", other)),
        };
        let (mean, std) = self.scale(&openai);
        let class = self.image_processor_type.as_deref().or(self.feature_extractor_type.as_deref());
        let resampling = Resampling::of_processor(class);
        let steps = Preprocess { resize, filter, resampling, crop, mean, std, ..openai };
        validate(&steps, path)?;
        Ok(steps)
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
        assert_eq!(refused(r#"{"resample": 1}"#), "resample: expected 2 or 3, found 1");
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
        assert!(
            parse(r#"{"size": "big"}"#)
                .unwrap_err()
                .to_string()
                .ends_with("is not the JSON expected here")
        );
    }
}
