//! Downloads one file from the hub: resumed, retried, verified, and renamed into place last; and
//! images to memory ([`ImageClient`]).
//!
//! Owns HTTP requests and bytes; `hub` decides which files a model needs. hf-hub 0.5 has its
//! own download, which is not used: it appends whatever a server sends for a range request,
//! verifies neither size nor digest before the file gets its final name, and has no timeouts.

mod image;
mod proxy;
mod refusal;
mod remote_file;
mod retry;
mod transfer;

use ureq::http::{HeaderMap, Response};
use ureq::typestate::WithoutBody;
use ureq::{Agent, Body, RequestBuilder};

use super::Options;
use crate::error::HubError;
use crate::{Error, Result};
pub use image::{ImageClient, is_url};
pub(super) use remote_file::RemoteFile;
pub(super) use transfer::sync_folder;

/// Maximum number of redirects that are followed.
const REDIRECTS: usize = 5;

/// An HTTP client for one repository of a hub.
pub(super) struct Client<'a> {
    options: &'a Options,
    /// `owner/name`, for errors.
    repo: &'a str,
    /// Follows redirects; downloads files from wherever they are stored.
    files: Agent,
    /// Does not follow redirects: the hub's own response has a file's metadata.
    hub: Agent,
}

impl<'a> Client<'a> {
    pub(super) fn new(options: &'a Options, repo: &'a str) -> Result<Self> {
        let agent = |redirects| agent(options, redirects);
        let (files, hub) = (agent(REDIRECTS as u32)?, agent(0)?);
        Ok(Client { options, repo, files, hub })
    }

    /// Sends a HEAD request. Redirects are not followed.
    fn head(&self, url: &str) -> Result<Response<Body>, ureq::Error> {
        self.authorized(self.hub.head(url)).call()
    }

    /// Sends a GET request for the bytes from `start` on. Redirects are followed, and a redirect
    /// to another host does not get the token.
    fn get(&self, url: &str, start: u64) -> Result<Response<Body>, ureq::Error> {
        let request = self.authorized(self.files.get(url));
        match start {
            0 => request.call(),
            _ => request.header("Range", format!("bytes={start}-")).call(),
        }
    }

    fn authorized(&self, request: RequestBuilder<WithoutBody>) -> RequestBuilder<WithoutBody> {
        match &self.options.token {
            Some(token) => request.header("Authorization", format!("Bearer {token}")),
            None => request,
        }
    }
}

/// Returns a client that follows this many redirects, with the proxy and timeouts of `options`.
///
/// # Errors
/// [`HubError::Network`] for an invalid proxy.
fn agent(options: &Options, redirects: u32) -> Result<Agent> {
    let endpoint = || options.endpoint.clone();
    let proxy = proxy::from_options(options).map_err(|source| {
        Error::Hub(HubError::Network { url: endpoint(), source: source.into() })
    })?;
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(redirects)
        .max_redirects_will_error(redirects > 0)
        .proxy(proxy)
        .user_agent(concat!("interrogate/", env!("CARGO_PKG_VERSION")))
        // Sizes must be those of the files, not of compressed responses.
        .accept_encoding("identity")
        .timeout_connect(Some(options.timeout))
        .timeout_recv_response(Some(options.timeout))
        .timeout_per_read(Some(options.timeout));
    Ok(config.build().into())
}

/// Returns the value of the header `name` if it is text.
fn header<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}
