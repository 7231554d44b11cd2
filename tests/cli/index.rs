use std::fs;

use crate::run::Folder;

fn built() -> Folder {
    let folder = Folder::new();
    folder.run(&["rank", "photos/cat.jpg", "-q"]).expect(0);
    folder
}

/// The shard of `table`.
fn shard(folder: &Folder, table: &str) -> std::path::PathBuf {
    let files = fs::read_dir(folder.path("indexes/starter")).unwrap();
    let name = |p: &std::path::PathBuf| p.file_name().unwrap().to_str().unwrap().to_owned();
    let mut shards = files
        .map(|entry| entry.unwrap().path())
        .filter(|path| name(path).starts_with(table) && name(path).ends_with(".safetensors"));
    shards.next().unwrap()
}

#[test]
fn info_lists_the_tables_of_an_index() {
    let folder = built();
    let output = folder.run(&["info"]).expect(0);
    assert!(
        output.stdout().starts_with("indexes/starter: model starter, 384 values a row"),
        "{}",
        output.stdout()
    );
    let rows = folder.run(&["info", "--format", "jsonl"]).expect(0).rows();
    let tables: Vec<_> = rows.iter().map(|row| row["table"].as_str().unwrap()).collect();
    assert_eq!(tables, ["flavors", "mediums", "movements"]);
    assert_eq!(rows[0]["labels"], 4);
}

#[test]
fn verify_accepts_an_intact_index() {
    let output = built().run(&["verify"]).expect(0);
    assert_eq!(output.stdout(), "indexes/starter: whole: 3 tables, 8 labels\n");
}

#[test]
fn verify_finds_one_flipped_bit() {
    let folder = built();
    let path = shard(&folder, "flavors");
    let mut bytes = fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&path, bytes).unwrap();
    let output = folder.run(&["verify"]).expect(2);
    assert!(
        output.stderr().contains("damaged index: indexes/starter/flavors-"),
        "{}",
        output.stderr()
    );
    assert!(output.stderr().contains("hint: "), "{}", output.stderr());
    folder.run(&["rank", "photos/cat.jpg"]).expect(0); // opening reads no row
}

#[test]
fn truncated_shard_is_refused_on_opening() {
    let folder = built();
    let path = shard(&folder, "mediums");
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    let output = folder.run(&["rank", "photos/cat.jpg"]).expect(2);
    assert!(
        output.stderr().contains("damaged index: indexes/starter/mediums-"),
        "{}",
        output.stderr()
    );
}

#[test]
fn index_without_manifest_is_built_again() {
    let folder = built();
    fs::remove_file(folder.path("indexes/starter/manifest.json")).unwrap();
    let output = folder.run(&["verify", "--index", "indexes/starter"]).expect(2);
    assert!(output.stderr().contains("unfinished"), "{}", output.stderr());
    folder.run(&["rank", "photos/cat.jpg"]).expect(0);
    folder.run(&["verify"]).expect(0);
}

#[test]
fn missing_index_hint_gives_the_build_command() {
    let output = Folder::new().run(&["info"]).expect(2);
    assert!(output.stderr().contains("no index in indexes"), "{}", output.stderr());
    assert!(
        output.stderr().contains("hint: build one: build-index -o indexes"),
        "{}",
        output.stderr()
    );
}
