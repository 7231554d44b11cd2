//! Who may use the server: a key, the addresses it listens on, and the origins of web pages.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use interrogate::input;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::problem::Problem;
use crate::args;
use crate::error::CliError;

/// The shortest key that is accepted, in bytes.
const SHORTEST_KEY: usize = 8;

/// The longest first line of a key's file, in bytes.
const LONGEST_KEY: u64 = 4096;

/// The header of a key besides `Authorization`.
const API_KEY: &str = "x-api-key";

/// The rules of access.
pub(super) struct Access {
    /// The SHA-256 of the key, so that keys of all lengths take the same time to compare.
    key: Option<[u8; 32]>,
    /// Whether `Host` has to name this machine: a page of another site can point its own name
    /// at a loopback address (DNS rebinding).
    only_local_hosts: bool,
    pub(super) origins: Vec<HeaderValue>,
}

impl Access {
    /// Reads the key and checks the options against `addr`.
    ///
    /// # Errors
    /// [`CliError::Arguments`] for an address that other machines reach, without a key or
    /// `--insecure`; for a short key; for an invalid origin.
    pub(super) fn open(args: &args::Access, addr: SocketAddr) -> Result<Self, CliError> {
        let key = match (&args.api_key, &args.api_key_file) {
            (Some(key), _) => Some(key.clone()),
            (None, Some(path)) => {
                let bytes = input::read_file_or_pipe(path, LONGEST_KEY)?;
                Some(
                    String::from_utf8_lossy(&bytes)
                        .lines()
                        .next()
                        .unwrap_or_default()
                        .trim()
                        .to_owned(),
                )
            }
            (None, None) => None,
        };
        if key.as_ref().is_some_and(|key| key.len() < SHORTEST_KEY) {
            return Err(CliError::Arguments {
                message: format!("the API key: expected at least {SHORTEST_KEY} bytes"),
                hint: "generate one, for example with: openssl rand -hex 16".to_owned(),
            });
        }
        let is_loopback = addr.ip().is_loopback();
        if !is_loopback && key.is_none() && !args.insecure {
            return Err(CliError::Arguments {
                message: format!("{addr}: other machines can reach this address"),
                hint: "pass --api-key-file FILE, or --insecure if the network is trusted"
                    .to_owned(),
            });
        }
        let origins =
            args.allow_origin.iter().map(|typed| origin(typed)).collect::<Result<_, _>>()?;
        Ok(Access {
            only_local_hosts: is_loopback && key.is_none(),
            key: key.map(|key| Sha256::digest(key).into()),
            origins,
        })
    }

    /// Whether requests need a key.
    pub(super) fn needs_key(&self) -> bool {
        self.key.is_some()
    }

    fn check(&self, request: &Request) -> Result<(), Problem> {
        let headers = request.headers();
        let host = host(request.uri(), headers);
        if self.only_local_hosts && !host.is_some_and(is_local) {
            return Err(Problem::new(StatusCode::FORBIDDEN, "the host is not this machine")
                .with_hint("use http://127.0.0.1 or http://localhost, or start the server with --api-key-file"));
        }
        let origin = headers.get(header::ORIGIN).filter(|_| request.method() != Method::GET);
        if origin.is_some_and(|origin| !self.origins.contains(origin) && !is_own(origin, host)) {
            return Err(Problem::new(StatusCode::FORBIDDEN, "the origin is not allowed")
                .with_hint("start the server with --allow-origin ORIGIN"));
        }
        match &self.key {
            Some(key) if !is_open(request.uri().path()) => {
                let given = given_key(headers).map(Sha256::digest);
                match given {
                    Some(given) if bool::from(given.as_slice().ct_eq(key)) => Ok(()),
                    _ => Err(Problem::new(
                        StatusCode::UNAUTHORIZED,
                        "the API key is missing or wrong",
                    )
                    .with_hint("send the header Authorization: Bearer KEY")),
                }
            }
            _ => Ok(()),
        }
    }
}

