//! A run does not write over what it reads, nor over what it writes itself.

use std::fs;

use crate::run::{Folder, repository};

/// A folder with files of all kinds that a run reads, and an index.
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
    for (more, output, what) in [
        (&deny[..], "deny.txt", "(the deny list)"),
        (&deny, "./dicts/../deny.txt", "(the deny list)"),
        (&hats, "hats.txt", "(a list of labels)"),
        (&["--filelist", "list"], "list", "(the list of images)"),
        (&[], "dicts/flavors.txt", "(a dictionary)"),
        (&[], &manifest, "found a place in the index indexes/"),
        (&[], &labels, "found a place in the index indexes/"),
        (&[], "photos/cat.jpg", "(an image)"),
        #[cfg(unix)]
        (&[], "soft.jsonl", "(an image)"),
        #[cfg(unix)]
        (&[], "hard.jsonl", "(an image)"),
    ] {
        for way in ["--overwrite", "--resume"] {
            let args = [&["prompt", "photos", "-o", output, "--format", "jsonl", way], more];
            let ran = folder.run(&args.concat()).expect(2);
            assert!(ran.err().contains(what), "{output}: {}", ran.err());
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
    for (args, said) in [
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
        let ran = folder.run(&[&["prompt"], args].concat()).expect(2);
        assert!(ran.err().contains(said), "{}", ran.err());
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
    for output in ["model/config.json", "model/model.safetensors"] {
        let ran = folder.run(&[&args[..], &["-o", output]].concat()).expect(2);
        assert!(ran.err().contains("(a file of the model)"), "{}", ran.err());
    }
    assert_eq!(fs::read(folder.path("model/config.json")).unwrap(), config);
    // Beside them answers may stand.
    folder.run(&[&args[..], &["-o", "model/answers.jsonl"]].concat()).expect(0);
}
