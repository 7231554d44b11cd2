//! OpenAI's own layouts: a TorchScript archive, a state dict, and OpenCLIP's
//! safetensors.

use interrogate::Error;
use interrogate::encoder::ImageEncoder;
use interrogate::models::{Model, ModelSource, Options};
use interrogate::picture::Picture;
use interrogate::vision::VisionConfig;
use interrogate::weights::Weights;
use safetensors::tensor::{Dtype, TensorView};

use super::*;

/// Largest allowed difference from open_clip's values. Measured: at most 3e-7.
const BOUND: f32 = 1e-5;

pub(super) fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/openai").join(name)
}

/// Copies these files of the fixture to a temporary folder.
pub(super) fn copy_files(names: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in names {
        fs::copy(file(name), folder.path().join(name)).unwrap();
    }
    folder
}

const TOKENIZER: [&str; 2] = ["vocab.json", "merges.txt"];

/// One model in each layout, with the path that a user passes.
pub(super) fn layouts() -> Vec<(TempDir, PathBuf)> {
    let archive = copy_files(&[TOKENIZER[0], TOKENIZER[1], "tiny.pt"]);
    let named = archive.path().join("tiny.pt");
    let state = copy_files(&[TOKENIZER[0], TOKENIZER[1], "tiny.bin"]);
    let state_named = state.path().join("tiny.bin");
    let open_clip = copy_files(&[
        TOKENIZER[0],
        TOKENIZER[1],
        "open_clip_model.safetensors",
        "open_clip_config.json",
    ]);
    let folder = open_clip.path().to_owned();
    let only = copy_files(&[TOKENIZER[0], TOKENIZER[1], "tiny.pt"]);
    let only_folder = only.path().to_owned();
    vec![(archive, named), (state, state_named), (open_clip, folder), (only, only_folder)]
}

fn values(path: &Path, name: &str) -> (Vec<usize>, Vec<f32>) {
    let weights = Weights::open(path).unwrap();
    let shape = weights.shape(name).unwrap().to_vec();
    let values = weights.values(name, &shape).unwrap();
    (shape, values)
}

#[test]
fn every_value_has_the_bits_of_the_state_dict() {
    let plain = file("open_clip_model.safetensors");
    let names: Vec<String> = Weights::open(&plain).unwrap().names().cloned().collect();
    assert_eq!(names.len(), 62);
    for archive in ["tiny.pt", "tiny.bin"] {
        let known = ["attn_mask", "context_length", "input_resolution", "vocab_size"];
        let more: Vec<String> = Weights::open(&file(archive)).unwrap().names().cloned().collect();
        let more: Vec<&String> = more.iter().filter(|name| !names.contains(name)).collect();
        assert_eq!(more, known, "{archive}");
        for name in &names {
            let (expected, found) = (values(&plain, name), values(&file(archive), name));
            assert_eq!(found.0, expected.0, "{archive}: {name}");
            let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&found.1), bits(&expected.1), "{archive}: {name}");
        }
    }
}

