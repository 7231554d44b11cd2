//! `prompt --report`: the HTML page.

use crate::run::Folder;

#[test]
fn report_has_every_image_including_failures() {
    let folder = Folder::new();
    folder.write("photos/broken.jpg", "no image");
    folder.write("photos/z.jpg", "");
    let args =
        ["prompt", "photos", "--report", "out.html", "--caption", "a photo", "--batch-size", "2"];
    let output = folder.run(&args).expect(1);
    assert!(output.stderr().contains("report: out.html"), "{}", output.stderr());
    let page = std::fs::read_to_string(folder.path("out.html")).unwrap();
    let names = ["broken.jpg", "cat.jpg", "coffee.jpg", "rocket.jpg", "z.jpg"];
    let positions: Vec<_> = names.map(|n| page.find(&format!("photos/</span>{n}</bdi>"))).into();
    assert!(positions.iter().all(Option::is_some) && positions.is_sorted(), "{positions:?}");
    for line in output.stdout().lines() {
        let (_, prompt) = line.split_once(": ").unwrap();
        assert!(page.contains(&format!("<p><bdi>{prompt}</bdi></p>")), "{prompt}");
    }
    assert_eq!(page.matches("<img src=\"data:image/jpeg;base64,").count(), 3);
    assert!(page.contains("broken.jpg is not an image of a known format</bdi></p>"));
    assert!(page.contains("<p>5 images, 2 of them failed. "));
    assert!(page.contains("<dd><bdi>starter</bdi></dd>") && page.contains("indexes/starter"));
    assert!(
        page.contains(r#"{"name":"flavors","labels":["cat photo","#),
        "includes labels that the prompt omits"
    );
    let files = std::fs::read_dir(folder.path("")).unwrap().map(|e| e.unwrap().file_name());
    assert!(!files.into_iter().any(|name| name.to_string_lossy().starts_with(".report")));
}

#[cfg(unix)] // other systems forbid such a name
#[test]
fn report_escapes_labels_and_file_names() {
    let folder = Folder::new();
    let label = "</script><script>alert(1)</script><!-- cat";
    folder.write("dicts/flavors.txt", format!("cat photo\n{label}\n"));
    let photo = std::fs::read(folder.path("photos/cat.jpg")).unwrap();
    folder.write("shots/<img src=x onerror=alert(2)>.jpg", photo);
    let args = ["prompt", "shots", "--report", "out.html", "--min-score", "-1"];
    let output = folder.run(&args).expect(0);
    assert!(output.stdout().contains(label), "{}", output.stdout());
    let page = std::fs::read_to_string(folder.path("out.html")).unwrap();
    assert!(page.contains("&lt;img src=x onerror=alert(2)&gt;.jpg</bdi>"));
    assert!(!page.contains("<img src=x") && !page.contains("<script>alert"));
    assert!(page.contains(r"\u003c/script\u003e\u003cscript\u003ealert(1)"));
}

#[test]
fn report_does_not_overwrite_a_photo() {
    let folder = Folder::new();
    let output = folder.run(&["prompt", "photos", "--report", "photos/cat.jpg"]).expect(2);
    let expected =
        "photos/cat.jpg: expected a name that ends in .html, found cat.jpg\nhint: name the page";
    assert!(output.stderr().contains(expected), "{}", output.stderr());
    let output = folder.run(&["prompt", "photos", "--report", "gone/out.html"]).expect(2);
    assert!(
        output.stderr().contains("cannot write to gone") && output.stderr().contains("hint: "),
        "{}",
        output.stderr()
    );
    assert_eq!(output.stdout(), "");
}
