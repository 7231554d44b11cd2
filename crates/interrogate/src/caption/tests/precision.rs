//! Precisions below f32, and the memory check.

use super::*;
use crate::error::{CaptionError, CheckpointError};

/// The fixtures' weights are exact in f16.
#[test]
fn f16_captions_equal_f32() {
    for name in ["blip2-opt", "blip2-t5", "blip", "git", "florence2"] {
        let pixels = Golden::of(name).values("pixels");
        let options = GenerationConfig { num_beams: 3, ..GenerationConfig::default() };
        let captions = |precision| {
            let model = open(&fixture(name), precision).unwrap();
            model.caption_pixels(&pixels, &options, &mut |_| {}).unwrap()
        };
        let tokens = |captions: Vec<Caption>| captions.into_iter().map(|c| c.tokens);
        let whole = tokens(captions(Precision::F32));
        assert!(tokens(captions(Precision::F16)).eq(whole), "{name}");
    }
}

/// The image tower's states, and the language model's image embeddings.
fn encoded(name: &str, precision: Precision) -> [Vec<f32>; 2] {
    let backend = Cpu::lean(precision);
    let (model, pixels) = (blip2(name, backend.clone()), Golden::of(name).values("pixels"));
    let tower = model.vision.forward(&backend, &mut Workspace::default(), &pixels);
    [tower, model.encode_images(&pixels)].map(|rows| backend.download(rows.unwrap()).unwrap())
}

#[test]
fn bf16_states_stay_near_f32() {
    let [whole, half] = [Precision::F32, Precision::Bf16].map(|p| encoded("blip2-opt", p));
    near("vision", &half[0], &whole[0], 0.25);
    assert_ne!(half[0], whole[0]);
}

/// With eight-bit weights and inputs, embeddings stay near f32 and every search runs.
#[test]
fn q8_embeddings_stay_near_f32() {
    for name in ["blip2-opt", "blip2-t5"] {
        let pixels = Golden::of(name).values("pixels");
        let [whole, eight] = [Precision::F32, Precision::Q8].map(|p| encoded(name, p));
        let far = |whole: &[f32], eight: &[f32]| {
            let square = |v: f32| f64::from(v * v);
            let wrong: f64 = whole.iter().zip(eight).map(|(a, b)| square(a - b)).sum();
            (wrong / whole.iter().map(|&v| square(v)).sum::<f64>()).sqrt()
        };
        let found = [far(&whole[0], &eight[0]), far(&whole[1], &eight[1])];
        assert!(found.iter().all(|&far| far > 0.0 && far < 0.1), "{name}: {found:?}");
        for num_beams in [1, 3] {
            let options = GenerationConfig { num_beams, ..GenerationConfig::default() };
            let model = open(&fixture(name), Precision::Q8).unwrap();
            let captions = model.caption_pixels(&pixels, &options, &mut |_| {}).unwrap();
            assert_eq!(captions.len(), 4);
            assert!(captions.iter().all(|caption| caption.tokens.len() >= 5));
        }
    }
}

/// The fixtures' files have f16 values.
#[test]
fn required_memory_follows_the_precision() {
    for name in ["blip2-opt", "blip2-t5", "blip", "git", "florence2"] {
        let bytes = |precision| memory_check::required(&weights(name), precision) as f64;
        let whole = bytes(Precision::F32);
        let files = std::fs::read_dir(fixture(name)).unwrap().map(|entry| entry.unwrap());
        let stored = files.filter(|file| {
            let name = file.file_name().into_string().unwrap();
            name.starts_with("model") && name.ends_with("safetensors")
        });
        let stored: u64 = stored.map(|file| file.metadata().unwrap().len()).sum();
        assert!(whole / stored as f64 > 1.5 && whole / (stored as f64) < 2.0, "{name}: {whole}");
        for half in [Precision::F16, Precision::Bf16] {
            let share = bytes(half) / whole;
            assert!(share > 0.5 && share < 0.6, "{name}: {share}"); // norms and biases stay
        }
    }
    // Rows of 24 and 32 values waste much of a 64-value block, unlike those of real models.
    let needed = |precision| memory_check::required(&weights("blip2-opt"), precision);
    assert!(needed(Precision::Q8) < needed(Precision::F32));
}

/// The folder has no tokenizer: the check comes before it is read.
#[test]
fn too_little_memory_is_reported_before_loading() {
    let folder = tempfile::tempdir().unwrap();
    for file in ["config.json", "model.safetensors"] {
        std::fs::copy(fixture("blip").join(file), folder.path().join(file)).unwrap();
    }
    for precision in [Precision::F32, Precision::F16, Precision::Bf16, Precision::Q8] {
        let needed = memory_check::required(&weights("blip"), precision);
        let open = |free| open_within(folder.path(), precision, free).err().unwrap();
        let error = open(Some(needed - 1));
        match &error {
            Error::Caption(CaptionError::MemoryTooSmall {
                needed: reported, available, ..
            }) => {
                assert_eq!((*reported, *available), (needed, needed - 1));
            }
            other => panic!("{other}"),
        }
        let hint = error.hint().unwrap();
        assert!(hint.contains("q8") && hint.contains("f16"), "{hint}");
        // With enough or unknown memory, the missing tokenizer is the next error.
        assert!(matches!(
            open(Some(needed)),
            Error::Checkpoint(CheckpointError::FileMissing { .. })
        ));
        assert!(matches!(open(None), Error::Checkpoint(CheckpointError::FileMissing { .. })));
    }
}
