use std::fs;

use crate::run::Folder;

fn texts(folder: &Folder) -> Vec<(String, String)> {
    let mut texts: Vec<_> = fs::read_dir(folder.path("photos"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending != "jpg"))
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect();
    texts.sort();
    texts
}

#[test]
fn sidecars_are_written_and_existing_ones_kept() {
    let folder = Folder::new();
    folder.write("photos/coffee.txt", "mine");
    let output = folder.run(&["prompt", "photos", "--sidecar", "-o", "out.jsonl"]).expect(0);
    assert!(
        output.stderr().contains("2 sidecars written, 1 already existed and was kept"),
        "{}",
        output.stderr()
    );
    let written = texts(&folder);
    let names: Vec<&str> = written.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["cat.txt", "coffee.txt", "rocket.txt"]);
    assert_eq!(
        (written[0].1.as_str(), written[1].1.as_str()),
        ("a photo of a cat, cat photo\n", "mine")
    );

    let output = folder.run(&["prompt", "photos", "--sidecar", "--append"]).expect(0);
    assert!(
        output.stderr().contains("1 sidecar written, 2 already existed"),
        "{}",
        output.stderr()
    );
    let added = texts(&folder);
    assert!(added[1].1.starts_with("mine, espresso in a cup"), "{}", added[1].1);
    assert_eq!((&added[0], &added[2]), (&written[0], &written[2]), "no text is added twice");

    folder.run(&["prompt", "photos", "--sidecar", "--overwrite"]).expect(0);
    assert!(texts(&folder)[1].1.starts_with("espresso in a cup"));
}

#[test]
fn skip_existing_skips_images_with_a_sidecar() {
    let folder = Folder::new();
    folder.write("photos/coffee.txt", "mine");
    let args = ["prompt", "photos", "--sidecar", "--skip-existing"];
    let output = folder.run(&args).expect(0);
    assert_eq!(output.stdout().lines().count(), 2, "{}", output.stdout());
    assert_eq!(folder.run(&args).expect(0).stdout(), "");
    assert_eq!(texts(&folder)[1].1, "mine");
    let output = folder.run(&["prompt", "photos", "--skip-existing"]).expect(2);
    assert!(output.stderr().contains("--sidecar"), "{}", output.stderr());
}
