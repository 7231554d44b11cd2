use std::fs;

use proptest::prelude::*;

use super::*;

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(Path::new("config.toml"), text)
}

fn config(model: Option<&str>, caption_model: Option<&str>) -> Config {
    let owned = |name: Option<&str>| name.map(str::to_owned);
    Config { model: owned(model), caption_model: owned(caption_model) }
}

#[test]
fn values_are_the_defaults_of_their_options() {
    assert_eq!(parse("").unwrap(), Config::default());
    let text = "# mine\nmodel = \"a/b\" # CLIP\n\ncaption-model = 'blip-base'\n";
    assert_eq!(parse(text).unwrap(), config(Some("a/b"), Some("blip-base")));
}

#[test]
fn invalid_files_are_refused_with_their_lines() {
    for (text, message, hint) in [
        (
            "model = \"a\"\nmodle = \"b\"\n",
            "config.toml:2: unknown key \"modle\"",
            "did you mean model?",
        ),
        ("[model]\nx = 1\n", "config.toml:1: model: expected a string, found a table", "quotes"),
        ("[other]\n", "config.toml:1: unknown key \"other\"", "the keys are model, caption-model"),
        ("\nmodel = 5\n", "config.toml:2: model: expected a string, found a number", "--model"),
        (
            "model = \" \"\n",
            "config.toml:1: model: expected a name, found an empty string",
            "quotes",
        ),
        (
            "caption-model = []",
            "config.toml:1: caption-model: expected a string, found an array",
            "--caption-model",
        ),
        ("model = \"a\nb\n", "config.toml:1: invalid TOML: ", "interrogate setup"),
        ("model = \"a\"\nmodel = \"b\"\n", "config.toml:2: invalid TOML: ", "KEY = \"VALUE\""),
        ("model = a", "config.toml:1: invalid TOML: ", "interrogate setup"),
    ] {
        let error = parse(text).unwrap_err();
        assert!(error.to_string().starts_with(message), "{text:?}: {error}");
        assert!(error.hint().unwrap().contains(hint), "{text:?}: {:?}", error.hint());
    }
}

#[test]
fn large_and_binary_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE);
    assert_eq!(Config::read(&path).unwrap(), Config::default());
    fs::write(&path, " ".repeat(LIMIT as usize + 1)).unwrap();
    let error = Config::read(&path).unwrap_err();
    assert!(error.to_string().ends_with("size: expected at most 65536 bytes, found 65537"));
    assert!(error.hint().unwrap().starts_with("remove "));
    fs::write(&path, [0xff]).unwrap();
    assert!(Config::read(&path).unwrap_err().to_string().contains("expected UTF-8"));
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(Config::read(&path).unwrap_err().to_string().contains("found a folder"));
}

#[test]
fn saved_values_replace_the_old_ones_and_comments_stay() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/config.toml");
    config(Some("a/b"), None).save_to(&path).unwrap();
    let header = "# Defaults of interrogate's options; `interrogate setup` changes them.\n";
    assert_eq!(fs::read_to_string(&path).unwrap(), format!("{header}model = \"a/b\"\n"));
    fs::write(&path, "# one\ncaption-model = '''old''' # two\nmodel=\"m\" # three").unwrap();
    config(None, Some("new \"one\"")).save_to(&path).unwrap();
    config(Some("n"), None).save_to(&path).unwrap();
    let expected = "# one\ncaption-model = \"new \\\"one\\\"\" # two\nmodel=\"n\" # three";
    assert_eq!(fs::read_to_string(&path).unwrap(), expected);
    // A file that is not understood is not replaced.
    fs::write(&path, "x = 1").unwrap();
    assert!(config(Some("n"), None).save_to(&path).is_err());
    assert_eq!(fs::read_to_string(&path).unwrap(), "x = 1");
}

proptest! {
    #[test]
    fn any_name_survives_being_saved(model in ".*\\S.*", caption_model in ".*\\S.*") {
        let wanted = config(Some(&model), Some(&caption_model));
        let set = |config: &Config| -> Vec<(&'static str, String)> {
            config.values().into_iter().map(|(key, value)| (key, value.unwrap().to_owned())).collect()
        };
        let mut text = String::new();
        for _ in 0..2 {
            let values = set(&wanted);
            let entries = entries(Path::new("c"), &text).unwrap();
            text = edit::with_values(&text, &entries, values.iter().map(|(k, v)| (*k, v.as_str())));
            prop_assert_eq!(&parse(&text).unwrap(), &wanted);
        }
    }

    #[test]
    fn any_text_is_parsed_or_refused(text in "(model|caption-model|[a-z= \\[\\]\"'#\n{},.]|\\PC){0,20}") {
        let _ = parse(&text);
    }
}
