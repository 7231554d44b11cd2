//! A file's metadata as the hub reports it: commit, content id, size and URL.

use sha2::{Digest, Sha256};
use ureq::http::HeaderMap;

use super::refusal::is_missing_file;
use super::retry::{Failure, retry};
use super::{Client, REDIRECTS, header};
use crate::error::HubError;
use crate::{Error, Result};

/// Prefix of the file names of content without an etag.
const UNVERIFIED: &str = "unverified-";

/// A file's metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::models) struct RemoteFile {
    /// The commit that the revision resolves to.
    pub(in crate::models) commit: String,
    /// The content id: the SHA-256 in hex of a large file, the Git id of others, or a generated
    /// name if the hub gives none.
    pub(in crate::models) etag: String,
    /// Bytes.
    pub(in crate::models) size: u64,
    /// The URL after redirects within the hub, such as a renamed repository's.
    pub(in crate::models) url: String,
}

impl RemoteFile {
    /// Whether the content id is a SHA-256, which a download is verified with.
    pub(in crate::models) fn has_digest(&self) -> bool {
        is_hex(&self.etag, 64)
    }

    /// Whether the hub gives a content id: a SHA-256 or a Git id.
    pub(in crate::models) fn has_checksum(&self) -> bool {
        self.has_digest() || is_hex(&self.etag, 40)
    }
}

impl Client<'_> {
    /// Requests the metadata of the file at `url`; `None` if it does not exist.
    pub(in crate::models) fn metadata(&self, url: &str) -> Result<Option<RemoteFile>> {
        retry(self.options.retries, || self.metadata_once(url))
    }

    fn metadata_once(&self, url: &str) -> Result<Option<RemoteFile>, Failure> {
        let (mut at, mut commit) = (url.to_owned(), None);
        for _ in 0..=REDIRECTS {
            let response = self.head(&at).map_err(|e| Failure::connection(url, e))?;
            let headers = response.headers();
            commit = header(headers, "x-repo-commit").map(str::to_owned).or(commit);
            let hub = origin(&self.options.endpoint);
            match (response.status().as_u16(), header(headers, "location")) {
                _ if is_missing_file(&response) => return Ok(None),
                // A renamed repository, or a cache of the hub.
                (300..400, Some(path)) if path.starts_with('/') && !path.starts_with("//") => {
                    at = format!("{hub}{path}");
                }
                // The same with an absolute URL, unless it points to a large file's storage.
                (300..400, Some(next))
                    if origin(next).eq_ignore_ascii_case(hub)
                        && !headers.contains_key("x-linked-etag") =>
                {
                    next.clone_into(&mut at);
                }
                (200..400, _) => {
                    return parse(url, at, headers, commit).map(Some).map_err(Failure::Permanent);
                }
                _ => return Err(self.refusal(url, &response)),
            }
        }
        Err(Failure::Permanent(Error::Hub(HubError::Answer {
            url: url.to_owned(),
            what: "redirect",
        })))
    }
}

/// Parses the headers of a metadata response. Commit and etag become file names, so only
/// letters, digits, `-` and `_` are accepted.
fn parse(url: &str, at: String, headers: &HeaderMap, commit: Option<String>) -> Result<RemoteFile> {
    let unusable = |what| Error::Hub(HubError::Answer { url: url.to_owned(), what });
    let is_name = |text: &str| {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        !text.is_empty() && text.len() <= 128 && text.bytes().all(plain)
    };
    let commit =
        commit.filter(|commit| is_name(commit)).ok_or_else(|| unusable("x-repo-commit"))?;
    let etag = match header(headers, "x-linked-etag").or(header(headers, "etag")) {
        Some(etag) => etag.trim_start_matches("W/").trim_matches('"').to_owned(),
        // The file of one commit does not change.
        None => format!("{UNVERIFIED}{}", hex(&Sha256::digest(format!("{commit} {url}")))),
    };
    if !is_name(&etag) {
        return Err(unusable("etag"));
    }
    let size = header(headers, "x-linked-size").or(header(headers, "content-length"));
    let size = size.and_then(|size| size.parse().ok()).ok_or_else(|| unusable("size"))?;
    Ok(RemoteFile { commit, etag, size, url: at })
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Formats `bytes` in lower-case hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Returns the `https://host` part of a URL.
fn origin(url: &str) -> &str {
    let host = url.find("://").map_or(0, |at| at + 3);
    let end = url[host..].find('/').map_or(url.len(), |at| host + at);
    &url[..end]
}
