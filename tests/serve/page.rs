//! The page for the browser, and the description of the routes.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::client::Response;
use crate::run::repository;
use crate::server::Server;

fn source() -> PathBuf {
    repository().join("crates/cli/src/commands/serve")
}

/// What stands between `before` and `after` in `text`, each time.
fn between<'t>(text: &'t str, before: &str, after: &str) -> Vec<&'t str> {
    text.split(before).skip(1).filter_map(|rest| Some(rest.split_once(after)?.0)).collect()
}

/// Checks the headers of a file of the page.
#[track_caller]
fn check_headers(response: &Response, kind: &str) {
    assert!(response.header("content-type").unwrap().starts_with(kind));
    let policy = response.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'; ") && !policy.contains("unsafe"), "{policy}");
    assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
    assert_eq!(response.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(response.header("referrer-policy"), Some("no-referrer"));
}

fn kind(name: &str) -> &'static str {
    match name.rsplit_once('.').unwrap().1 {
        "css" => "text/css",
        "js" => "text/javascript",
        "svg" => "image/svg+xml",
        other => panic!("{other}"),
    }
}

#[test]
fn the_page_and_its_files_are_served() {
    let server = Server::shared();
    let page = server.get("/").expect(200);
    check_headers(&page, "text/html");
    let mut names: Vec<String> = ["href=\"page/", "src=\"page/"]
        .iter()
        .flat_map(|before| between(page.text(), before, "\""))
        .map(str::to_owned)
        .collect();
    assert!(names.iter().any(|name| name == "app.js"));
    let mut found = BTreeSet::new();
    while let Some(name) = names.pop() {
        let file = server.get(&format!("/page/{name}")).expect(200);
        check_headers(&file, kind(&name));
        if name.ends_with(".js") {
            names.extend(between(file.text(), "\"./", "\"").iter().map(|name| (*name).to_owned()));
            names.retain(|name| !found.contains(name));
        }
        found.insert(name);
    }
    // No file of the page's folder is forgotten.
    let files = fs::read_dir(source().join("page")).unwrap();
    for name in files.map(|entry| entry.unwrap().file_name().into_string().unwrap()) {
        if !matches!(name.as_str(), "index.html" | "mod.rs") {
            assert!(found.contains(&name), "{name}");
            let file = server.get(&format!("/page/{name}")).expect(200);
            let expected = fs::read(source().join("page").join(&name)).unwrap();
            assert!(file.body == expected, "{name} is not that of the build");
        }
    }
    server.get("/page/mod.rs").problem(404);
    server.get("/page/").problem(404);
}

#[test]
fn the_page_names_no_other_site() {
    let server = Server::shared();
    let page = server.get("/").expect(200);
    for attribute in ["src=\"", "href=\"", "action=\""] {
        for address in between(page.text(), attribute, "\"") {
            assert!(!address.contains("//") && !address.starts_with('/'), "{address}");
        }
    }
    assert!(!page.text().contains("style=\"") && !page.text().contains("onclick"));
    for script in between(page.text(), "<script", "</script>") {
        assert!(script.contains("src=\"page/") && script.ends_with('>'), "{script}");
    }
}

/// Calls `visit` with every `$ref` of `value`.
fn refs(value: &Value, visit: &mut dyn FnMut(&str)) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value.as_str().filter(|_| name == "$ref") {
                    Some(target) => visit(target),
                    None => refs(value, visit),
                }
            }
        }
        Value::Array(list) => list.iter().for_each(|value| refs(value, visit)),
        _ => {}
    }
}

#[test]
fn openapi_describes_every_route() {
    let server = Server::shared();
    let document = server.get("/openapi.json").json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3."));
    let paths = document["paths"].as_object().unwrap();
    let routes = fs::read_to_string(source().join("routes/mod.rs")).unwrap();
    let mut expected = BTreeSet::new();
    for route in between(&routes, ".route(\"", "\n") {
        let (path, handlers) = route.split_once('"').unwrap();
        for method in ["get", "post"] {
            if handlers.contains(&format!("{method}(")) && !handlers.contains("page::") {
                expected.insert((path.to_owned(), method));
            }
        }
    }
    assert!(expected.remove(&("/openapi.json".to_owned(), "get")));
    let mut found = BTreeSet::new();
    for (path, methods) in paths {
        for (method, route) in methods.as_object().unwrap() {
            let method = ["get", "post"].into_iter().find(|known| known == method).unwrap();
            let about = &route["summary"];
            assert!(about.as_str().is_some_and(|text| !text.is_empty()), "{path} {method}");
            assert!(route["responses"]["200"].is_object(), "{path} {method}");
            found.insert((path.clone(), method));
        }
    }
    // openclip lists models too.
    assert_eq!(expected, found);
    let mut count = 0;
    refs(&document, &mut |target| {
        let pointer = target.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{target}");
        count += 1;
    });
    assert!(count > 10);
    // A part of a request that refuses other fields would refuse the images.
    let parts = document["components"]["schemas"].as_object().unwrap();
    let text = serde_json::to_string(parts).unwrap();
    assert!(!text.contains("\"additionalProperties\":false"));
}

#[test]
fn info_has_tables_modes_and_limits() {
    let server = Server::shared();
    let info = server.get("/v1/info").json();
    assert_eq!(info["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(
        (&info["model"]["id"], &info["model"]["device"]),
        (&"starter".into(), &"cpu".into())
    );
    assert!(info["model"]["notice"].as_str().unwrap().contains("starter"));
    let mut tables: Vec<_> = info["tables"].as_array().unwrap().clone();
    tables.sort_by_key(|table| table["name"].to_string());
    let expected = serde_json::json!([
        { "name": "flavors", "labels": 103 },
        { "name": "mediums", "labels": 2 },
        { "name": "movements", "labels": 2 },
    ]);
    assert_eq!(Value::Array(tables), expected);
    assert_eq!(
        info["modes"],
        serde_json::json!(["seed", "classic", "fast", "best", "negative", "caption"])
    );
    let limits = serde_json::json!({ "body_bytes": 20 << 20, "images": 64, "queue": 256 });
    assert_eq!(info["limits"], limits);
    assert!(info["caption_model"].is_null() && info["tagger"].is_null());
}

#[test]
fn supervisors_see_the_state() {
    let server = Server::shared();
    assert_eq!(server.get("/health").json(), serde_json::json!({ "status": "ok" }));
    server.get("/ready").json();
    let metrics = server.get("/metrics").expect(200);
    assert!(metrics.text().ends_with("# EOF\n"));
    for name in ["requests_total", "images_in_work", "resident_memory_bytes", "uptime_seconds"] {
        assert!(metrics.text().contains(&format!("\ninterrogate_{name}")), "{name}");
    }
    // HEAD has the headers of GET.
    let mut stream = crate::client::send(server.addr, "HEAD /health", &[], b"");
    assert_eq!(Response::read_head(&mut stream).unwrap().status, 200);
}
