//! Preprocessor configurations of several versions of transformers.

use super::*;
use crate::error::CheckpointError;
use crate::picture::{Filter, Resampling, Resize};

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
fn an_empty_file_has_openais_steps() {
    let steps = Preprocess { resampling: Resampling::Torchvision, ..Preprocess::default() };
    assert_eq!(parse("{}").unwrap(), steps);
}

#[test]
fn the_processor_class_selects_the_resize() {
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
fn a_size_may_be_a_number_or_an_object() {
    for text in [
        r#"{"size": 336, "crop_size": 336, "feature_extractor_type": "CLIPFeatureExtractor"}"#,
        r#"{"size": {"shortest_edge": 336}, "crop_size": {"height": 336, "width": 336}}"#,
    ] {
        let steps = parse(text).unwrap();
        assert_eq!((steps.resize, steps.crop), (Resize::ShorterSide(336), (336, 336)));
    }
    let exact = parse(r#"{"size": {"height": 8, "width": 9}, "do_center_crop": false}"#).unwrap();
    assert_eq!((exact.resize, exact.crop), (Resize::Exact { height: 8, width: 9 }, (8, 9)));
}

#[test]
fn disabled_steps_are_skipped() {
    assert_eq!(parse(r#"{"do_resize": false}"#).unwrap().resize, Resize::Keep);
    let plain = parse(r#"{"do_normalize": false}"#).unwrap();
    assert_eq!((plain.mean, plain.std), ([0.0; 3], [1.0; 3]));
}

#[test]
fn rescale_factor_is_folded_into_mean_and_std() {
    let own = r#""image_mean": [0.5, 0.5, 0.5], "image_std": [0.25, 0.5, 1.0]"#;
    let usual = parse(&format!(r#"{{{own}, "rescale_factor": 0.00392156862745098}}"#)).unwrap();
    assert_eq!((usual.mean, usual.std), ([0.5; 3], [0.25, 0.5, 1.0]));
    let twice = parse(&format!(r#"{{{own}, "rescale_factor": 0.00784313725490196}}"#)).unwrap();
    assert_eq!((twice.mean, twice.std), ([0.25; 3], [0.125, 0.25, 0.5]));
    let raw = parse(&format!(r#"{{{own}, "do_rescale": false}}"#)).unwrap();
    assert_eq!(raw.mean, [0.5 / 255.0; 3]);
}

#[test]
fn known_filters_are_read_and_others_refused() {
    assert_eq!(parse(r#"{"resample": 2}"#).unwrap().filter, Filter::Bilinear);
    assert_eq!(parse(r#"{"resample": 1}"#).unwrap().filter, Filter::Lanczos);
    assert_eq!(refused(r#"{"resample": 6}"#), "resample: expected 0 to 5, found 6");
}

#[test]
fn unsupported_steps_are_refused() {
    for (text, message) in [
        (
            r#"{"do_center_crop": false}"#,
            "size: expected a center crop, or a size of height and width, found neither",
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
            r#"{"image_processor_type": "ViTImageProcessor"}"#,
            "image_processor_type: expected CLIPImageProcessor, BlipImageProcessor or SiglipImageProcessor, found ViTImageProcessor",
        ),
        (
            r#"{"image_processor_type": "BlipImageProcessor", "do_resize": false}"#,
            "do_resize: expected true, or a center crop, found false",
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
fn the_processor_class_selects_the_defaults() {
    let blip = parse(r#"{"image_processor_type": "BlipImageProcessorFast", "size": 30}"#).unwrap();
    assert_eq!((blip.resize, blip.crop), (Resize::Exact { height: 30, width: 30 }, (30, 30)));
    let clip = r#"{"feature_extractor_type": "CLIPFeatureExtractor", "size": 30}"#;
    assert_eq!(parse(clip).unwrap().resize, Resize::ShorterSide(30));
    let path = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(path.path(), "{}").unwrap();
    let blip = open_as(path.path(), Processor::Blip).unwrap();
    assert_eq!((blip.crop, blip.resize), ((384, 384), Resize::Exact { height: 384, width: 384 }));
}

/// Like `get_image_processor_dict` of transformers 5.24.
#[test]
fn an_image_processor_in_processor_config_takes_precedence() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    assert!(matches!(
        find(folder.path()),
        Err(Error::Checkpoint(CheckpointError::FileMissing { .. }))
    ));
    // Version 4 also wrote this file, without the image processor.
    write(PROCESSOR, r#"{"processor_class": "Blip2Processor", "num_query_tokens": 32}"#);
    assert!(matches!(
        find(folder.path()),
        Err(Error::Checkpoint(CheckpointError::FileMissing { .. }))
    ));
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

#[test]
fn siglip_squashes_to_values_of_minus_one_to_one() {
    let steps = parse(r#"{"image_processor_type": "SiglipImageProcessor"}"#).unwrap();
    assert_eq!(steps.resize, Resize::Exact { height: 224, width: 224 });
    assert_eq!((steps.crop, steps.mean, steps.std), ((224, 224), [0.5; 3], [0.5; 3]));
    let text = r#"{"image_processor_type": "SiglipImageProcessor", "size": 384, "resample": 2}"#;
    let steps = parse(text).unwrap();
    let expected = (Resize::Exact { height: 384, width: 384 }, Filter::Bilinear);
    assert_eq!((steps.resize, steps.filter), expected);
}
