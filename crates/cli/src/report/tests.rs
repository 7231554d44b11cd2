use std::fs;

use interrogate::picture::Picture;

use super::*;

fn heading() -> Heading<'static> {
    Heading {
        model: "a/model",
        index: "indexes/a--model",
        mode: "seed",
        tables: vec![("flavors", 100_954), ("mediums", 95)],
        scale: 0.4,
        notice: None,
    }
}

fn answer<'a>(prompt: &'a str, label: &'a str) -> Answer<'a> {
    let tables = vec![("flavors", vec![(label, 0.25), ("other", -0.5)])];
    Answer { caption: Some("a cat"), prompt: Some(prompt), mode: "seed", tables }
}

fn card<'a>(image: &'a str, result: Result<Answer<'a>, &'a str>) -> Card<'a> {
    Card { image, thumbnail: None, result }
}

/// Returns the page of `cards`.
fn page(heading: &Heading<'_>, cards: &[Card<'_>]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.html");
    let mut report = Report::create(&path, heading).unwrap();
    cards.iter().for_each(|card| report.add(card).unwrap());
    report.finish().unwrap();
    fs::read_to_string(path).unwrap()
}

/// Returns the page without its style and script.
fn outside(page: &str) -> String {
    page.replace(&heading::script(), "").replace(&heading().value("style"), "")
}

#[test]
fn page_has_heading_cards_and_totals() {
    let cards = [
        card("photos/cat.jpg", Ok(answer("a cat, 8k", "8k"))),
        card("photos/gone.jpg", Err("cannot open photos/gone.jpg")),
    ];
    let page = page(&heading(), &cards);
    for part in [
        "<dd><bdi>a/model</bdi></dd>",
        "<dd><bdi>indexes/a--model</bdi></dd>",
        "<span>100,954 <b><bdi>flavors</bdi></b></span>",
        "data-scale=\"0.4\"",
        "<h2><bdi><span class=\"folder\">photos/</span>cat.jpg</bdi></h2>",
        "<p class=\"caption\"><bdi>a cat</bdi></p>",
        "<p><bdi>a cat, 8k</bdi></p>",
        r#"[{"name":"flavors","labels":["8k","other"],"scores":[0.25,-0.5]}]"#,
        "<p class=\"error\"><bdi>cannot open photos/gone.jpg</bdi></p>",
        "<p>2 images, 1 of them failed. Bars run from 0 to a score of 0.4;",
    ] {
        assert!(page.contains(part), "{part}");
    }
    assert!(!outside(&page).contains("{{"), "every name of the template is replaced");
    assert_eq!(page.matches("<li ").count(), 2);
}

#[test]
fn untrusted_text_is_escaped() {
    let bad =
        "</script><script>alert(1)</script><!--<img src=x onerror=alert(2)>\u{2028}'\"&{{script}}";
    let mut answer = answer(bad, bad);
    answer.caption = Some(bad);
    answer.mode = bad;
    answer.tables.push((bad, vec![(bad, 0.1)]));
    let heading =
        Heading { model: bad, index: bad, tables: vec![(bad, 1)], notice: Some(bad), ..heading() };
    let page = page(&heading, &[card(bad, Ok(answer)), card("x", Err(bad))]);
    let text = outside(&page);
    assert!(!text.contains("<script>alert") && !text.contains("<img") && !text.contains("<!--"));
    // One for the page and one for the data of a card.
    assert_eq!(page.matches("<script").count(), 2);
    let data = page.split_once("<script type=\"application/json\">").unwrap().1;
    let data = data.split_once("</script>").unwrap().0;
    assert!(!data.contains(['<', '>', '&', '\u{2028}']));
    let tables: serde_json::Value = serde_json::from_str(data).unwrap();
    assert_eq!(tables[0]["labels"][0], bad);
    assert_eq!(tables[1]["name"], bad);
}

#[test]
fn empty_prompt_has_a_note_and_no_copy_button() {
    let page = page(&heading(), &[card("x.png", Ok(answer("", "8k")))]);
    assert!(page.contains("No prompt: no label scores enough"));
    assert!(page.contains("aria-label=\"Copy the prompt\" disabled>"));
}

#[test]
fn mode_is_shown_if_it_differs_from_the_page() {
    let mut other = answer("a", "b");
    other.mode = "best";
    let page = page(&heading(), &[card("x", Ok(answer("a", "b"))), card("y", Ok(other))]);
    assert_eq!(page.matches("<span class=\"mode\">").count(), 1);
    assert!(page.contains("<span class=\"mode\">best</span>"));
}

#[test]
fn thumbnail_is_inside_the_page() {
    let picture = Picture::from_rgb(8, 4, vec![90; 8 * 4 * 3]).unwrap();
    let thumbnail = Thumbnail::of(&picture).unwrap();
    let card = Card { image: "x", thumbnail: Some(&thumbnail), result: Err("late") };
    let page = page(&heading(), &[card]);
    assert!(page.contains("<img src=\"data:image/jpeg;base64,"));
    assert!(page.contains("width=\"8\" height=\"4\""));
}

#[test]
fn same_cards_give_the_same_bytes() {
    let once = || page(&heading(), &[card("x", Ok(answer("a", "b")))]);
    assert_eq!(once(), once());
}

#[test]
fn existing_page_is_kept_until_finish() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.html");
    fs::write(&path, "before").unwrap();
    let mut report = Report::create(&path, &heading()).unwrap();
    report.add(&card("x", Err("y"))).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "before");
    drop(report);
    let names: Vec<_> =
        fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names, ["out.html"], "the temporary file is removed");
    Report::create(&path, &heading()).unwrap().finish().unwrap();
    assert!(fs::read_to_string(&path).unwrap().starts_with("<!DOCTYPE html>"));
}

#[test]
fn invalid_path_is_refused_at_creation() {
    let folder = tempfile::tempdir().unwrap();
    let error = |name: &str| {
        let path = folder.path().join(name);
        let fault = Report::create(&path, &heading()).err().unwrap();
        fault.to_string().replace(&path.display().to_string(), "PATH")
    };
    assert_eq!(error("cat.jpg"), "PATH: expected a name that ends in .html, found cat.jpg");
    assert_eq!(error("report"), "PATH: expected a name that ends in .html, found report");
    fs::create_dir(folder.path().join("x.html")).unwrap();
    assert_eq!(error("x.html"), "PATH: expected a file, found a folder");
    let gone = error("gone/x.html");
    assert!(gone.starts_with("cannot write to ") && gone.ends_with("gone"), "{gone}");
}
