//! Errors as responses: `application/problem+json` (RFC 9457) with a hint.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use interrogate::Error;
use interrogate::error::{CaptionError, IndexError};
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::CliError;
use crate::{escape, logger};

/// The seconds after which a client may try again when the queue is full.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("1");

/// Why a request failed, and what to do about it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Problem {
    /// Always `about:blank`: the status says what kind of problem it is.
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    /// What is wrong, in one line.
    detail: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        let title = status.canonical_reason().unwrap_or_default();
        Problem {
            kind: "about:blank",
            title,
            status: status.as_u16(),
            detail: detail.into(),
            hint: None,
        }
    }

    #[must_use]
    pub(super) fn with_hint(self, hint: impl Into<String>) -> Self {
        Problem { hint: Some(hint.into()), ..self }
    }

    /// A value that cannot be used, or an image that cannot be read.
    pub(super) fn unprocessable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
    }

    /// The server ends before the request is finished.
    pub(super) fn ending() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "the server is ending")
    }

    /// A panic of a request's own code, or of a model's.
    pub(super) fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal error")
            .with_hint("the server's log has the cause")
    }

    /// Whether the server, not the request, is the reason, and may be there again later.
    pub(super) fn is_unavailable(&self) -> bool {
        self.status() == StatusCode::SERVICE_UNAVAILABLE
    }

    pub(super) fn detail(&self) -> &str {
        &self.detail
    }

    /// Returns the problem as JSON.
    pub(super) fn json(&self) -> String {
        // The names of images may have line ends.
        let problem = Problem {
            detail: escape::line(&self.detail),
            hint: self.hint.as_deref().map(escape::line),
            ..*self
        };
        serde_json::to_string(&problem).unwrap_or_default() // texts and a number
    }

    fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

/// An error about the request (an image, a value, a table's name) is status 422. Others concern
/// the server: they are logged, and status 500.
impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let hint = build_index::terminal::library_hint(&error);
        let problem = match &error {
            Error::Interrupted => return Self::ending(),
            // Without the folder of the index: clients must not see the server's paths.
            Error::Index(IndexError::TableMissing { name, .. }) => {
                Self::unprocessable(format!("the index has no table {name:?}"))
            }
            Error::Picture(_)
            | Error::Prompt(_)
            | Error::Caption(CaptionError::Generation { .. })
            | Error::Mismatch { .. } => Self::unprocessable(logger::with_causes(&error)),
            other => {
                tracing::error!(error = logger::with_causes(other), "a request failed");
                return Self::internal();
            }
        };
        Problem { hint, ..problem }
    }
}

impl From<CliError> for Problem {
    fn from(error: CliError) -> Self {
        match error {
            CliError::Library(error) => error.into(),
            error => {
                let problem = Self::unprocessable(logger::with_causes(&error));
                Problem { hint: error.hint(), ..problem }
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status();
        let kind = [(header::CONTENT_TYPE, "application/problem+json")];
        let mut response = (status, kind, self.json()).into_response();
        let headers = response.headers_mut();
        match status {
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(header::RETRY_AFTER, RETRY_AFTER);
            }
            StatusCode::UNAUTHORIZED => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            _ => {}
        }
        response
    }
}
