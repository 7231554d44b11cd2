//! The options that name images.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use clap::Args as Group;
use glob::Pattern;
use interrogate::Result;
use interrogate::picture::{self, DecodeOptions, Picture};

#[derive(Clone, Debug, Group)]
#[group(skip)] // its name would collide with `embed images`
#[command(next_help_heading = "Input", next_display_order = 1)]
pub(crate) struct Images {
    /// Image files, folders of images, globs, .tar and .tar.gz archives of images
    /// (WebDataset), or .parquet files with a column of images, read in sorted order. A quoted 'shard-{000..099}.tar' is a hundred
    /// names. `-` reads paths from stdin, `tar:-` an archive.
    #[arg(required_unless_present = "filelist", value_name = "IMAGES", display_order = 0)]
    pub(crate) paths: Vec<PathBuf>,
    /// Read folders with all their subfolders.
    #[arg(long, short)]
    pub(crate) recursive: bool,
    /// Leave out subfolders with this name, or whose names match this glob. Can be
    /// repeated.
    #[arg(long, value_name = "NAME", requires = "recursive", value_parser = folder_name)]
    pub(crate) exclude_dir: Vec<Pattern>,
    /// Also read the images listed in FILE, one path per line, in its order. A .csv or .tsv
    /// file may have a header with a column image, path, file_name, filename, file or url.
    #[arg(long, value_name = "FILE")]
    pub(crate) filelist: Option<PathBuf>,
    /// Expect a NUL byte after each path in FILE and on stdin, as `find -print0`
    /// writes it.
    #[arg(long, short = '0')]
    pub(crate) null: bool,
    /// Download images whose http or https addresses are given or listed: at most 64 MiB
    /// each, within 60 seconds a try.
    #[arg(long)]
    pub(crate) allow_urls: bool,
    #[command(flatten)]
    pub(crate) decoding: Decoding,
    /// Number of images in a batch, 1 to 1024.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 16,
        value_parser = clap::value_parser!(u16).range(1..=1024),
        help_heading = "Model"
    )]
    pub(crate) batch_size: u16,
}

#[cfg(test)]
impl Images {
    /// The images at `paths` in batches of one, without options.
    pub(crate) fn at(paths: Vec<PathBuf>) -> Self {
        Images {
            paths,
            recursive: false,
            exclude_dir: Vec::new(),
            filelist: None,
            null: false,
            allow_urls: false,
            decoding: Decoding::default(),
            batch_size: 1,
        }
    }
}

/// Parses the value of `--exclude-dir`.
fn folder_name(typed: &str) -> std::result::Result<Pattern, String> {
    let name = typed.strip_suffix('/').unwrap_or(typed);
    if name.is_empty() || name.contains('/') {
        return Err("expected the name of a folder, without the folders above it".to_owned());
    }
    Pattern::new(name).map_err(|error| error.to_string())
}

/// How images are decoded.
#[derive(Clone, Copy, Debug, Default, Group)]
#[group(skip)]
#[command(next_help_heading = "Input")]
pub(crate) struct Decoding {
    /// Decode truncated images; missing pixels are gray or black.
    #[arg(long)]
    pub(crate) allow_truncated: bool,
    /// Decode JPEG photos at 1/8, 1/4 or 1/2 of their size, the smallest at which both sides keep
    /// at least N pixels, as Pillow's draft does. Faster; features change slightly. Pass twice the
    /// model's input or more: 512 for 224 pixels.
    #[arg(long, value_name = "N")]
    pub(crate) jpeg_draft: Option<NonZeroU32>,
}

impl Decoding {
    pub(crate) fn options(self) -> DecodeOptions {
        let Decoding { allow_truncated, jpeg_draft } = self;
        DecodeOptions { allow_truncated, jpeg_draft, ..DecodeOptions::default() }
    }

    /// Reads and decodes one image.
    ///
    /// # Errors
    /// Those of [`Picture::open`], without truncation if that is allowed.
    pub(crate) fn open(self, path: &Path) -> Result<Picture> {
        Picture::decode_with(&picture::read(path)?, path, self.options(), |_| ())
    }
}
