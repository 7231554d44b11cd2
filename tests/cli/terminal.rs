//! Text output has no control characters, whatever labels, names, paths, models and
//! arguments contain.

use std::fs;

use crate::run::{Folder, repository};

/// Terminal escapes and bidirectional controls in one valid file name.
const EVIL: &str = "evil\u{1b}[2J\u{9b}31m\u{7f}\u{202e}\u{2066}\u{2028}";

/// Whether a terminal interprets `c` instead of printing it.
fn is_control(c: char) -> bool {
    (c.is_control() && c != '\n' && c != '\t')
        || ('\u{202a}'..='\u{202e}').contains(&c)
        || ('\u{2066}'..='\u{2069}').contains(&c)
        || c == '\u{2028}'
        || c == '\u{2029}'
}

/// Creates photos, labels, dictionaries, a model and an index with such names.
fn folder() -> Folder {
    let folder = Folder::new();
    let photo = fs::read(folder.path("photos/cat.jpg")).unwrap();
    folder.write(&format!("photos/{EVIL}.jpg"), &photo);
    folder.write(&format!("photos/{EVIL}-broken.jpg"), "no image");
    folder.write(&format!("data/images/{EVIL}.jpg"), &photo);
    for table in ["mediums", "movements", "flavors"] {
        let labels = format!("a {EVIL} cat\na photo of a {EVIL} cat\n\nspoons\n");
        folder.write(&format!("{EVIL}-dicts/{table}.txt"), labels);
    }
    let fixture = repository().join("tests/fixtures/clip/quick");
    for entry in fs::read_dir(fixture).unwrap() {
        let entry = entry.unwrap();
        if entry.path().is_file() {
            let name = entry.file_name().into_string().unwrap();
            folder.write(&format!("models/{EVIL}/{name}"), fs::read(entry.path()).unwrap());
        }
    }
    folder.write(&format!("models/{EVIL}-broken/config.json"), "{\"model_type\": \"clip\"}");
    folder.write(&format!("indexes/{EVIL}/manifest.json"), "{}");
    folder
        .write(&format!("{EVIL}.json"), format!("{{\"{EVIL}\": 1}}").replace('\u{1b}', "\\u001b"));
    folder.write("deny.txt", format!("/{EVIL}(/\n"));
    folder
}

#[test]
fn control_characters_are_escaped_on_terminals() {
    let folder = folder();
    let (model, dicts) = (format!("models/{EVIL}"), format!("{EVIL}-dicts"));
    let photo = format!("photos/{EVIL}.jpg");
    let (broken, gone) = (format!("photos/{EVIL}-broken.jpg"), format!("{EVIL}-gone"));
    let blip = repository().join("tests/fixtures/caption/blip");
    let blip = blip.to_str().unwrap();
    let source = ["--model", &model, "--dicts", &dicts];
    // The index that the first command builds, named after the model.
    let index = |folder: &Folder| {
        let all = fs::read_dir(folder.path("indexes")).unwrap();
        let mut all = all.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        format!("indexes/{}", all.find(|name| !name.contains('\u{1b}')).unwrap())
    };
    let check = |args: &[&str], codes: &[i32]| {
        let output = folder.command(args).output().unwrap();
        let printed = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(!printed.contains(is_control), "{args:?}: {printed:?}");
        let code = output.status.code().unwrap();
        assert!(codes.contains(&code), "{args:?}: exit code {code}: {printed}");
        printed
    };
    let printed = check(&[&["rank", "photos"][..], &source].concat(), &[1]);
    assert!(
        printed.contains("evil\\u{1b}[2J\\u{9b}31m\\u{7f}\\u{202e}\\u{2066}\\u{2028}"),
        "{printed}"
    );
    let index = index(&folder);
    let from = ["--index", &index];
    for (args, code) in [
        (&["prompt", &photo, "--index", &index][..], 0),
        (&["prompt", "photos", "--index", &index], 1),
        (&["prompt", "photos", "--index", &index, "--average"], 1),
        (&["rank", &photo, "--index", &index, "--table", &gone], 2),
        (&["rank", "--query", "\"a cat\"", "--index", &index], 0),
        (&["rank", "--query", &gone, "--index", &index], 2),
        (&["similarity", &photo, EVIL, "a cat", "--model", &model], 0),
        (&["similarity", &broken, "a cat", "--model", &model], 2),
        (&["caption", &photo, "--caption-model", blip], 0),
        (&["caption", &photo, "--caption-model", &gone], 2),
        (&["caption", &photo, "--caption-model", &model], 2),
        (&["embed", "images", "photos", "--model", &model, "--format", "text"], 1),
        (&["embed", "texts", EVIL, "--model", &model, "--format", "text"], 0),
        (&["embed", "prompts", &gone, "--embedding-model", &gone], 2),
        (&["embed", "average", &gone, &photo, "-o", "out.npy"], 2),
        (&["execute", "--model", &gone, "--data-path", "data", "--extend-path", "c.json"], 2),
        (
            &[
                "execute",
                "--model",
                "test_data",
                "--data-path",
                "data",
                "--extend-path",
                &format!("{EVIL}.json"),
            ],
            2,
        ),
        (&["verify", "--index", &index], 0),
        (&["verify", "--index", &gone], 2),
        (&["info", "--index", &index], 0),
        (&["info", "--index", &gone], 2),
        (&["info"], 2),
        (&["doctor", "--dicts", &dicts], 0),
        (&["doctor", "--dicts", &gone], 0),
        (&["man", &format!("{broken}/{EVIL}")], 2),
        (&["prompt", &gone], 2),
        (&["prompt", &format!("{EVIL}[")], 2),
        (&["prompt", &photo, "--model", &gone], 2),
        (&["prompt", &photo, "--index", &index, "--template", EVIL], 0),
        (&["prompt", &photo, "--index", &index, "--template", &format!("{{{EVIL}}}")], 2),
        (&["prompt", &photo, "--index", &index, "--deny", "deny.txt"], 2),
        (&["prompt", &photo, "--index", &index, "--list", &format!("{EVIL}={gone}")], 2),
        (&["prompt", "--filelist", &gone, "--index", &index], 2),
        (&["prompt", &photo, "-o", &format!("{gone}/x.jsonl"), "--index", &index], 2),
        (&["prompt", &photo, &format!("--{EVIL}")], 2),
        (&["prompt", &photo, "--device", EVIL], 2),
        (&[EVIL], 2),
    ] {
        check(args, &[code]);
    }
    // JSON escapes ESC.
    let rows = folder.run(&[&["rank", &photo, "--format", "jsonl"][..], &from].concat());
    assert!(!rows.expect(0).stdout().contains('\u{1b}'));
}
