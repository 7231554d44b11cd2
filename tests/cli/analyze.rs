//! `analyze`: the best labels of every table.

use std::fs;

use crate::run::Folder;

#[test]
fn every_table_has_its_best_labels() {
    let folder = Folder::new();
    let rows = folder.run(&["analyze", "photos", "-k", "2", "--format", "jsonl"]).expect(0).rows();
    assert_eq!(rows.len(), 3);
    for row in &rows {
        let image = row["image"].as_str().unwrap();
        let tables = row["tables"].as_object().unwrap();
        assert_eq!(tables.keys().collect::<Vec<_>>(), ["flavors", "mediums", "movements"]);
        for (table, matches) in tables {
            let args = ["rank", image, "-k", "2", "-t", table, "--format", "jsonl"];
            assert_eq!(*matches, folder.run(&args).expect(0).rows()[0]["matches"], "{table}");
        }
    }
    let text = folder.run(&["analyze", "photos/cat.jpg", "-k", "1"]).expect(0);
    let lines: Vec<_> = text.stdout().lines().collect();
    assert_eq!((lines.len(), lines[0], lines[1]), (7, "photos/cat.jpg", "  flavors"));
    assert!(lines[2].starts_with("     0.") && lines[2].ends_with("  cat photo"), "{}", lines[2]);
    assert_eq!(lines[3], "  mediums");
}

#[test]
fn tables_can_be_selected_and_added() {
    let folder = Folder::new();
    folder.write("my/pets.txt", "a cat\na dog\n");
    folder.write("my/mediums.txt", "a snapshot\n");
    let analyze = |args: &[&str]| {
        let args = [&["analyze", "photos/cat.jpg", "--format", "jsonl"][..], args].concat();
        folder.run(&args).expect(0).rows()[0]["tables"].clone()
    };
    let some = analyze(&["-t", "pets,flavors", "--list", "my/pets.txt"]);
    assert_eq!(some.as_object().unwrap().keys().collect::<Vec<_>>(), ["flavors", "pets"]);
    assert_eq!(
        (&some["pets"][0]["label"], &some["pets"][1]["label"]),
        (&"a cat".into(), &"a dog".into())
    );
    let own = analyze(&["--list", "my/mediums.txt"]);
    assert_eq!(own.as_object().unwrap().len(), 3, "the list hides the table of its name");
    assert_eq!(own["mediums"][0]["label"], "a snapshot");
    let output = folder.run(&["analyze", "photos", "-t", "colours"]).expect(2);
    assert!(output.stderr().contains("no table \"colours\""), "{}", output.stderr());
}

#[test]
fn analysis_is_written_to_files_and_a_report() {
    let folder = Folder::new();
    folder.write("photos/broken.gif", "GIF it is not");
    let args = ["analyze", "photos", "-o", "out.csv", "--report", "out.html"];
    let output = folder.run(&args).expect(1);
    assert!(output.stderr().contains("report: out.html"), "{}", output.stderr());
    let csv = fs::read_to_string(folder.path("out.csv")).unwrap();
    assert!(csv.starts_with("image,tables,error\r\n") && csv.lines().count() == 5, "{csv}");
    let page = fs::read_to_string(folder.path("out.html")).unwrap();
    assert!(page.contains("analyze") && page.contains("<p>4 images, 1 of them failed. "));
    assert!(page.contains(r#"{"name":"flavors","labels":["cat photo","#));
    assert!(!page.contains("No prompt") && !page.contains("class=\"copy\""), "no prompts");
    assert_eq!(page.matches("<div").count(), page.matches("</div>").count());
}
