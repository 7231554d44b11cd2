//! Chains: their events, and what happens beside them.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::body::{image, images, long_chain, with};
use crate::server::{PHOTOS, Server};

/// Events of a request for a short chain over `names`.
fn events(server: &Server, body: Value) -> Vec<(String, Value)> {
    let options = json!({ "mode": "best", "chain_candidates": 5, "max_flavors": 2 });
    server.events("/v1/prompt", &with(body, options)).collect()
}

#[test]
fn steps_results_and_the_end_arrive_as_events() {
    let server = Server::shared();
    let body = images(&PHOTOS[..2]);
    let options = json!({ "mode": "best", "chain_candidates": 5, "max_flavors": 2 });
    let rows =
        server.post("/v1/prompt", &with(body.clone(), options.clone())).json()["results"].clone();
    // Requests that are computed between the steps change nothing.
    let mut events = Vec::new();
    for event in server.events("/v1/prompt", &with(body, options)) {
        if event.0 == "progress" {
            server.post("/v1/rank", &image(PHOTOS[3])).expect(200);
        }
        events.push(event);
    }
    assert_eq!(events.last().unwrap(), &("done".to_owned(), json!({})));
    for row in rows.as_array().unwrap() {
        let of_image: Vec<_> =
            events.iter().filter(|(_, data)| data["image"] == row["image"]).collect();
        let (result, steps) = of_image.split_last().unwrap();
        assert_eq!(**result, ("result".to_owned(), row.clone()));
        assert!(!steps.is_empty());
        for (name, step) in steps {
            assert_eq!(name, "progress");
            let number = |key: &str| step[key].as_u64().unwrap();
            assert!(number("step") <= number("steps"), "{step}");
            assert!(number("scored") <= number("candidates"), "{step}");
            assert!(step["prompt"].is_string() && step["score"].is_f64(), "{step}");
            assert_eq!(step.as_object().unwrap().len(), 7, "{step}");
        }
    }
}

#[test]
fn short_requests_have_events_without_steps() {
    let server = Server::shared();
    let broken = json!({ "name": "broken.jpg", "data": "QQ==" });
    let mut body = images(&PHOTOS);
    body["images"].as_array_mut().unwrap().push(broken);
    let expected = server.post("/v1/prompt", &body).json()["results"].clone();
    let mut found: Vec<_> = server.events("/v1/prompt", &body).collect();
    assert_eq!(found.pop().unwrap().0, "done");
    assert!(found.iter().all(|(name, _)| name == "result"));
    let mut rows: Vec<Value> = found.into_iter().map(|(_, row)| row).collect();
    rows.sort_by_key(|row| row["image"].to_string());
    let mut expected = expected.as_array().unwrap().clone();
    expected.sort_by_key(|row| row["image"].to_string());
    assert_eq!(rows, expected);
    assert!(rows.iter().any(|row| row["image"] == "broken.jpg" && row["error"].is_string()));
    // An invalid request has no stream.
    let body = with(image(PHOTOS[1]), json!({ "k": 0 }));
    server.post_as("/v1/rank", &body, "text/event-stream").problem(422);
}

#[test]
fn short_requests_overtake_a_chain_and_a_client_that_leaves_ends_its_chain() {
    let server = Server::start(&[]);
    let mut chain = server.begin_chain();
    for route in ["/v1/prompt", "/v1/analyze", "/v1/embed"] {
        server.post(route, &image(PHOTOS[2])).expect(200);
    }
    server.wait_for_work(1, Duration::from_secs(1));
    assert_eq!(chain.next().unwrap().0, "progress");
    drop(chain);
    server.wait_for_work(0, Duration::from_secs(8));

    // The same for a client that waits for JSON, with chains that have not begun.
    let waiting = server.begin("/v1/prompt", &long_chain(&PHOTOS), "application/json");
    server.wait_for_work(4, Duration::from_secs(5));
    server.post("/v1/rank", &image(PHOTOS[2])).expect(200);
    server.wait_for_work(4, Duration::from_secs(1));
    drop(waiting);
    server.wait_for_work(0, Duration::from_secs(8));
    let line = server.wait_for_line(&["/v1/prompt", "the client went away"]);
    assert!(!line.contains("cat"), "{line}");
    // The thread of the model is free.
    let start = Instant::now();
    assert_eq!(events(&server, image(PHOTOS[1])).last().unwrap().0, "done");
    assert!(start.elapsed() < Duration::from_secs(8));
}

#[test]
fn a_chain_that_waits_is_dropped_with_its_client() {
    let server = Server::start(&[]);
    let mut chain = server.begin_chain();
    let waiting = server.begin("/v1/prompt", &long_chain(&PHOTOS), "application/json");
    server.wait_for("interrogate_images_waiting{model=\"clip\"}", 4, Duration::from_secs(5));
    assert_eq!(server.metric("interrogate_images_in_work"), 5);
    drop(waiting);
    server.wait_for_work(1, Duration::from_secs(5));
    assert_eq!(chain.next().unwrap().0, "progress");
}
