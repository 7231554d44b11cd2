//! Which images, as typed.

use std::path::{Path, PathBuf};

use clap::Args as Group;
use interrogate::Result;
use interrogate::picture::{self, DecodeOptions, Picture};

#[derive(Debug, Group)]
#[group(skip)] // its name would meet that of `embed images`
pub(crate) struct Images {
    /// Image files, folders of them, globs, or .tar archives that hold some
    /// (WebDataset); taken in sorted order. `-` reads paths from stdin.
    #[arg(required_unless_present = "filelist", value_name = "IMAGES")]
    pub(crate) paths: Vec<PathBuf>,
    /// Takes folders with all that lies below them.
    #[arg(long, short)]
    pub(crate) recursive: bool,
    /// Takes the images that FILE names too, one a line, in its own order.
    #[arg(long, value_name = "FILE")]
    pub(crate) filelist: Option<PathBuf>,
    /// In FILE and on stdin, paths end in a NUL byte, as `find -print0` writes
    /// them.
    #[arg(long, short = '0')]
    pub(crate) null: bool,
    #[command(flatten)]
    pub(crate) decoding: Decoding,
    /// How many images go through the model together.
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) batch_size: u16,
}

#[cfg(test)]
impl Images {
    /// The images at `paths`, one at a time and with no option.
    pub(crate) fn at(paths: Vec<PathBuf>) -> Self {
        Images {
            paths,
            recursive: false,
            filelist: None,
            null: false,
            decoding: Decoding::default(),
            batch_size: 1,
        }
    }
}

/// What is allowed of an image.
#[derive(Clone, Copy, Debug, Default, Group)]
#[group(skip)]
pub(crate) struct Decoding {
    /// Reads images that break off; what is missing is grey or black.
    #[arg(long)]
    pub(crate) allow_truncated: bool,
}

impl Decoding {
    pub(crate) fn options(self) -> DecodeOptions {
        DecodeOptions { allow_truncated: self.allow_truncated }
    }

    /// Reads and decodes one image.
    ///
    /// # Errors
    /// Those of [`Picture::open`], but for what is allowed.
    pub(crate) fn open(self, path: &Path) -> Result<Picture> {
        Picture::decode_with(&picture::read(path)?, path, self.options(), |_| ())
    }
}
