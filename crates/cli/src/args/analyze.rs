//! The options of `analyze`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args as Group;

use super::{Images, Output, OwnList, Source};

/// The options of `analyze`.
#[derive(Debug, Group)]
pub(crate) struct Analyze {
    #[command(flatten)]
    pub(crate) images: Images,
    #[command(flatten)]
    pub(crate) source: Source,
    /// Number of labels per table and image.
    #[arg(short, value_name = "N", default_value = "5", help_heading = "Ranking")]
    pub(crate) k: NonZeroUsize,
    /// Show these tables only, separated by commas. [default: all]
    #[arg(long, short, value_name = "TABLES", value_delimiter = ',', help_heading = "Ranking")]
    pub(crate) table: Vec<String>,
    /// Add a file of labels, one per line, as the table NAME; it replaces the index's
    /// table of that name. PATH alone takes the name of the file. Can be repeated.
    #[arg(long, value_name = "NAME=PATH", help_heading = "Ranking")]
    pub(crate) list: Vec<OwnList>,
    /// Also write a page that shows every image with its labels: a single file to open in
    /// a browser.
    #[arg(long, value_name = "HTML", conflicts_with = "resume", help_heading = "Output")]
    pub(crate) report: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) output: Output,
}