/// Refuses requests that the rules do not admit.
pub(super) async fn guard(
    State(access): State<Arc<Access>>,
    request: Request,
    next: Next,
) -> Response {
    match access.check(&request) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

/// The routes without a key: the page, which asks for it, and what tells a supervisor whether
/// the server is up.
fn is_open(path: &str) -> bool {
    matches!(path, "/" | "/health" | "/ready") || path.starts_with("/page/")
}

fn given_key(headers: &HeaderMap) -> Option<&[u8]> {
    let bearer = || {
        let value = headers.get(header::AUTHORIZATION)?.as_bytes();
        let (scheme, key) = value.split_at_checked(7)?;
        scheme.eq_ignore_ascii_case(b"Bearer ").then_some(key)
    };
    headers.get(API_KEY).map(HeaderValue::as_bytes).or_else(bearer)
}

/// Returns the host that the client asked for, with the port.
fn host<'r>(uri: &'r Uri, headers: &'r HeaderMap) -> Option<&'r str> {
    uri.authority()
        .map(|authority| authority.as_str())
        .or_else(|| headers.get(header::HOST)?.to_str().ok())
}

/// Whether `host` names this machine: localhost or a loopback address.
fn is_local(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost")
        || name.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
}

/// Whether `origin` is the server's own page.
fn is_own(origin: &HeaderValue, host: Option<&str>) -> bool {
    let origin = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
    host.zip(origin).is_some_and(|(host, (_, origin))| origin.eq_ignore_ascii_case(host))
}

fn origin(typed: &str) -> Result<HeaderValue, CliError> {
    let (scheme, rest) = typed.split_once("://").unwrap_or_default();
    let valid =
        matches!(scheme, "http" | "https") && !rest.is_empty() && !rest.contains(['/', '*']);
    let value = HeaderValue::from_str(typed).ok().filter(|_| valid);
    value.ok_or_else(|| CliError::Arguments {
        message: format!("--allow-origin {typed}: invalid origin"),
        hint: "name scheme and host, such as https://example.org".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(key: Option<&str>, addr: &str, insecure: bool) -> Result<Access, CliError> {
        let args = args::Access {
            api_key: key.map(str::to_owned),
            api_key_file: None,
            insecure,
            allow_origin: vec!["https://a.example".to_owned()],
        };
        Access::open(&args, addr.parse().unwrap())
    }

    fn status(access: &Access, path: &str, headers: &[(&str, &str)]) -> u16 {
        let mut request = Request::builder().method("POST").uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(axum::body::Body::empty()).unwrap();
        match access.check(&request) {
            Ok(()) => 200,
            Err(problem) => problem.into_response().status().as_u16(),
        }
    }

    #[test]
    fn an_open_address_needs_a_key_or_insecure() {
        assert!(access(None, "127.0.0.1:1", false).is_ok());
        assert!(access(None, "[::1]:1", false).is_ok());
        assert!(access(None, "0.0.0.0:1", false).is_err());
        assert!(access(None, "0.0.0.0:1", true).is_ok());
        assert!(access(Some("12345678"), "0.0.0.0:1", false).is_ok());
        assert!(access(Some("1234567"), "127.0.0.1:1", false).is_err());
    }

    #[test]
    fn keys_are_compared_whole_and_the_page_is_open() {
        let access = access(Some("a long key"), "0.0.0.0:1", false).unwrap();
        for (headers, expected) in [
            (&[("authorization", "Bearer a long key")][..], 200),
            (&[("authorization", "bearer a long key")], 200),
            (&[("x-api-key", "a long key")], 200),
            (&[("authorization", "Bearer a long ke")], 401),
            (&[("authorization", "Basic a long key")], 401),
            (&[("authorization", "B")], 401),
            (&[], 401),
        ] {
            assert_eq!(status(&access, "/v1/prompt", headers), expected, "{headers:?}");
        }
        for path in ["/", "/health", "/ready", "/page/app.js"] {
            assert_eq!(status(&access, path, &[]), 200);
        }
        assert_eq!(status(&access, "/metrics", &[]), 401);
    }

    #[test]
    fn other_hosts_and_origins_are_refused() {
        let access = access(None, "127.0.0.1:1", false).unwrap();
        for host in ["127.0.0.1:7861", "localhost", "LOCALHOST:1", "[::1]:7861", "127.8.8.8"] {
            assert_eq!(status(&access, "/v1/prompt", &[("host", host)]), 200, "{host}");
        }
        for host in ["evil.example", "localhost.evil.example:7861", "127.0.0.1.evil.example", ""] {
            assert_eq!(status(&access, "/v1/prompt", &[("host", host)]), 403, "{host}");
        }
        let origin =
            |origin| status(&access, "/v1/prompt", &[("host", "localhost:1"), ("origin", origin)]);
        assert_eq!((origin("http://localhost:1"), origin("https://a.example")), (200, 200));
        assert_eq!(
            (origin("http://localhost:2"), origin("null"), origin("https://b.example")),
            (403, 403, 403)
        );
    }

    #[test]
    fn origins_are_checked() {
        assert!(origin("https://example.org:8080").is_ok());
        for typed in ["*", "example.org", "https://example.org/", "https://*.org", "ftp://a"] {
            assert!(origin(typed).is_err(), "{typed}");
        }
    }
}
