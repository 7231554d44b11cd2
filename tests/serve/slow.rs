//! Clients that send slowly.

use std::io::Write;
use std::time::{Duration, Instant};

use crate::body::image;
use crate::client::{connect, head};
use crate::server::{PHOTOS, Server};

#[test]
fn slow_senders_do_not_delay_others() {
    let server = Server::start(&[]);
    let body = image(PHOTOS[1]).to_string();
    let length = body.len().to_string();
    let head = head("POST /v1/embed", server.addr, &[("content-length", length.as_str())]);
    // Half of them are slow in the head, half in the body.
    let mut senders: Vec<_> = (0..40).map(|number| (connect(server.addr), number % 2)).collect();
    for (stream, in_body) in &mut senders {
        let part = if *in_body == 1 { head.as_bytes() } else { &head.as_bytes()[..10] };
        stream.write_all(part).unwrap();
    }
    for second in 0..3 {
        let start = Instant::now();
        for (stream, in_body) in &mut senders {
            let text = if *in_body == 1 { &body } else { &head[10..] };
            stream.write_all(&text.as_bytes()[second..=second]).unwrap();
        }
        for route in ["/v1/embed", "/v1/prompt"] {
            server.post(route, &image(PHOTOS[2])).expect(200);
        }
        assert!(start.elapsed() < Duration::from_secs(5));
        std::thread::sleep(Duration::from_secs(1).saturating_sub(start.elapsed()));
    }
    // Requests that are not complete take no place in the queue.
    server.wait_for_work(0, Duration::from_secs(1));
}
