//! Florence-2: values, captions of each task, and the layout of microsoft's files.

use super::refusals::{copy, edit, refused};
use super::*;
use crate::caption::florence2::Florence2;

pub(in crate::caption) fn florence2<B: Backend>(name: &str, backend: B) -> Florence2<B> {
    Florence2::open(&fixture(name), weights(name), backend).unwrap()
}

pub(in crate::caption) fn florence2_equals_transformers<B: Backend>(name: &str, backend: B) {
    let golden = Golden::of("florence2");
    let (model, pixels) = (florence2(name, backend.clone()), golden.values("pixels"));
    let mut work = Workspace::default();
    model.davit.forward(&backend, &mut work, &pixels).unwrap();
    near("vision", &backend.download(work.rows).unwrap(), &golden.values("vision"), 1e-4);
    let embeddings = model.encode_images(&pixels).unwrap();
    let embeddings = backend.download(embeddings).unwrap();
    near("projected", &embeddings, &golden.values("projected"), 1e-4);
    let begin = |images: usize, _: &[u32]| {
        let embeddings = model.encode_images(first(&golden, &pixels, images)).unwrap();
        model.begin(images, embeddings, CaptionTask::Caption).unwrap()
    };
    steps(&golden, &model.language.decoder, &begin, 0);
    searches(&golden, &model.language.decoder, &begin, 0);
}

#[test]
fn florence2_equals_transformers_on_the_cpu() {
    florence2_equals_transformers("florence2", cpu());
}

#[test]
fn weights_of_microsoft_give_the_same_values() {
    florence2_equals_transformers("florence2-microsoft", cpu());
}

/// With the model's own options; the length is that of the fixture.
#[test]
fn captions_of_each_task_equal_transformers() {
    let golden = Golden::of("florence2");
    for name in ["florence2", "florence2-microsoft"] {
        let model = open(&fixture(name), Precision::F32).unwrap();
        let most = golden.expected.lengths.max_new_tokens;
        let defaults = GenerationConfig { max_new_tokens: most, ..model.defaults() };
        for task in CaptionTask::ALL {
            let expected = &golden.expected.tasks[&task.to_string()];
            let options = GenerationConfig { task, ..defaults.clone() };
            let captions = model.caption_pixels(&golden.values("pixels"), &options, &mut |_| {});
            let captions = captions.unwrap();
            let ids = captions.iter().map(|caption| &caption.tokens);
            assert!(ids.eq(&expected.ids), "{name} {task}: {captions:?}");
            let texts = captions.iter().map(|caption| &caption.text);
            assert!(texts.eq(&expected.texts), "{name} {task}: {captions:?}");
        }
    }
}

#[test]
fn questions_have_the_tokens_of_the_processor() {
    let golden = Golden::of("florence2");
    let model = florence2("florence2", cpu());
    for (task, question) in CaptionTask::ALL.iter().zip(&model.questions) {
        assert_eq!(*question, golden.expected.tasks[&task.to_string()].question, "{task}");
    }
}

#[test]
fn prompt_and_foreign_tasks_are_refused() {
    let model = open(&fixture("florence2"), Precision::F32).unwrap();
    let options = GenerationConfig { prompt: "a".to_owned(), ..model.defaults() };
    let error = model.caption(&[], &options).unwrap_err();
    assert_eq!(
        error.to_string(),
        r#"prompt is "a", expected none, since Florence-2 has tasks instead"#
    );
    assert!(error.hint().unwrap().contains("more-detailed"));
    for name in ["blip", "blip2-opt", "blip2-t5", "git"] {
        let model = open(&fixture(name), Precision::F32).unwrap();
        let options = GenerationConfig { task: CaptionTask::Detailed, ..model.defaults() };
        let error = model.caption(&[], &options).unwrap_err().to_string();
        assert_eq!(error, "task is detailed, expected caption, since only Florence-2 has others");
    }
}

#[test]
fn inconsistent_stages_are_refused() {
    for (at, value, message) in [
        ("depths", serde_json::json!([1, 1]), "expected 4 values, as embed_dim has, found 2"),
        ("num_heads", serde_json::json!([2, 3, 2, 4]), "expected a divisor of 8, found 3"),
        ("num_groups", serde_json::json!([0, 1, 4, 2]), "expected a divisor of 8, found 0"),
        ("patch_stride", serde_json::json!([8, 2, 2, 2]), "expected 1 to 7, found 8"),
        ("patch_padding", serde_json::json!([7, 1, 1, 1]), "expected below 7, found 7"),
        ("patch_size", serde_json::json!([33, 3, 3, 3]), "expected 1 to 32, found 33"),
        ("patch_stride", serde_json::json!([1, 1, 1, 1]), "expected 1 to 4, found 40"),
        ("window_size", 1024.into(), "2 heads over 1048576 x 1048576 positions"),
        ("mlp_ratio", 17.0.into(), "expected 1 to 16, found 17"),
        ("projection_dim", 32.into(), "expected 24, found 32"),
        ("embed_dim", serde_json::json!([]), "expected 1 to 256, found 0"),
        ("in_channels", 4.into(), "expected 3, found 4"),
        ("image_feature_source", serde_json::json!(["last_frame"]), "found last_frame"),
    ] {
        let folder = copy("florence2");
        edit(&folder.path().join("config.json"), |json| json["vision_config"][at] = value);
        let found = refused(&folder).0;
        assert!(found.starts_with("config.json: vision_config"), "{found}");
        assert!(found.ends_with(message), "{at}: {found}");
    }
    let folder = copy("florence2");
    let config = folder.path().join("config.json");
    edit(&config, |json| json["text_config"]["max_position_embeddings"] = 10.into());
    let found = refused(&folder).0;
    assert!(found.ends_with("expected shape [12, 24], found [66, 24]"), "{found}");
}

#[test]
fn image_size_must_be_square_and_within_its_limit() {
    let folder = copy("florence2-microsoft");
    let steps = folder.path().join("preprocessor_config.json");
    edit(&steps, |json| json["size"]["width"] = 44.into());
    assert_eq!(refused(&folder).0, "preprocessor_config.json: size.width: expected 40, found 44");
    edit(&steps, |json| json["size"] = serde_json::json!({ "height": 1025, "width": 1025 }));
    let expected = "preprocessor_config.json: size.height: expected 1 to 1024, found 1025";
    assert_eq!(refused(&folder).0, expected);
}
