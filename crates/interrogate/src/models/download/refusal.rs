//! Responses with an error status, and what they mean.

use ureq::Body;
use ureq::http::Response;

use super::retry::{Failure, requested_delay};
use super::{Client, header};
use crate::Error;
use crate::error::HubError;

/// The header with the reason of a hub's error.
const CODE: &str = "x-error-code";

/// The values of [`CODE`] (huggingface_hub, `utils/_http.py`).
const NO_REPOSITORY: &str = "RepoNotFound";
const NO_REVISION: &str = "RevisionNotFound";
const GATED: &str = "GatedRepo";

/// The text of the header `x-error-message` for a disabled repository.
const DISABLED: &str = "Access to this resource is disabled.";

/// Whether a response means that only the file does not exist, and not its repository or
/// revision. A mirror of the hub may send no [`CODE`].
pub(super) fn is_missing_file(response: &Response<Body>) -> bool {
    let code = header(response.headers(), CODE);
    response.status().as_u16() == 404 && !matches!(code, Some(NO_REPOSITORY | NO_REVISION | GATED))
}

impl Client<'_> {
    /// Returns the failure of a response with an error status.
    ///
    /// Without a token, the hub answers a request for a missing repository like one for a
    /// private repository: with 401.
    pub(super) fn refusal(&self, url: &str, response: &Response<Body>) -> Failure {
        let status = response.status().as_u16();
        let repo = || self.repo.to_owned();
        let endpoint = || self.options.endpoint.trim_end_matches('/').to_owned();
        let has_token = self.options.token.is_some();
        let url = || url.to_owned();
        let headers = response.headers();
        let error = match (status, header(headers, CODE)) {
            (401 | 403 | 404, Some(NO_REPOSITORY)) => {
                HubError::RepositoryNotFound { repo: repo(), endpoint: endpoint(), has_token }
            }
            (404, Some(NO_REVISION)) => {
                HubError::RevisionNotFound { repo: repo(), revision: revision(&url()) }
            }
            (401 | 403 | 404, Some(GATED)) => {
                HubError::Gated { repo: repo(), endpoint: endpoint(), has_token }
            }
            (403, _) if header(headers, "x-error-message") == Some(DISABLED) => {
                HubError::Disabled { repo: repo() }
            }
            (401 | 403, _) => HubError::Denied { url: url(), status, has_token },
            (404, _) => HubError::NotFound { url: url() },
            (408 | 429 | 500.., _) => {
                let error = Error::Hub(HubError::Status { url: url(), status });
                return Failure::Busy(error, requested_delay(response));
            }
            _ => HubError::Status { url: url(), status },
        };
        Failure::Permanent(Error::Hub(error))
    }
}

/// Returns the revision in the URL of a file: the part after `/resolve/`.
fn revision(url: &str) -> String {
    let after = url.split_once("/resolve/").map_or("", |(_, after)| after);
    after.split('/').next().unwrap_or_default().replace("%2F", "/")
}
