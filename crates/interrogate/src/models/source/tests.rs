//! Every form of a name is parsed, and invalid and ambiguous ones are refused.

use super::*;

fn hub(repo: &str, revision: Option<&str>) -> ModelSource {
    ModelSource::Hub { repo: repo.into(), revision: revision.map(Into::into) }
}

#[test]
fn each_kind_of_name_is_parsed() {
    let parse = |text: &str| text.parse::<ModelSource>().unwrap();
    assert_eq!(parse("starter"), ModelSource::Starter);
    assert_eq!(parse("openai/clip-vit-base-patch32"), hub("openai/clip-vit-base-patch32", None));
    assert_eq!(parse("a/b@refs/pr/15"), hub("a/b", Some("refs/pr/15")));
    assert_eq!(parse("ViT-B-32/openai"), hub("openai/clip-vit-base-patch32", None));
    for (text, repo) in [
        ("ViT-B/32", "openai/clip-vit-base-patch32"),
        ("ViT-L-14", "openai/clip-vit-large-patch14"),
        ("open_clip:ViT-L-14/openai", "openai/clip-vit-large-patch14"),
        ("openai:ViT-L/14@336px", "openai/clip-vit-large-patch14-336"),
        ("ViT-L-14/laion400m_e32", "timm/vit_large_patch14_clip_224.laion400m_e32"),
        ("hf:a/b", "a/b"),
        ("hf-hub:a/b", "a/b"),
    ] {
        assert_eq!(parse(text), hub(repo, None), "{text}");
    }
    assert_eq!(parse("hf:a/b@v1"), hub("a/b", Some("v1")));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    assert_eq!(parse(path), ModelSource::Folder(folder.path().into()));
    let file = folder.path().join("ViT-B-32.pt");
    std::fs::write(&file, "").unwrap();
    let source = parse(file.to_str().unwrap());
    assert_eq!(source, ModelSource::File(file.clone()));
    assert_eq!(
        (source.slug().as_str(), source.to_string()),
        ("ViT-B-32", file.display().to_string())
    );
}

#[test]
fn invalid_name_is_refused_with_the_valid_forms() {
    for text in [
        "",
        "clip",
        "a/b/c",
        "./gone",
        "/gone",
        "../a/b",
        "a/..",
        "../a",
        "a/b@",
        "a/b@../x",
        "a/b@x//y",
        "a b/c",
        "a/b?c",
        "ViT-L-14/laion400m_e33",
        "a/-b",
        "open_clip:a/b",
        "openai:ViT-H-14",
        "openai:a/b",
        "hf:starter",
        "hf:ViT-L-14/openai",
    ] {
        let error = text.parse::<ModelSource>().unwrap_err();
        let named = ["open_clip:", "openai:"].iter().find_map(|it| text.strip_prefix(it));
        let named = named.unwrap_or(text);
        assert_eq!(error.to_string(), format!("no model is named {named:?}"));
        let hint = error.hint().unwrap();
        assert!(hint.contains("starter") && hint.contains("ViT-L-14/openai"), "{hint}");
    }
}

#[test]
fn source_formats_as_it_was_parsed() {
    for text in ["starter", "a/b", "a/b@main", "a/b@refs/pr/15"] {
        assert_eq!(text.parse::<ModelSource>().unwrap().to_string(), text);
    }
}

#[test]
fn slugs_are_valid_folder_names() {
    let slug = |text: &str| text.parse::<ModelSource>().unwrap().slug();
    assert_eq!(slug("starter"), "starter");
    assert_eq!(slug("a/b@refs/pr/15"), "a--b--refs--pr--15");
    let folder = tempfile::tempdir().unwrap();
    let mine = folder.path().join(".my model");
    std::fs::create_dir(&mine).unwrap();
    assert_eq!(slug(mine.to_str().unwrap()), "my-model");
    assert_eq!(slug(mine.join("..").to_str().unwrap()), slug(folder.path().to_str().unwrap()));
    assert_eq!(ModelSource::Folder("/".into()).slug(), "model");
}

#[test]
fn every_known_repository_is_a_hub_id() {
    for model in registry::known() {
        assert_eq!(model.repo.parse::<ModelSource>().unwrap(), hub(model.repo, None));
        assert_eq!(model.name.parse::<ModelSource>().unwrap(), hub(model.repo, None));
    }
}

#[test]
fn nearest_names_are_in_the_hint() {
    let hint = |text: &str| text.parse::<ModelSource>().unwrap_err().hint().unwrap();
    assert!(hint("ViT-L14/openai").starts_with("did you mean ViT-L-14/openai"));
    assert!(hint("openai:ViT-L14").starts_with("did you mean ViT-L-14"));
    assert!(hint("clip").starts_with("a model is starter, "));
    let error = "ViT-L-14-CLIPA/datacomp1b".parse::<ModelSource>().unwrap_err();
    let message = "ViT-L-14-CLIPA/datacomp1b: unsupported architecture";
    assert_eq!(error.to_string(), message);
    assert!(error.hint().unwrap().contains("interrogate models"));
}

#[test]
fn ambiguous_name_is_refused_with_the_candidates() {
    let error = "ViT-L-14/laion400m".parse::<ModelSource>().unwrap_err();
    let models = "ViT-L-14/laion400m_e31, ViT-L-14/laion400m_e32";
    let message = format!("the model name \"ViT-L-14/laion400m\" is ambiguous: {models}");
    assert_eq!(error.to_string(), message);
    assert_eq!(error.hint().unwrap(), "name one of them");
    // More than five candidates are counted.
    let many = "ViT-B-32/commonpool".parse::<ModelSource>().unwrap_err().to_string();
    assert!(many.ends_with(" and 7 more"), "{many}");
    // A folder in the working folder.
    let folder = ModelSource::Folder("ViT-L-14".into());
    let message = at_path("ViT-L-14", folder.clone()).unwrap_err().to_string();
    assert!(message.ends_with(": ./ViT-L-14, open_clip:ViT-L-14/openai"), "{message}");
    for text in ["./ViT-L-14", "models/ViT-L-14", "/ViT-L-14", "clip", "a/b"] {
        assert_eq!(at_path(text, folder.clone()).unwrap(), folder);
    }
    for candidate in ["open_clip:ViT-L-14/openai", "ViT-L-14/laion400m_e31"] {
        candidate.parse::<ModelSource>().unwrap();
    }
}
