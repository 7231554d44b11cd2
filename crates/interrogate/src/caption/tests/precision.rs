//! What weights of fewer bits change.

use super::*;

/// The fixtures' weights are whole f16 numbers, so that nothing is lost.
#[test]
fn half_weights_change_no_caption() {
    for name in ["blip2-opt", "blip2-t5", "blip"] {
        let pixels = Golden::of(name).values("pixels");
        let options = Generation { num_beams: 3, ..Generation::default() };
        let captions = |precision| {
            let model = open(&fixture(name), precision).unwrap();
            model.caption_pixels(&pixels, &options, &mut |_| {}).unwrap()
        };
        let tokens = |captions: Vec<Caption>| captions.into_iter().map(|c| c.tokens);
        let whole = tokens(captions(Precision::F32));
        assert!(tokens(captions(Precision::F16)).eq(whole), "{name}");
    }
}

/// The image tower's states, and what the language model reads of them.
fn seen(name: &str, precision: Precision) -> [Vec<f32>; 2] {
    let backend = Cpu::lean(precision);
    let (model, pixels) = (blip2(name, backend.clone()), Golden::of(name).values("pixels"));
    let tower = model.vision.forward(&backend, &mut Workspace::default(), &pixels);
    [tower, model.see(&pixels)].map(|rows| backend.download(rows.unwrap()).unwrap())
}

/// Eight bits of mantissa: the features stay near, and everything runs.
#[test]
fn bf16_weights_stay_near() {
    let [whole, half] = [Precision::F32, Precision::Bf16].map(|p| seen("blip2-opt", p));
    near("vision", &half[0], &whole[0], 0.25);
    assert_ne!(half[0], whole[0]);
}

/// Eight bits, of weights and of what meets them: the features stay near, and
/// each search gives captions of as many images.
#[test]
fn eight_bits_stay_near() {
    for name in ["blip2-opt", "blip2-t5"] {
        let pixels = Golden::of(name).values("pixels");
        let [whole, eight] = [Precision::F32, Precision::Q8].map(|p| seen(name, p));
        let far = |whole: &[f32], eight: &[f32]| {
            let square = |v: f32| f64::from(v * v);
            let wrong: f64 = whole.iter().zip(eight).map(|(a, b)| square(a - b)).sum();
            (wrong / whole.iter().map(|&v| square(v)).sum::<f64>()).sqrt()
        };
        let found = [far(&whole[0], &eight[0]), far(&whole[1], &eight[1])];
        assert!(found.iter().all(|&far| far > 0.0 && far < 0.1), "{name}: {found:?}");
        for num_beams in [1, 3] {
            let options = Generation { num_beams, ..Generation::default() };
            let model = open(&fixture(name), Precision::Q8).unwrap();
            let captions = model.caption_pixels(&pixels, &options, &mut |_| {}).unwrap();
            assert_eq!(captions.len(), 4);
            assert!(captions.iter().all(|caption| caption.tokens.len() >= 5));
        }
    }
}

/// What a precision is said to take, for a file of f16 values.
#[test]
fn the_memory_that_is_asked_for_follows_the_precision() {
    for name in ["blip2-opt", "blip2-t5", "blip"] {
        let bytes = |precision| memory::needed(&weights(name), precision) as f64;
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
    // Rows of 24 and 32 values fill their blocks badly; those of real models do not.
    let needed = |precision| memory::needed(&weights("blip2-opt"), precision);
    assert!(needed(Precision::Q8) < needed(Precision::F32));
}

/// Before a weight is read, and before the tokenizer is: there is none here.
#[test]
fn memory_that_is_too_small_is_told_before_loading() {
    let folder = tempfile::tempdir().unwrap();
    for file in ["config.json", "model.safetensors"] {
        std::fs::copy(fixture("blip").join(file), folder.path().join(file)).unwrap();
    }
    for precision in [Precision::F32, Precision::F16, Precision::Bf16, Precision::Q8] {
        let needed = memory::needed(&weights("blip"), precision);
        let open = |free| open_within(folder.path(), precision, free).err().unwrap();
        let error = open(Some(needed - 1));
        match &error {
            Error::MemoryTooSmall { needed: told, available, .. } => {
                assert_eq!((*told, *available), (needed, needed - 1));
            }
            other => panic!("{other}"),
        }
        let hint = error.hint().unwrap();
        assert!(hint.contains("q8") && hint.contains("f16"), "{hint}");
        // With enough, or where it is not known, the next thing is looked at.
        assert!(matches!(open(Some(needed)), Error::FileMissing { .. }));
        assert!(matches!(open(None), Error::FileMissing { .. }));
    }
}