#[test]
fn tokens_equal_those_of_transformers_and_rows_those_of_open_clip() {
    let golden: Value = serde_json::from_slice(&fs::read(file("golden.json")).unwrap()).unwrap();
    let texts: Vec<&str> =
        golden["texts"].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect();
    let ids: Vec<Vec<u32>> = serde_json::from_value(golden["ids"].clone()).unwrap();
    let of = |name| values(&file("golden.safetensors"), name).1;
    let (embeddings, pixels, features) = (of("embeddings"), of("pixels"), of("features"));
    for (_folder, path) in layouts() {
        let checkpoint = Checkpoint::open(&path).unwrap();
        let text = checkpoint.text_encoder().unwrap();
        let tokens = text.tokenize(&texts).unwrap();
        assert!(tokens.iter().eq(ids.iter().map(Vec::as_slice)), "{path:?}");
        let difference = |ours: &[f32], theirs: &[f32]| {
            assert_eq!(ours.len(), theirs.len());
            ours.iter().zip(theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
        };
        let ours = text.encode(&texts).unwrap();
        let found = difference(ours.as_slice(), &embeddings);
        assert!(found < BOUND, "{path:?}: {found}");
        let ours = checkpoint.image_encoder().unwrap().features(&pixels).unwrap();
        let ours: Vec<f32> = ours.iter().flat_map(|row| row.as_slice().to_vec()).collect();
        let found = difference(&ours, &features);
        assert!(found < BOUND, "{path:?}: {found}");
    }
}

#[test]
fn sizes_are_derived_from_shapes() {
    let (_folder, path) = layouts().swap_remove(0);
    let config = Checkpoint::open(&path).unwrap().config().clone();
    let VisionConfig::Vit(vision) = &config.vision else { panic!("{:?}", config.vision) };
    assert_eq!((vision.image_size, vision.patch_size, vision.num_attention_heads), (32, 8, 2));
    assert_eq!(
        (vision.hidden_size, vision.intermediate_size, vision.num_hidden_layers),
        (128, 64, 2)
    );
    assert_eq!((config.text.num_attention_heads, config.projection_dim), (1, 16));
    assert_eq!(vision.hidden_act, "quick_gelu");
}

#[test]
fn model_opens_from_an_archive_and_encodes_pictures() {
    let (_folder, path) = layouts().swap_remove(0);
    let source: ModelSource = path.to_str().unwrap().parse().unwrap();
    let model = Model::open(source, &Options::new("none"), &mut |_| {}).unwrap();
    assert_eq!((model.slug().as_str(), model.fingerprint().unwrap().len()), ("tiny", 64));
    let picture = Picture::from_rgb(40, 50, (0..6000).map(|v| (v % 251) as u8).collect()).unwrap();
    let tower: Box<dyn ImageEncoder> = model.image_encoder().unwrap();
    assert_eq!(tower.encode(&[picture]).unwrap()[0].dim(), 16);
}

#[test]
fn fingerprint_includes_weights_tokenizer_and_config() {
    let fingerprint = |path: &Path| Checkpoint::open(path).unwrap().fingerprint().unwrap();
    let (folder, path) = layouts().swap_remove(0);
    let base = fingerprint(&path);
    let moved = folder.path().join("other.pt");
    fs::copy(&path, &moved).unwrap();
    assert_eq!(fingerprint(&moved), base);
    fs::copy(file("open_clip_config.json"), folder.path().join("open_clip_config.json")).unwrap();
    assert_ne!(fingerprint(&path), base);
    fs::remove_file(folder.path().join("open_clip_config.json")).unwrap();
    fs::write(folder.path().join("merges.txt"), "#version\ni n\n").unwrap();
    assert_ne!(fingerprint(&path), base);
}

/// The message and the hint of the error of opening these files after a change.
pub(super) fn open_error(names: &[&str], change: impl FnOnce(&TempDir)) -> (String, String) {
    let folder = copy_files(names);
    change(&folder);
    let error = Checkpoint::open(&folder.path().join(names[0])).unwrap_err();
    (relative_message(&folder, &error), error.hint().unwrap_or_default())
}

#[test]
fn missing_companion_files_are_named_in_the_hint() {
    let (message, hint) = open_error(&["tiny.pt"], |_| {});
    assert_eq!(message, "tiny.pt: no tokenizer of 602 tokens beside it");
    assert!(hint.contains("bpe_simple_vocab_16e6.txt.gz"), "{hint}");
    let (message, hint) = open_error(&["open_clip_model.safetensors"], |_| {});
    let expected =
        "open_clip_model.safetensors: an OpenCLIP state dict without its open_clip_config.json";
    assert_eq!(message, expected);
    assert!(hint.contains("\"quick_gelu\": true"), "{hint}");
    let (message, _) = open_error(&["tiny.pt", "merges.txt"], |_| {});
    assert_eq!(message, "FOLDER: no vocab.json in this folder");
}

#[test]
fn hub_file_names_are_found_in_a_folder() {
    for name in ["pytorch_model.bin", "open_clip_pytorch_model.bin", "model.safetensors"] {
        let folder = copy_files(&[TOKENIZER[0], TOKENIZER[1], "open_clip_config.json"]);
        let from = if name.ends_with("bin") { "tiny.bin" } else { "open_clip_model.safetensors" };
        fs::copy(file(from), folder.path().join(name)).unwrap();
        assert_eq!(Checkpoint::open(folder.path()).unwrap().dim(), 16, "{name}");
    }
    // With two archives neither is chosen.
    let folder = copy_files(&[TOKENIZER[0], TOKENIZER[1], "tiny.pt"]);
    fs::copy(file("tiny.pt"), folder.path().join("other.pt")).unwrap();
    let error = Checkpoint::open(folder.path()).unwrap_err();
    assert_eq!(relative_message(&folder, &error), "FOLDER: no model.safetensors in this folder");
}

/// A ResNet, a timm tower, and a text tower of another family.
#[test]
fn another_architecture_is_refused_by_its_missing_weights() {
    let shapes: [(&str, &[usize]); 4] = [
        ("visual.conv1.weight", &[4, 3, 2, 2]),
        ("visual.class_embedding", &[4]),
        ("visual.positional_embedding", &[5, 4]),
        ("text.token_embedding.weight", &[9, 4]),
    ];
    for (names, missing) in [
        (&shapes[..1], "text_model.embeddings.token_embedding.weight"),
        (&[("visual.trunk.norm.weight", &[4][..])], "text_model.embeddings.token_embedding.weight"),
        (&shapes, "text_model.embeddings.position_embedding.weight"),
    ] {
        let zeros = [0; 4 * 48];
        let views = names.iter().map(|(name, shape)| {
            let bytes = &zeros[..4 * shape.iter().product::<usize>()];
            let view = TensorView::new(Dtype::F32, shape.to_vec(), bytes);
            (*name, view.unwrap())
        });
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("open_clip_model.safetensors");
        fs::write(&path, safetensors::serialize(views.collect::<Vec<_>>(), None).unwrap()).unwrap();
        let error = Checkpoint::open(&path).unwrap_err();
        let expected = format!(
            "open_clip_model.safetensors: architecture: expected a text transformer's {missing} of 2 \
             dimensions, found none"
        );
        assert_eq!(relative_message(&folder, &error), expected);
    }
}

#[test]
fn merges_in_openais_own_file_give_the_same_tokens() {
    use std::io::Write;
    let folder = copy_files(&["tiny.pt"]);
    let packed = fs::File::create(folder.path().join("bpe_simple_vocab_16e6.txt.gz")).unwrap();
    let mut packed = flate2::write::GzEncoder::new(packed, flate2::Compression::fast());
    packed.write_all(&fs::read(file("merges.txt")).unwrap()).unwrap();
    packed.finish().unwrap();
    let ids = |folder: &Path| {
        let encoder = Checkpoint::open(folder).unwrap().text_encoder().unwrap();
        encoder.tokenize(&["don't, it's 8k caf\u{e9}"]).unwrap().get(0).unwrap().to_vec()
    };
    assert_eq!(
        ids(folder.path()),
        ids(copy_files(&["tiny.pt", TOKENIZER[0], TOKENIZER[1]]).path())
    );
}

#[test]
fn unsupported_config_fields_are_refused() {
    let names =
        ["open_clip_model.safetensors", "open_clip_config.json", TOKENIZER[0], TOKENIZER[1]];
    let message = |change: &dyn Fn(&mut Value)| {
        open_error(&names, |folder| edit(folder, "open_clip_config.json", change)).0
    };
    assert_eq!(
        message(&|file| file["model_cfg"]["text_cfg"]["hf_model_name"] = "bert".into()),
        "open_clip_config.json: text_cfg: expected supported keys, found hf_model_name: \"bert\""
    );
    assert_eq!(
        message(&|file| file["model_cfg"]["text_cfg"]["no_causal_mask"] = true.into()),
        "open_clip_config.json: text_cfg.pool_type: expected last, found argmax, the default"
    );
    assert_eq!(
        message(&|file| file["model_cfg"]["vision_cfg"]["timm_model_name"] = "resnet50".into()),
        "open_clip_config.json: vision_cfg.timm_model_name: expected vit_*_siglip_*, vit_pe_core_*, \
         vit_base_mci_224, eva*_clip_* or convnext_{tiny,small,base,large,xlarge,xxlarge}, found resnet50"
    );
    assert_eq!(
        message(&|file| file["model_cfg"]["vision_cfg"]["width"] = 64.into()),
        "open_clip_config.json: vision_cfg.width: expected 128 as in the weights, found 64"
    );
    assert_eq!(
        message(&|file| file["preprocess_cfg"]["resize_mode"] = "longest".into()),
        "open_clip_config.json: resize_mode: expected shortest or squash, found longest"
    );
    assert_eq!(
        message(&|file| file["preprocess_cfg"]["interpolation"] = "nearest".into()),
        "open_clip_config.json: interpolation: expected bicubic or bilinear, found nearest"
    );
    let folder = copy_files(&names);
    edit(&folder, "open_clip_config.json", |file| {
        file["model_cfg"]["vision_cfg"]["pool_type"] = "tok".into();
        file["model_cfg"]["vision_cfg"]["patch_dropout"] = 0.5.into();
        file["model_cfg"]["custom_text"] = false.into();
    });
    Checkpoint::open(folder.path()).unwrap();
}

#[test]
fn truncated_archive_is_refused_with_its_path() {
    let folder = copy_files(&["tiny.pt", TOKENIZER[0], TOKENIZER[1]]);
    let path = folder.path().join("tiny.pt");
    let whole = fs::read(&path).unwrap();
    let cuts = (0..whole.len()).step_by(9973).chain(whole.len() - 60..whole.len());
    for length in cuts {
        fs::write(&path, &whole[..length]).unwrap();
        let error = Checkpoint::open(&path).unwrap_err();
        assert!(relative_message(&folder, &error).starts_with("tiny.pt: "), "{length}: {error}");
    }
}

/// A flipped byte is reported with the path: in the pickle and the directory on
/// opening, in a weight by its checksum on loading.
#[test]
fn flipped_byte_never_reaches_a_weight() {
    let folder = copy_files(&["tiny.pt", TOKENIZER[0], TOKENIZER[1]]);
    let path = folder.path().join("tiny.pt");
    let whole = fs::read(&path).unwrap();
    let base = loaded(&path).unwrap();
    let tail = whole.len() - 6000;
    for at in (0..tail).step_by(4799).chain((tail..whole.len()).step_by(37)) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x55;
        fs::write(&path, bytes).unwrap();
        match loaded(&path) {
            // A date, a comment, or code that is not read.
            Ok(found) => assert!(found == base, "{at}"),
            Err(error) => {
                assert!(error.to_string().contains("tiny.pt"), "{at}: {error}");
            }
        }
    }
}

/// Loads both towers of an archive; returns an embedding and the features of an image.
fn loaded(path: &Path) -> Result<Vec<f32>, Error> {
    let checkpoint = Checkpoint::open(path)?;
    let row = checkpoint.text_encoder()?.encode(&["a cat"])?;
    let pixels: Vec<f32> = (0..3072).map(|v| (v % 7) as f32 - 3.0).collect();
    let features = checkpoint.image_encoder()?.features(&pixels)?;
    Ok([row.as_slice(), features[0].as_slice()].concat())
}
