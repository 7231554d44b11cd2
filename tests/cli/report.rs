//! `prompt --report`: the page beside the lines.

use crate::run::Folder;

#[test]
fn report_has_every_image_including_failures() {
    let folder = Folder::new();
    folder.write("photos/broken.jpg", "no image");
    folder.write("photos/z.jpg", "");
    let args =
        ["prompt", "photos", "--report", "out.html", "--caption", "a photo", "--batch-size", "2"];
    let ran = folder.run(&args).expect(1);
    assert!(ran.err().contains("report: out.html"), "{}", ran.err());
    let page = std::fs::read_to_string(folder.path("out.html")).unwrap();
    let names = ["broken.jpg", "cat.jpg", "coffee.jpg", "rocket.jpg", "z.jpg"];
    let places: Vec<_> = names.map(|n| page.find(&format!("photos/</span>{n}</bdi>"))).into();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{places:?}");
    for line in ran.out().lines() {
        let (_, prompt) = line.split_once(": ").unwrap();
        assert!(page.contains(&format!("<p><bdi>{prompt}</bdi></p>")), "{prompt}");
    }
    assert_eq!(page.matches("<img src=\"data:image/jpeg;base64,").count(), 3);
    assert!(page.contains("broken.jpg is not an image of a known format</bdi></p>"));
    assert!(page.contains("<p>5 images, 2 of them failed. "));
    assert!(page.contains("<dd><bdi>starter</bdi></dd>") && page.contains("indexes/starter"));
    assert!(
        page.contains(r#"{"name":"flavors","labels":["cat photo","#),
        "more than the prompt takes"
    );
    let files = std::fs::read_dir(folder.path("")).unwrap().map(|e| e.unwrap().file_name());
    assert!(!files.into_iter().any(|name| name.to_string_lossy().starts_with(".report")));
}

#[cfg(unix)] // elsewhere no file has such a name
#[test]
fn report_escapes_labels_and_file_names() {
    let folder = Folder::new();
    let label = "</script><script>alert(1)</script><!-- cat";
    folder.write("dicts/flavors.txt", format!("cat photo\n{label}\n"));
    let photo = std::fs::read(folder.path("photos/cat.jpg")).unwrap();
    folder.write("shots/<img src=x onerror=alert(2)>.jpg", photo);
    let args = ["prompt", "shots", "--report", "out.html", "--min-score", "-1"];
    let ran = folder.run(&args).expect(0);
    assert!(ran.out().contains(label), "{}", ran.out());
    let page = std::fs::read_to_string(folder.path("out.html")).unwrap();
    assert!(page.contains("&lt;img src=x onerror=alert(2)&gt;.jpg</bdi>"));
    assert!(!page.contains("<img src=x") && !page.contains("<script>alert"));
    assert!(page.contains(r"\u003c/script\u003e\u003cscript\u003ealert(1)"));
}

#[test]
fn report_does_not_overwrite_a_photo() {
    let folder = Folder::new();
    let ran = folder.run(&["prompt", "photos", "--report", "photos/cat.jpg"]).expect(2);
    let said =
        "photos/cat.jpg: expected a name that ends in .html, found cat.jpg\nhint: name the page";
    assert!(ran.err().contains(said), "{}", ran.err());
    let ran = folder.run(&["prompt", "photos", "--report", "gone/out.html"]).expect(2);
    assert!(
        ran.err().contains("cannot write to gone") && ran.err().contains("hint: "),
        "{}",
        ran.err()
    );
    assert_eq!(ran.out(), "");
}
