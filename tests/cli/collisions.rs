//! A run never overwrites its inputs or its other outputs.

use std::fs;

use crate::run::{Folder, repository};

/// Creates a folder with an index and every kind of file that a run reads.
fn folder() -> Folder {
    let folder = Folder::new();
    for name in ["deny.txt", "hats.txt"] {
        folder.write(name, "hat\n");
    }
    folder.write("list", "photos/cat.jpg\n");
    folder.run(&["prompt", "photos/cat.jpg", "-q"]).expect(0);
    folder
}

#[test]
fn output_must_not_be_an_input() {
    let folder = folder();
    #[cfg(unix)]
    std::os::unix::fs::symlink("photos/cat.jpg", folder.path("soft.jsonl")).unwrap();
    #[cfg(unix)]
    fs::hard_link(folder.path("photos/cat.jpg"), folder.path("hard.jsonl")).unwrap();
    let index = fs::read_dir(folder.path("indexes")).unwrap().next().unwrap().unwrap().path();
    let manifest = index.join("manifest.json");
    let manifest = manifest.strip_prefix(folder.path("")).unwrap().to_str().unwrap().to_owned();
    let labels = fs::read_dir(&index).unwrap().map(|entry| entry.unwrap().file_name());
    let labels = labels.map(|name| name.into_string().unwrap());
    let labels = labels.into_iter().find(|name| name.ends_with(".labels")).unwrap();
    let labels = manifest.replace("manifest.json", &labels);
    let before = fs::read(folder.path(&manifest)).unwrap();
    let deny = ["--deny", "deny.txt"];
    let hats = ["--list", "hats=hats.txt"];
    for (more, path, expected) in [
        (&deny[..], "deny.txt", "(the deny list)"),
        (&deny, "./dicts/../deny.txt", "(the deny list)"),
        (&hats, "hats.txt", "(a list of labels)"),
        (&["--filelist", "list"], "list", "(the list of images)"),
        (&[], "dicts/flavors.txt", "(a dictionary)"),
        (&[], &manifest, "found one in the index indexes/"),
        (&[], &labels, "found one in the index indexes/"),
        (&[], "photos/cat.jpg", "(an image)"),
        #[cfg(unix)]
        (&[], "soft.jsonl", "(an image)"),
        #[cfg(unix)]
        (&[], "hard.jsonl", "(an image)"),
    ] {
        for flag in ["--overwrite", "--resume"] {
            let args = [&["prompt", "photos", "-o", path, "--format", "jsonl", flag], more];
            let output = folder.run(&args.concat()).expect(2);
            assert!(output.stderr().contains(expected), "{path}: {}", output.stderr());
        }
    }
    assert_eq!(fs::read(folder.path(&manifest)).unwrap(), before);
    assert_eq!(fs::read(folder.path("deny.txt")).unwrap(), b"hat\n");
    assert!(fs::read(folder.path("photos/cat.jpg")).unwrap().starts_with(b"\xff\xd8"));
    let names = fs::read_dir(folder.path("")).unwrap().map(|entry| entry.unwrap().file_name());
    let records: Vec<_> = names.filter(|name| name.to_string_lossy().ends_with(".run")).collect();
    assert!(records.is_empty(), "nothing is written: {records:?}");
}

#[test]
fn two_outputs_must_not_be_the_same_file() {
    let folder = folder();
    let before = fs::read_dir(folder.path("photos")).unwrap().count();
    for (args, expected) in [
        (
            &["photos/cat.jpg", "-o", "photos/cat.txt", "--sidecar"][..],
            "photos/cat.txt: the answers and the sidecar of photos/cat.jpg would both be written",
        ),
        (
            &["photos/cat.jpg", "-o", "r.html", "--report", "./r.html"],
            "r.html: the report and the answers would both be written there",
        ),
        (
            &["photos/cat.jpg", "-o", "a.jsonl", "--report", ".a.jsonl.run"],
            "a name that ends in .html",
        ),
    ] {
        let output = folder.run(&[&["prompt"], args].concat()).expect(2);
        assert!(output.stderr().contains(expected), "{}", output.stderr());
    }
    assert_eq!(fs::read_dir(folder.path("photos")).unwrap().count(), before);
    assert!(!folder.path("r.html").exists());
}

#[test]
fn output_must_not_be_a_file_of_a_model() {
    let folder = Folder::new();
    let model = repository().join("tests/fixtures/clip/quick");
    for entry in fs::read_dir(model).unwrap() {
        let path = entry.unwrap().path();
        folder.write(
            &format!("model/{}", path.file_name().unwrap().to_str().unwrap()),
            fs::read(&path).unwrap(),
        );
    }
    let config = fs::read(folder.path("model/config.json")).unwrap();
    let args = ["embed", "images", "photos", "--model", "model", "--overwrite"];
    for path in ["model/config.json", "model/model.safetensors"] {
        let output = folder.run(&[&args[..], &["-o", path]].concat()).expect(2);
        assert!(output.stderr().contains("(a file of the model)"), "{}", output.stderr());
    }
    assert_eq!(fs::read(folder.path("model/config.json")).unwrap(), config);
    // A new file in the model's folder is allowed.
    folder.run(&[&args[..], &["-o", "model/out.jsonl"]].concat()).expect(0);
}
