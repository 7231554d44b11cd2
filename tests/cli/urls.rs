//! Images by address, from a server on loopback.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::Value;

use crate::run::{Folder, RunOutput, repository};

/// A server that answers until the test ends, and counts its requests.
struct Server {
    address: SocketAddr,
    requests: Arc<AtomicUsize>,
    headers: Arc<Mutex<String>>,
}

impl Server {
    fn start(folder: &Folder) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (requests, headers) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::default()));
        let photo = fs::read(folder.path("photos/cat.jpg")).unwrap();
        let server = Server { address, requests: requests.clone(), headers: Arc::clone(&headers) };
        thread::spawn(move || {
            for stream in listener.incoming() {
                requests.fetch_add(1, Ordering::SeqCst);
                let (photo, headers) = (photo.clone(), Arc::clone(&headers));
                thread::spawn(move || answer(&stream.unwrap(), address, &photo, &headers));
            }
        });
        server
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

/// Answers one request. Errors of writing mean that the program has hung up.
fn answer(mut stream: &TcpStream, at: SocketAddr, photo: &[u8], headers: &Mutex<String>) {
    let mut lines = BufReader::new(stream).lines();
    let request = lines.next().unwrap().unwrap();
    let rest: Vec<String> = lines.map_while(Result::ok).take_while(|l| !l.is_empty()).collect();
    *headers.lock().unwrap() += &rest.join("\n");
    let path = request.split(' ').nth(1).unwrap();
    let head = |status: &str, more: &str| {
        format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Type: text/html\r\n{more}\r\n")
    };
    let length = format!("Content-Length: {}\r\n", photo.len());
    let reply = match path {
        "/a/cat.jpg" | "/a//cat.jpg?x=[1]*" => [head("200 OK", &length).as_bytes(), photo].concat(),
        "/moved" => head("302 Found", &format!("Location: http://{at}/a/cat.jpg\r\n")).into(),
        "/loop" => head("302 Found", &format!("Location: http://{at}/loop\r\n")).into(),
        "/html" => [head("200 OK", "").as_bytes(), b"<html>not an image</html>"].concat(),
        "/cut" => [head("200 OK", &length).as_bytes(), &photo[..1000]].concat(),
        "/busy" => head("503 Busy", "Content-Length: 0\r\n").into(),
        "/endless" => {
            let _ = stream.write_all(head("200 OK", "").as_bytes());
            while stream.write_all(&[0; 1 << 16]).is_ok() {}
            return;
        }
        _ => head("404 Not Found", "Content-Length: 0\r\n").into(),
    };
    let _ = stream.write_all(&reply);
}

/// Embeds the images that `args` name, without the machine's proxy and with a token.
fn embed(folder: &Folder, args: &[&str], code: i32) -> RunOutput {
    let model = repository().join("tests/fixtures/clip/quick");
    let args = [&["embed", "images", "--model", model.to_str().unwrap()], args].concat();
    let mut command = folder.command(&args);
    command.env("no_proxy", "127.0.0.1").env("HF_TOKEN", "hf_secret");
    RunOutput::from(command.output().unwrap()).expect(code)
}

fn features(output: &RunOutput) -> Vec<Value> {
    output.rows().iter().map(|row| row["features"].clone()).collect()
}

#[test]
fn images_are_downloaded_from_arguments_and_lists() {
    let folder = Folder::new();
    let server = Server::start(&folder);
    let expected = features(&embed(&folder, &["photos/cat.jpg"], 0)).remove(0);
    let (url, odd) = (server.url("/a/cat.jpg"), server.url("/a//cat.jpg?x=[1]*"));
    let output = embed(&folder, &["--allow-urls", &server.url("/moved"), &url, "photos"], 0);
    let (found, rows) = (features(&output), output.rows());
    assert_eq!([&found[0], &found[1], &found[2]], [&expected; 3]);
    assert_eq!((rows[0]["image"].as_str(), rows.len()), (Some(&*url), 5));
    folder.write("list.tsv", format!("url\tlabel\n{url}\ta\n{odd}\tb\n"));
    let output = embed(&folder, &["--allow-urls", "--filelist", "list.tsv"], 0);
    assert_eq!(features(&output), [expected.clone(), expected]);
    assert_eq!(output.rows()[1]["image"], odd);
    let headers = server.headers.lock().unwrap().to_lowercase();
    assert!(headers.contains("user-agent: interrogate/"), "{headers}");
    assert!(!headers.contains("hf_secret") && !headers.contains("authorization"), "{headers}");
}

#[test]
fn failed_downloads_fail_alone() {
    let folder = Folder::new();
    let server = Server::start(&folder);
    for (path, expected, requests) in [
        ("/gone", "expected the status 200, found 404", 1),
        ("/html", " is not an image of a known format", 1),
        ("/busy", "expected the status 200, found 503", 3),
        ("/cut", "cannot download ", 3),
        ("/loop", "cannot download ", 6),
        ("/endless", "expected at most 67108864 bytes, found 67108865", 1),
    ] {
        let (url, before) = (server.url(path), server.requests());
        let output = embed(&folder, &["--allow-urls", &url, "photos/cat.jpg"], 1);
        let row = &output.rows()[0];
        assert_eq!(row["image"], url);
        let error = row["error"].as_str().unwrap();
        assert!(error.contains(expected) && error.contains(&url), "{error}");
        assert_eq!(server.requests() - before, requests, "{path}");
    }
    let output = embed(&folder, &["--allow-urls", "http://", "photos/cat.jpg"], 1);
    assert!(output.rows()[0]["error"].as_str().unwrap().starts_with("cannot download http://"));
}

#[test]
fn nothing_is_downloaded_unless_allowed() {
    let folder = Folder::new();
    let server = Server::start(&folder);
    let url = server.url("/a/cat.jpg");
    folder.write("list", format!("photos/cat.jpg\n{url}\n"));
    for args in [&[url.as_str()][..], &["--filelist", "list"]] {
        let output = embed(&folder, args, 2);
        let expected = format!(
            "error: {url}: expected a file, found an address\nhint: pass --allow-urls to download \
             images\n"
        );
        assert_eq!(output.stderr(), expected);
    }
    let mut command = folder.command(&["embed", "images", "--allow-urls", &url]);
    let output = RunOutput::from(command.env("HF_HUB_OFFLINE", "1").output().unwrap()).expect(2);
    assert!(output.stderr().contains("not downloaded, since HF_HUB_OFFLINE forbids it\nhint: "));
    let output = folder.run(&["prompt", "--allow-urls", "--sidecar", &url]).expect(2);
    assert!(output.stderr().contains("--sidecar does not support images that are downloaded"));
    assert_eq!(server.requests(), 0);
}
