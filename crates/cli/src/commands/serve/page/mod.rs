//! The page for the browser: static files with a strict content security policy.

use axum::extract::Path;
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::problem::Problem;

/// Nothing from elsewhere, nothing inline.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' blob: data:; connect-src 'self'; form-action 'none'; base-uri 'none'; \
    frame-ancestors 'none'";

const INDEX: &str = include_str!("index.html");

const CSS: &str = "text/css; charset=utf-8";

const SVG: &str = "image/svg+xml";

const JS: &str = "text/javascript; charset=utf-8";

/// Name, type and content of the files under /page/.
const ASSETS: &[(&str, &str, &str)] = &[
    ("report.css", CSS, include_str!("../../../report/report.css")),
    ("page.css", CSS, include_str!("page.css")),
    ("icon.svg", SVG, include_str!("icon.svg")),
    ("about.js", JS, include_str!("about.js")),
    ("analyze.js", JS, include_str!("analyze.js")),
    ("api.js", JS, include_str!("api.js")),
    ("app.js", JS, include_str!("app.js")),
    ("batch.js", JS, include_str!("batch.js")),
    ("cards.js", JS, include_str!("cards.js")),
    ("csv.js", JS, include_str!("csv.js")),
    ("dom.js", JS, include_str!("dom.js")),
    ("events.js", JS, include_str!("events.js")),
    ("images.js", JS, include_str!("images.js")),
    ("key.js", JS, include_str!("key.js")),
    ("options.js", JS, include_str!("options.js")),
    ("prompt.js", JS, include_str!("prompt.js")),
    ("rows.js", JS, include_str!("rows.js")),
    ("source.js", JS, include_str!("source.js")),
    ("tabs.js", JS, include_str!("tabs.js")),
    ("theme.js", JS, include_str!("theme.js")),
    ("zip.js", JS, include_str!("zip.js")),
];

/// Returns the page.
pub(super) async fn index() -> Response {
    file("text/html; charset=utf-8", INDEX)
}

/// Returns a file of the page.
pub(super) async fn asset(Path(name): Path<String>) -> Result<Response, Problem> {
    let found = ASSETS.iter().find(|(known, ..)| *known == name);
    let missing = || Problem::new(StatusCode::NOT_FOUND, "no such file");
    found.map(|(_, kind, content)| file(kind, content)).ok_or_else(missing)
}

fn file(kind: &'static str, content: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-cache"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    (headers, content).into_response()
}
