//! The options of `prompt`.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args as Group, ValueEnum};
use interrogate::prompt;

use super::memory::Memory;
use super::wording::Wording;
use super::{Images, Output, Search, Shards, Sidecars, Source};

#[derive(Debug, Group)]
#[command(mut_arg("shards", |shards| shards
    .conflicts_with_all(["average", "report", "sidecar", "two_pass", "low_memory"])))]
pub(crate) struct Prompt {
    #[command(flatten)]
    pub(crate) images: Images,
    #[command(flatten)]
    pub(crate) source: Source,
    /// How the prompt is built.
    #[arg(long, value_enum, default_value_t = Mode::Seed, help_heading = "Prompt")]
    pub(crate) mode: Mode,
    /// Caption that every prompt begins with. [default: none]
    #[arg(long, value_name = "TEXT", help_heading = "Captions")]
    pub(crate) caption: Option<String>,
    /// Caption each image with MODEL, and begin its prompt with the caption:
    /// `interrogate caption --help` lists the models. [default: that of setup, or none]
    #[arg(
        long,
        alias = "caption-model-name",
        value_name = "MODEL",
        conflicts_with = "caption",
        help_heading = "Captions"
    )]
    pub(crate) caption_model: Option<String>,
    /// Write prompts without a caption, also if setup has made a caption model the default.
    #[arg(long, conflicts_with_all = ["caption", "caption_model"], help_heading = "Captions")]
    pub(crate) no_caption: bool,
    /// Caption all images before ranking, so that the two models are never in memory
    /// together; no prompt is written before the last caption.
    #[arg(long, help_heading = "Captions")]
    pub(crate) two_pass: bool,
    #[command(flatten)]
    pub(crate) search: Search,
    /// Maximum number of flavors in a prompt, phrases of a chain included.
    /// [default: 3; fast, best, negative: 32]
    #[arg(long, value_name = "N", help_heading = "Prompt")]
    pub(crate) max_flavors: Option<usize>,
    /// Number of phrases that a chain adds even if they do not raise its score.
    #[arg(long, value_name = "N", default_value_t = 8, help_heading = "Prompt")]
    pub(crate) min_flavors: usize,
    /// Lowest cosine of a label in the prompt; JSONL also lists labels below it.
    /// [default: the model's: 0.45 for the starter, none for CLIP]
    #[arg(long, value_name = "COSINE", allow_negative_numbers = true, help_heading = "Prompt")]
    pub(crate) min_score: Option<f32>,
    #[command(flatten)]
    pub(crate) control: Control,
    #[command(flatten)]
    pub(crate) memory: Memory,
    #[command(flatten)]
    pub(crate) wording: Wording,
    /// Write one prompt for all images together, for the mean of their features.
    #[arg(
        long,
        conflicts_with_all = ["output", "sidecar", "report", "caption_model", "resume"],
        help_heading = "Prompt"
    )]
    pub(crate) average: bool,
    /// Also write a page that shows every image with its prompt and the best labels
    /// of each table: a single file to open in a browser.
    #[arg(long, value_name = "HTML", conflicts_with = "resume", help_heading = "Output")]
    pub(crate) report: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) output: Output,
    #[command(flatten)]
    pub(crate) shards: Shards,
    #[command(flatten)]
    pub(crate) sidecars: Sidecars,
}

