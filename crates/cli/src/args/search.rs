//! The options of `search`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args as Group;

use super::{Decoding, Lines, ModelChoice};

/// The help of `--model`, whose default is not that of other commands.
const MODEL: &str = "CLIP model that computed the features, as for other commands. [default: \
                     the one that FILE.npy.json names]";

/// The options of `search`.
#[derive(Debug, Group)]
#[command(next_help_heading = "Input", next_display_order = 2)]
#[command(mut_arg("model", |model| model.help(MODEL)))]
pub(crate) struct SearchImages {
    /// Texts to search for, each on its own; `-` alone reads them from stdin, one per line.
    #[arg(required_unless_present = "query", value_name = "TEXT", display_order = 0)]
    pub(crate) texts: Vec<String>,
    /// Also search for a weighted sum of images and texts: '2*a.jpg - "a drawing"'. Texts
    /// are in double quotes, images are bare or image:"a b.jpg". Can be repeated.
    #[arg(long, value_name = "QUERY", allow_hyphen_values = true)]
    pub(crate) query: Vec<String>,
    /// Features of the images to search, as `embed images -o FILE.npy` writes them.
    #[arg(long = "in", value_name = "FILE.npy", display_order = 1)]
    pub(crate) features: PathBuf,
    #[command(flatten)]
    pub(crate) decoding: Decoding,
    /// Number of images per query.
    #[arg(short, value_name = "N", default_value = "10", help_heading = "Ranking")]
    pub(crate) k: NonZeroUsize,
    #[command(flatten)]
    pub(crate) model: ModelChoice,
    #[command(flatten)]
    pub(crate) format: Lines,
}
