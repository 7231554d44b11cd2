//! The options of `setup`, `models` and `config`.

use std::path::PathBuf;

use build_index::terminal::DeviceChoice;
use clap::Args as Group;

use super::Lines;

/// The options of `setup`.
#[derive(Debug, Group)]
#[command(next_help_heading = "Model")]
pub(crate) struct Setup {
    /// CLIP model that becomes the default: a checkpoint folder, a hub id (owner/name), an
    /// open_clip name (ViT-L-14/openai), or starter.
    #[arg(value_name = "MODEL", required_unless_present = "caption_model", display_order = 0)]
    pub(crate) model: Option<String>,
    /// Caption model that becomes the default of prompt and caption: a folder of BLIP,
    /// BLIP-2, GIT or Florence-2, a hub id, or a name that `models --captioners` lists.
    #[arg(long, alias = "caption-model-name", value_name = "MODEL", help_heading = "Captions")]
    pub(crate) caption_model: Option<String>,
    /// Download without asking.
    #[arg(long, short)]
    pub(crate) yes: bool,
    /// Folder of dictionaries for the index. [default: dicts/ in the working folder, else
    /// the embedded ones]
    #[arg(long, value_name = "DIR")]
    pub(crate) dicts: Option<PathBuf>,
    /// Device that encodes the labels: cpu, cuda, cuda:N or metal, if the build supports
    /// it; auto is the GPU that the build supports, if it opens, else the CPU.
    #[arg(long, value_name = "DEVICE", default_value_t)]
    pub(crate) device: DeviceChoice,
}

/// The options of `models`.
#[derive(Debug, Group)]
#[command(next_help_heading = "Output")]
pub(crate) struct Models {
    /// List the short names of caption models instead.
    #[arg(long)]
    pub(crate) captioners: bool,
    /// List only models that are in the cache or have an index.
    #[arg(long)]
    pub(crate) local: bool,
    #[command(flatten)]
    pub(crate) format: Lines,
}

/// The options of `config`.
#[derive(Debug, Group)]
pub(crate) struct ShowConfig {
    #[command(flatten)]
    pub(crate) format: Lines,
}
