use super::*;

/// Creates a folder with empty files of these names.
fn folder(names: &[&str]) -> (tempfile::TempDir, impl Fn(&str) -> PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().to_owned();
    names.iter().for_each(|name| fs::write(root.join(name), "").unwrap());
    (folder, move |name: &str| root.join(name))
}

fn message(result: Result<(), OutputError>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn output_is_compared_by_file_and_not_by_spelling() {
    let (_folder, path) = folder(&["a.jpg", "list", "other"]);
    let check = |output: &str| {
        let files = Files::default().reading(&path("list"), "the list");
        files.writing(&path(output), "the answers").check(&[path("a.jpg")], None)
    };
    for name in ["other", "none", "gone/none"] {
        check(name).unwrap();
    }
    let error = message(check("./list"));
    let tail = "list: expected a file to write, found one that is read in this run (the list)";
    assert!(error.ends_with(tail), "{error}");
    for name in ["a.jpg", "./a.jpg"] {
        assert!(message(check(name)).contains("read in this run (an image)"));
    }
}

#[cfg(unix)]
#[test]
fn link_is_the_file_that_it_leads_to() {
    let (_folder, path) = folder(&["a.jpg"]);
    std::os::unix::fs::symlink("a.jpg", path("soft.jsonl")).unwrap();
    std::os::unix::fs::symlink("soft.jsonl", path("softer.jsonl")).unwrap();
    fs::hard_link(path("a.jpg"), path("hard.jsonl")).unwrap();
    for name in ["soft.jsonl", "softer.jsonl", "hard.jsonl"] {
        let files = Files::default().writing(&path(name), "the answers");
        assert!(message(files.check(&[path("a.jpg")], None)).contains("(an image)"), "{name}");
    }
    // A link to a missing file.
    std::os::unix::fs::symlink("new.html", path("to-new")).unwrap();
    let files = Files::default().writing(&path("to-new"), "the answers");
    let files = files.writing(&path("new.html"), "the report");
    let error = message(files.check(&[], None));
    assert!(error.ends_with("new.html: the answers and the report would both be written there"));
}

#[cfg(unix)]
#[test]
fn device_may_be_input_and_output() {
    let null = Path::new("/dev/null");
    let files = Files::default().reading(null, "the list").writing(null, "the answers");
    files.writing(null, "the report").check(&[null.to_owned()], None).unwrap();
}

#[test]
fn sidecars_with_the_same_path_are_message() {
    let (_folder, path) = folder(&["p.jpg", "p.png", "q.jpg"]);
    Files::default()
        .check(&[path("p.jpg"), path("q.jpg"), path("./p.jpg")], Some(&Extension::default()))
        .unwrap();
    let error = message(
        Files::default().check(&[path("p.jpg"), path("p.png")], Some(&Extension::default())),
    );
    assert!(error.contains("p.txt: the sidecar of "), "{error}");
    let files = Files::default().writing(&path("q.txt"), "the answers");
    assert!(
        message(files.check(&[path("q.jpg")], Some(&Extension::default())))
            .contains("q.txt: the answers and the")
    );
    let files = Files::default().reading(&path("q.txt"), "the deny list");
    assert!(
        message(files.check(&[path("q.jpg")], Some(&Extension::default())))
            .contains("(the deny list)")
    );
}

#[test]
fn sidecar_must_not_be_an_image() {
    let (_folder, path) = folder(&["photo.txt", "p.jpg"]);
    let error = message(Files::default().check(&[path("photo.txt")], Some(&Extension::default())));
    assert!(error.contains("read in this run (an image)"), "{error}");
    let named = [path("p.jpg"), path("p.txt")]; // the second does not exist
    assert!(
        message(Files::default().check(&named, Some(&Extension::default()))).contains("(an image)")
    );
}