/// The labels and the form of a prompt.
#[derive(Debug, Group)]
#[command(next_help_heading = "Prompt")]
pub(crate) struct Control {
    /// Use the labels of these tables only, separated by commas, also of tables that
    /// the mode does not use by default. [default: the tables of the mode]
    #[arg(long, value_name = "TABLES", value_delimiter = ',')]
    pub(crate) tables: Vec<String>,
    /// Leave out these tables, separated by commas.
    #[arg(long, value_name = "TABLES", value_delimiter = ',')]
    pub(crate) without: Vec<String>,
    /// Add a file of labels, one per line, as the table NAME; it replaces the index's
    /// table of that name. PATH alone takes the name of the file. Can be repeated.
    #[arg(long, value_name = "NAME=PATH")]
    pub(crate) list: Vec<OwnList>,
    /// Keep a label each time that a file of --list has it. [default: the first time only]
    #[arg(long, requires = "list")]
    pub(crate) keep_duplicates: bool,
    /// Leave out labels that match a line of FILE: a whole word in any case, or a
    /// regular expression between slashes.
    #[arg(long, value_name = "FILE")]
    pub(crate) deny: Option<PathBuf>,
    /// Text that every prompt begins with, before the caption. [default: none]
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub(crate) prefix: String,
    /// Text that every prompt ends with. [default: none]
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub(crate) suffix: String,
    /// Maximum number of tokens in a prompt, including the two special ones.
    /// [default: 77, or the model's context length if that is less; seed and caption:
    /// no limit]
    #[arg(long, value_name = "N")]
    pub(crate) max_tokens: Option<usize>,
    /// Write labels with weights, (label:1.12): the label's score divided by the mean
    /// score of the prompt's labels. Weights do not count as tokens.
    #[arg(long)]
    pub(crate) weights: bool,
    /// Text between the parts of a prompt, and between the pieces of a caption. Scores and
    /// tokens are those of commas. [default: a comma and a space]
    #[arg(long, value_name = "TEXT", conflicts_with = "template", allow_hyphen_values = true)]
    pub(crate) separator: Option<String>,
    /// Form of a seed prompt: text with {caption}, {medium}, {movement}, {flavors} or
    /// another table's name in braces. [default: the form of the mode]
    #[arg(long, conflicts_with_all = ["weights", "tables"])]
    pub(crate) template: Option<String>,
    /// Reproduce two errors of clip-interrogator 0.6.0, so that prompts compare:
    /// ranking by quota, and a token limit that does not count commas.
    #[arg(long)]
    pub(crate) compat: bool,
}

/// How a prompt is built.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
#[cfg_attr(
    feature = "serve",
    derive(serde::Deserialize, serde::Serialize, utoipa::ToSchema),
    serde(rename_all = "lowercase")
)]
pub(crate) enum Mode {
    /// Caption, one medium, one movement, flavors.
    #[default]
    Seed,
    /// Caption, medium and artist, trending site, movement, flavors.
    Classic,
    /// Caption and the best labels of all tables.
    Fast,
    /// The best of caption, classic, fast and a chain that grows while its score
    /// rises; slow.
    Best,
    /// Labels that do not fit the image, for a negative prompt; slow.
    Negative,
    /// Caption only.
    Caption,
}

impl Mode {
    /// Returns the mode of the library.
    pub(crate) fn library(self) -> prompt::Mode {
        match self {
            Mode::Seed => prompt::Mode::Seed,
            Mode::Classic => prompt::Mode::Classic,
            Mode::Fast => prompt::Mode::Fast,
            Mode::Best => prompt::Mode::Best,
            Mode::Negative => prompt::Mode::Negative,
            Mode::Caption => prompt::Mode::Caption,
        }
    }
}

/// A file of labels, and the name of its table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OwnList {
    pub(crate) name: Option<String>,
    pub(crate) path: PathBuf,
}

impl FromStr for OwnList {
    type Err = String;

    fn from_str(typed: &str) -> Result<Self, String> {
        let (name, path) = match typed.split_once('=') {
            Some((name, path)) => (Some(name.to_owned()), path),
            None => (None, typed),
        };
        if path.is_empty() || name.as_deref() == Some("") {
            return Err("expected NAME=PATH or PATH".to_owned());
        }
        Ok(OwnList { name, path: path.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_list_has_a_path_and_an_optional_name() {
        let list = |name: Option<&str>, path: &str| {
            Ok(OwnList { name: name.map(str::to_owned), path: path.into() })
        };
        assert_eq!("hats=my/hats.txt".parse(), list(Some("hats"), "my/hats.txt"));
        assert_eq!("hats.top2.txt".parse(), list(None, "hats.top2.txt"));
        assert_eq!("a=b=c.txt".parse(), list(Some("a"), "b=c.txt"));
        assert!("=x".parse::<OwnList>().is_err() && "x=".parse::<OwnList>().is_err());
    }
}
