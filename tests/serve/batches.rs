//! Requests at the same time share batches, which does not change their rows.

use std::fs;
use std::thread;

use serde_json::json;

use crate::body::{fixture, image, with};
use crate::run::repository;
use crate::server::Server;

/// Paths of 27 images of many formats, below the fixtures.
fn pictures() -> Vec<String> {
    let folder = fs::read_dir(repository().join("tests/fixtures/pictures")).unwrap();
    let names = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let is_image = |name: &String| {
        [".png", ".jpg", ".webp", ".bmp", ".gif"].iter().any(|end| name.ends_with(end))
    };
    let mut names: Vec<_> = names.filter(is_image).map(|name| format!("pictures/{name}")).collect();
    names.sort();
    names.truncate(27);
    assert_eq!(names.len(), 27);
    names
}

#[test]
fn rows_do_not_depend_on_the_batch() {
    let server = Server::shared();
    let (routes, pictures) = (["/v1/embed", "/v1/prompt", "/v1/rank"], pictures());
    let requests = pictures.iter().zip(routes.iter().cycle());
    let requests: Vec<_> = requests.map(|(name, route)| (image(name), *route)).collect();
    let row = |(body, route): &(_, &str)| {
        let lines = server.post_as(route, body, "application/x-ndjson").expect(200);
        lines.text().to_owned()
    };
    let count = || {
        let value = |of| server.metric(&format!("interrogate_batch_images_{of}{{model=\"clip\"}}"));
        (value("count"), value("sum"))
    };
    let alone: Vec<String> = requests.iter().map(row).collect();
    for (line, name) in alone.iter().zip(&pictures).step_by(routes.len()) {
        server.folder.write(name, fixture(name));
        let program = server.folder.run(&["embed", "images", name]).expect(0);
        assert_eq!(line.replace("image 1", name), program.stdout());
    }
    let (batches, images) = count();
    let together: Vec<String> = thread::scope(|scope| {
        let threads: Vec<_> =
            requests.iter().map(|request| scope.spawn(move || row(request))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for ((together, alone), name) in together.iter().zip(&alone).zip(&pictures) {
        assert_eq!(together, alone, "{name}");
    }
    let (batches, images) = (count().0 - batches, count().1 - images);
    assert!(images >= 27 && batches < images, "{images} images in {batches} batches");
}

#[test]
fn images_of_a_request_share_a_batch() {
    let server = Server::start(&[]);
    let data = &image("photos/cat.jpg")["image"];
    let body = with(json!({ "images": vec![data; 16] }), json!({ "k": 1 }));
    let rows = server.post("/v1/rank", &body).json()["results"].clone();
    assert!(rows.as_array().unwrap().iter().all(|row| row["matches"] == rows[0]["matches"]));
    let batches = server.metric("interrogate_batch_images_count{model=\"clip\"}");
    assert!(batches < 16, "{batches}");
    assert_eq!(server.metric("interrogate_batch_images_sum{model=\"clip\"}"), 16);
    assert_eq!(server.metric("interrogate_images_total{outcome=\"done\"}"), 16);
}
