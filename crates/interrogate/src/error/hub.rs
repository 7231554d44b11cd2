//! Downloads from a model hub.

use super::Cause;
use super::words::download_forbidden;

/// A download failed or is not allowed.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// The repository, revision or file does not exist. A private repository looks the
    /// same without a token.
    #[error("{url} does not exist")]
    NotFound {
        /// The file's address.
        url: String,
    },
    /// The hub has no such repository, or a private one that the token may not read: it
    /// answers both the same.
    #[error("{repo}: no such repository on {endpoint}, or a private one")]
    RepositoryNotFound {
        /// `owner/name`.
        repo: String,
        /// The address of the hub.
        endpoint: String,
        /// Whether the request had a token.
        has_token: bool,
    },
    /// The repository has no such branch, tag or commit.
    #[error("{repo}: no revision {revision}")]
    RevisionNotFound {
        /// `owner/name`.
        repo: String,
        /// The revision.
        revision: String,
    },
    /// The repository's owner grants access on request.
    #[error("{repo}: access must be requested from its owner")]
    Gated {
        /// `owner/name`.
        repo: String,
        /// The address of the hub.
        endpoint: String,
        /// Whether the request had a token.
        has_token: bool,
    },
    /// The hub has disabled the repository.
    #[error("{repo}: disabled by the hub")]
    Disabled {
        /// `owner/name`.
        repo: String,
    },
    /// The hub requires a token that may read the repository.
    #[error("{url}: the hub refuses with status {status}")]
    Denied {
        /// The file's address.
        url: String,
        /// 401 or 403.
        status: u16,
        /// Whether the request had a token.
        has_token: bool,
    },
    /// The hub answered with an error of its own.
    #[error("{url}: the hub fails with status {status}")]
    Status {
        /// The file's address.
        url: String,
        /// The HTTP status.
        status: u16,
    },
    /// The hub cannot be reached, or the transfer failed after all retries. Bytes that
    /// arrived are kept; the next attempt resumes there.
    #[error("cannot fetch {url}")]
    Network {
        /// The address of the file or of the hub.
        url: String,
        /// The network library's error.
        source: Cause,
    },
    /// The model is not in the cache and may not be downloaded.
    #[error("{repo}: not in the cache, and {}", download_forbidden(*variable))]
    Offline {
        /// `owner/name`, with `@revision` where one was given.
        repo: String,
        /// The environment variable that forbids downloads; `None` for a name that was
        /// read from a file, which is never downloaded.
        variable: Option<&'static str>,
    },
    /// A response lacks a header that every model hub sends: the endpoint is not one.
    #[error("{url}: the answer has no usable {what}")]
    Answer {
        /// The file's address.
        url: String,
        /// What is missing.
        what: &'static str,
    },
    /// A file's size differs from the size that the hub announced.
    #[error("{url}: expected {expected} bytes, found {found}")]
    Size {
        /// The file's address.
        url: String,
        /// The announced size.
        expected: u64,
        /// The bytes received, or as many as were counted.
        found: u64,
    },
    /// A file's digest differs from the one that the hub announced. The file was
    /// deleted.
    #[error("{url}: expected the sha256 {expected}, found {found}")]
    Digest {
        /// The file's address.
        url: String,
        /// The announced digest.
        expected: String,
        /// The digest of the bytes received.
        found: String,
    },
    /// The repository has no weights in a supported format.
    #[error("{repo} has no {expected} (revisions: {revision})")]
    WeightsMissing {
        /// `owner/name`.
        repo: String,
        /// The names of the files that were searched, or their shards.
        expected: String,
        /// The revisions that were searched.
        revision: String,
    },
}

impl HubError {
    pub(super) fn hint(&self) -> String {
        let hint = match self {
            HubError::NotFound { .. } => {
                "check the spelling of owner/name and of the revision; a private repository needs a token"
            }
            HubError::RepositoryNotFound { has_token, .. } if *has_token => {
                "check the spelling of owner/name, it may have been renamed or deleted; for a private repository, set HF_TOKEN to a token of an account that may read it"
            }
            HubError::RepositoryNotFound { endpoint, .. } => {
                return format!(
                    "check the spelling of owner/name, it may have been renamed or deleted; for a private repository, create a token on {endpoint}/settings/tokens and set HF_TOKEN to it"
                );
            }
            HubError::RevisionNotFound { repo, .. } => {
                return format!(
                    "name {repo} without a revision, or one of its branches, tags or commits"
                );
            }
            HubError::Gated { repo, endpoint, has_token } if *has_token => {
                return format!(
                    "request access on {endpoint}/{repo} with the account of the token (HF_TOKEN), and run the same command again when it is granted"
                );
            }
            HubError::Gated { repo, endpoint, .. } => {
                return format!(
                    "request access on {endpoint}/{repo}, create a token on {endpoint}/settings/tokens, and set HF_TOKEN to it"
                );
            }
            HubError::Disabled { .. } => "name another model, or a folder that holds this one",
            HubError::Denied { has_token, .. } if *has_token => {
                "the token (HF_TOKEN, or the one that `hf auth login` stored) is invalid, expired, or may not read this repository; a public repository needs none"
            }
            HubError::Denied { .. } => {
                "check the spelling of owner/name; a private or gated repository needs a token (HF_TOKEN)"
            }
            HubError::Network { .. } | HubError::Status { .. } => {
                "check the network and run the same command again, it resumes where it stopped; or name a folder that holds the model"
            }
            HubError::Offline { variable: Some(name), .. } => {
                return format!("unset {name}, or name a folder that holds the model");
            }
            HubError::Offline { repo, .. } => {
                return format!("open {repo} by its own name to download it");
            }
            HubError::Answer { .. } => "check the endpoint (HF_ENDPOINT): it is not a model hub",
            HubError::Size { .. } | HubError::Digest { .. } => {
                "run the same command again; if the error stays, the hub or a proxy changes the file"
            }
            HubError::WeightsMissing { .. } => {
                "name a revision that has such a file, such as owner/name@refs/pr/1, or convert the weights and name the folder"
            }
        };
        hint.to_owned()
    }
}
