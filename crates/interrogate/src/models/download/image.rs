//! Downloads images to memory from addresses that a user names.

use std::fmt;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use ureq::{Agent, Body};

use super::retry::{Failure, requested_delay, retry};
use super::{REDIRECTS, agent};
use crate::error::PictureError;
use crate::models::Options;
use crate::{Error, Result, limits};

/// The longest time of one attempt, from the connection to the last byte.
const TIMEOUT: Duration = Duration::from_secs(60);

/// How many times a failed request is retried, at most.
const RETRIES: u32 = 2;

/// Returns whether `text` is the address of an image: it begins with `http://` or `https://`, in
/// any case.
///
/// ```
/// use interrogate::models::is_url;
///
/// assert!(is_url("HTTPS://example.com/a.jpg"));
/// assert!(!is_url("ftp://example.com/a.jpg") && !is_url("https:/a.jpg"));
/// ```
pub fn is_url(text: &str) -> bool {
    ["http://", "https://"].iter().any(|scheme| {
        text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    })
}

/// An HTTP client for images, with the proxy and timeout of [`Options`]. It sends no token, no
/// cookie and no credentials, and saves nothing.
///
/// It connects to any address that it is given, also in a local network: pass only addresses
/// from sources that may choose them.
///
/// ```no_run
/// use interrogate::models::{ImageClient, Options};
/// use interrogate::picture::Picture;
///
/// let url = "https://example.com/a.jpg";
/// let bytes = ImageClient::new(&Options::new("cache"))?.fetch(url)?;
/// let picture = Picture::decode(&bytes, url.as_ref())?;
/// # Ok::<(), interrogate::Error>(())
/// ```
pub struct ImageClient {
    agent: Agent,
    retries: u32,
}

impl fmt::Debug for ImageClient {
    /// Without the proxy, whose address may contain a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ImageClient").finish_non_exhaustive()
    }
}

impl ImageClient {
    /// Opens no connection.
    ///
    /// # Errors
    /// [`HubError::Network`](crate::error::HubError::Network) for an invalid proxy.
    pub fn new(options: &Options) -> Result<Self> {
        Ok(ImageClient {
            agent: agent(options, REDIRECTS as u32)?,
            retries: options.retries.min(RETRIES),
        })
    }

    /// Downloads the bytes at `url`, at most [`limits::IMAGE_DOWNLOAD`]. Follows redirects, but
    /// none from https to http. What the server says about type and length is not used; decoding
    /// decides what the bytes are. One attempt takes 60 seconds at most, and there are three.
    ///
    /// # Errors
    /// [`PictureError::Download`] if the address is invalid or the transfer fails,
    /// [`PictureError::Status`] for another status than 200, [`PictureError::TooLarge`].
    pub fn fetch(&self, url: &str) -> Result<Vec<u8>> {
        retry(self.retries, || self.fetch_once(url))
    }

    fn fetch_once(&self, url: &str) -> Result<Vec<u8>, Failure> {
        let is_https = url.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("https:"));
        let request = self.agent.get(url).config().https_only(is_https);
        let response = request.timeout_global(Some(TIMEOUT)).build().call();
        let response = response.map_err(|source| match source {
            // Another try has the same result.
            ureq::Error::RequireHttpsOnly(_)
            | ureq::Error::BadUri(_)
            | ureq::Error::Http(_)
            | ureq::Error::TooManyRedirects => Failure::Permanent(download_error(url, source)),
            source => Failure::Transient(download_error(url, source)),
        })?;
        match response.status().as_u16() {
            200 => read(url, response.into_body()),
            status => {
                let error = PictureError::Status { url: url.to_owned(), status }.into();
                Err(match status {
                    408 | 429 | 500.. => Failure::Busy(error, requested_delay(&response)),
                    _ => Failure::Permanent(error),
                })
            }
        }
    }
}

/// Reads a body. Memory grows with the bytes that arrive.
fn read(url: &str, body: Body) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let limit = limits::IMAGE_DOWNLOAD;
    let mut body = body.into_reader().take(limit + 1);
    match body.read_to_end(&mut bytes) {
        Ok(found) if found as u64 > limit => {
            let (path, found) = (Path::new(url).to_owned(), found as u64);
            let error = PictureError::TooLarge { path, unit: "bytes", limit, found };
            Err(Failure::Permanent(error.into()))
        }
        Ok(_) => Ok(bytes),
        Err(error) => Err(Failure::Transient(download_error(url, error.into()))),
    }
}

fn download_error(url: &str, source: ureq::Error) -> Error {
    PictureError::Download { url: url.to_owned(), source: source.into() }.into()
}
