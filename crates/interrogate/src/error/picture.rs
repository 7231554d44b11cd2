//! Pictures: decoding and preprocessing.

use std::path::PathBuf;

use super::Cause;

/// A picture cannot be decoded or preprocessed.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// The first bytes are those of no supported image format.
    #[error("{} is not an image of a known format", path.display())]
    Format {
        /// The file.
        path: PathBuf,
    },
    /// The file ends before the image does.
    #[error("{}: the image breaks off after {bytes} bytes", path.display())]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Its length in bytes.
        bytes: usize,
    },
    /// The image exceeds a limit: a decompression bomb, or a very large scan.
    #[error("{}: expected at most {limit} {unit}, found {found}", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// What is counted.
        unit: &'static str,
        /// The limit.
        limit: u64,
        /// The number that the header or the file gives.
        found: u64,
    },
    /// The decoder refused the image: it is damaged, or of an unsupported kind.
    #[error("cannot decode {}", path.display())]
    Decode {
        /// The file.
        path: PathBuf,
        /// The decoder's error.
        source: Cause,
    },
    /// The address is invalid, or the download failed after all retries.
    #[error("cannot download {url}")]
    Download {
        /// The address.
        url: String,
        /// The network library's error.
        source: Cause,
    },
    /// The server refuses the download.
    #[error("{url}: expected the status 200, found {status}")]
    Status {
        /// The address.
        url: String,
        /// The HTTP status.
        status: u16,
    },
    /// The number of values does not belong to a picture of this size.
    #[error("a picture of {width} x {height} has {expected} values, found {found}")]
    Values {
        /// Pixels in a row.
        width: u32,
        /// Rows.
        height: u32,
        /// Values of a picture of this size.
        expected: u64,
        /// Values given.
        found: usize,
    },
    /// The target size is invalid: a side of zero, or more pixels than the limit.
    #[error("cannot resize a picture of {width} x {height} to {to_width} x {to_height}")]
    Resize {
        /// Pixels in a row.
        width: u32,
        /// Rows.
        height: u32,
        /// Pixels in a row of the result.
        to_width: u64,
        /// Rows of the result.
        to_height: u64,
    },
}

impl PictureError {
    pub(super) fn hint(&self) -> Option<&'static str> {
        match self {
            PictureError::Format { .. } => Some(
                "JPEG, PNG, WebP, GIF, BMP, TIFF, PNM and QOI are supported, by content and not by file name",
            ),
            PictureError::Truncated { .. } => {
                Some("the file is incomplete; copy or download it again, or set allow_truncated")
            }
            PictureError::TooLarge { .. } => Some("scale the image down, or leave it out"),
            PictureError::Decode { .. } => {
                Some("if other programs open the image, save it again as JPEG or PNG")
            }
            PictureError::Download { .. } => {
                Some("check the address and the network, and run the same command again")
            }
            PictureError::Status { .. } => {
                Some("check the address; only images that need no login can be downloaded")
            }
            PictureError::Values { .. } | PictureError::Resize { .. } => None,
        }
    }
}
