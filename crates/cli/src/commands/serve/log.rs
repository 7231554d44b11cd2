//! The log: a line for each request, on stderr. No image and no prompt is in it unless asked.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use tracing::Level;

use super::server::Server;
use crate::args::LogFormat;

/// The header of a request's id.
pub(super) const REQUEST_ID: &str = "x-request-id";

/// The longest id of a client that is kept, in bytes.
const LONGEST_ID: usize = 128;

/// The route of a path that no route matches.
const NONE: &str = "none";

/// Starts the log.
pub(super) fn start(format: LogFormat, quiet: bool) {
    let level = if quiet { Level::ERROR } else { Level::INFO };
    let log = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(std::io::stderr)
        .with_target(false);
    let started = match format {
        LogFormat::Text => log.with_ansi(false).try_init(),
        LogFormat::Json => log.json().flatten_event(true).try_init(),
    };
    drop(started); // fails only if there is a log already
}

/// Removes an id that is too long; the request then gets another.
pub(super) async fn limit_id(mut request: Request, next: Next) -> Response {
    let headers = request.headers_mut();
    if headers.get(REQUEST_ID).is_some_and(|id| id.len() > LONGEST_ID) {
        headers.remove(REQUEST_ID);
    }
    next.run(request).await
}

/// Logs and counts requests.
pub(super) async fn requests(
    State(server): State<Arc<Server>>,
    request: Request,
    next: Next,
) -> Response {
    let start = Instant::now();
    let route = request.extensions().get::<MatchedPath>();
    let route = route.map_or(NONE, MatchedPath::as_str).to_owned();
    let method = request.method().clone();
    let id = request.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok());
    let id = id.unwrap_or_default().to_owned();
    let gone = Gone { route: &route, id: &id, is_done: false };
    let response = next.run(request).await;
    gone.done();
    let (status, time) = (response.status().as_u16(), start.elapsed());
    server.metrics.request(&route, status, time);
    let ms = time.as_millis() as u64;
    tracing::info!(id, %method, route, status, ms);
    response
}

/// Logs a client that went away before its response.
struct Gone<'a> {
    route: &'a str,
    id: &'a str,
    is_done: bool,
}

impl Gone<'_> {
    fn done(mut self) {
        self.is_done = true;
    }
}

impl Drop for Gone<'_> {
    fn drop(&mut self) {
        if !self.is_done {
            tracing::info!(id = self.id, route = self.route, "the client went away");
        }
    }
}

impl Server {
    /// Logs a row if prompts are logged.
    pub(super) fn log_row(&self, row: &str) {
        if self.log_prompts {
            tracing::info!(row);
        }
    }
}
