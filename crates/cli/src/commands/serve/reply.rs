//! The rows of a request as JSON, as JSON lines or as server-sent events.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;

use super::problem::Problem;
use super::requests::{Event, Outcome, Running};
use super::server::Server;
use super::tasks::{Row, row_json};
use crate::output::Failed;

/// The media type of JSON lines.
const JSON_LINES: &str = "application/x-ndjson";

/// How often a stream without events sends a comment, so that proxies keep it open.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// The form of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Json,
    JsonLines,
    Events,
}

impl Form {
    /// Returns the form that `Accept` asks for.
    fn of(headers: &HeaderMap) -> Self {
        let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
        let accept = accept.unwrap_or_default();
        if accept.contains("text/event-stream") {
            Form::Events
        } else if accept.contains(JSON_LINES) || accept.contains("application/jsonl") {
            Form::JsonLines
        } else {
            Form::Json
        }
    }
}

/// Waits for the rows of `running` and returns them in the form that `headers` ask for. A
/// stream of events begins at once.
///
/// # Errors
/// Those of [`Running::finish`]; if no image has a row, the problem of the first.
pub(super) async fn rows(
    server: &Arc<Server>,
    headers: &HeaderMap,
    running: Running,
) -> Result<Response, Problem> {
    let form = Form::of(headers);
    if form == Form::Events {
        return Ok(events(server.clone(), running));
    }
    let mut outcomes = running.finish().await?;
    if outcomes.iter().all(|(_, outcome)| outcome.is_err()) {
        let first = outcomes.swap_remove(0).1;
        return Err(first.err().unwrap_or_else(Problem::internal));
    }
    let rows: Vec<Row> = outcomes.into_iter().map(|(name, outcome)| row(&name, outcome)).collect();
    rows.iter().for_each(|row| server.log_row(row));
    let (kind, body) = match form {
        Form::JsonLines => {
            let lines: String = rows.iter().flat_map(|row| [row, "\n"]).collect();
            (JSON_LINES, lines)
        }
        _ => ("application/json", format!("{{\"results\":[{}]}}", rows.join(","))),
    };
    Ok((StatusCode::OK, [(header::CONTENT_TYPE, kind)], body).into_response())
}

/// Returns the row of an image; one that failed has the row of the program.
fn row(name: &str, outcome: Outcome) -> Row {
    outcome.unwrap_or_else(|problem| {
        row_json(&Failed { image: name, error: problem.detail() }).unwrap_or_default()
    })
}

/// Streams the events of `running`: `progress`, `result` and, last, `error` or `done`.
fn events(server: Arc<Server>, running: Running) -> Response {
    let stream = stream::unfold(Some(running), move |running| {
        let server = server.clone();
        async move {
            let mut running = running?;
            let event = match running.next().await {
                Ok(Some(Event::Step(step))) => (event("progress", step), Some(running)),
                // The server ends: that concerns the whole request.
                Ok(Some(Event::Image(_, Err(problem)))) if problem.is_unavailable() => {
                    (event("error", problem.json()), None)
                }
                Ok(Some(Event::Image(number, outcome))) => {
                    let row = row(&running.names[number], outcome);
                    server.log_row(&row);
                    (event("result", row.into()), Some(running))
                }
                Ok(None) => (event("done", "{}".to_owned()), None),
                Err(problem) => (event("error", problem.json()), None),
            };
            Some(event)
        }
    });
    let keep_alive = KeepAlive::new().interval(KEEP_ALIVE);
    let mut response = Sse::new(Box::pin(stream)).keep_alive(keep_alive).into_response();
    // nginx holds a stream back otherwise.
    response.headers_mut().insert("x-accel-buffering", header::HeaderValue::from_static("no"));
    response
}

/// `data` is JSON, which has no line ends.
fn event(name: &str, data: String) -> Result<sse::Event, Infallible> {
    Ok(sse::Event::default().event(name).data(data))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accept_chooses_the_form() {
        let form = |accept: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, accept.parse().unwrap());
            Form::of(&headers)
        };
        assert_eq!((form("*/*"), Form::of(&HeaderMap::new())), (Form::Json, Form::Json));
        assert_eq!(form("application/x-ndjson"), Form::JsonLines);
        assert_eq!(form("text/event-stream, */*"), Form::Events);
    }

    #[test]
    fn a_failed_image_has_the_row_of_the_program() {
        let failed = row("a.jpg", Err(Problem::unprocessable("a.jpg: not an image")));
        assert_eq!(&*failed, r#"{"image":"a.jpg","error":"a.jpg: not an image"}"#);
    }
}
