//! What a prompt is to be, as typed.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args as Group, ValueEnum};

use super::{Images, Output, Search, Sidecars, Source};

#[derive(Debug, Group)]
pub(crate) struct Prompt {
    #[command(flatten)]
    pub(crate) images: Images,
    #[command(flatten)]
    pub(crate) source: Source,
    /// The way to the prompt.
    #[arg(long, value_enum, default_value_t = Mode::Seed)]
    pub(crate) mode: Mode,
    /// The caption that every prompt begins with.
    #[arg(long, value_name = "TEXT")]
    pub(crate) caption: Option<String>,
    /// Captions each image first, and begins its prompt with that: see the
    /// command caption for what can be named.
    #[arg(long, value_name = "MODEL", conflicts_with = "caption")]
    pub(crate) caption_model: Option<String>,
    /// All captions first, then all ranking, so that the two models are never in
    /// memory together; no prompt comes before the last caption.
    #[arg(long, requires = "caption_model")]
    pub(crate) two_pass: bool,
    #[command(flatten)]
    pub(crate) search: Search,
    /// How many flavors a prompt takes, phrases of a chain included. [default: 3;
    /// fast, best, negative: 32]
    #[arg(long, value_name = "N")]
    pub(crate) max_flavors: Option<usize>,
    /// Phrases that a chain takes whether or not they fit better.
    #[arg(long, value_name = "N", default_value_t = 8)]
    pub(crate) min_flavors: usize,
    /// Labels that score lower stay out of the prompt; JSONL lists them all the
    /// same. [default: the model's own: 0.45 for the starter, none for CLIP]
    #[arg(long, value_name = "COSINE", allow_negative_numbers = true)]
    pub(crate) min_score: Option<f32>,
    #[command(flatten)]
    pub(crate) control: Control,
    /// One prompt for all images together, by the mean of their features.
    #[arg(long, conflicts_with_all = ["output", "sidecar", "report", "caption_model", "resume"])]
    pub(crate) average: bool,
    /// Also writes one page that shows every image with its prompt and the best
    /// labels of each table: a single file to open in a browser.
    #[arg(long, value_name = "HTML", conflicts_with = "resume")]
    pub(crate) report: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) output: Output,
    #[command(flatten)]
    pub(crate) sidecars: Sidecars,
}

/// What a prompt may say and how.
#[derive(Debug, Group)]
pub(crate) struct Control {
    /// Takes labels from these tables alone, separated by commas, those too that the
    /// mode's form does not know.
    #[arg(long, value_name = "TABLES", value_delimiter = ',')]
    pub(crate) tables: Vec<String>,
    /// Leaves these tables out.
    #[arg(long, value_name = "TABLES", value_delimiter = ',')]
    pub(crate) without: Vec<String>,
    /// A list of one's own, a label a line, encoded now, as the table NAME, in the
    /// place of the index's of that name; PATH alone is named as its file. May be
    /// repeated.
    #[arg(long, value_name = "NAME=PATH")]
    pub(crate) list: Vec<OwnList>,
    /// Leaves out labels that FILE denies: a word a line, met whole and in any case,
    /// or a regular expression between slashes.
    #[arg(long, value_name = "FILE")]
    pub(crate) deny: Option<PathBuf>,
    /// Words that every prompt begins with, before the caption.
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub(crate) prefix: String,
    /// Words that every prompt ends with.
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub(crate) suffix: String,
    /// Tokens of the model that a prompt takes at most, the two special ones
    /// included. [default: 77, or what the model reads where that is less; seed and
    /// caption: no limit]
    #[arg(long, value_name = "N")]
    pub(crate) max_tokens: Option<usize>,
    /// Writes labels with weights, (label:1.12): the label's score divided by the
    /// mean of all in the prompt. They do not count as tokens.
    #[arg(long)]
    pub(crate) weights: bool,
    /// The form of a seed prompt: text with {caption}, {medium}, {movement},
    /// {flavors}, or any table's name in braces.
    #[arg(long, conflicts_with_all = ["weights", "tables"])]
    pub(crate) template: Option<String>,
    /// Errs where clip-interrogator 0.6.0 does, so that prompts compare: a ranking
    /// by quota, a token limit that forgets commas.
    #[arg(long)]
    pub(crate) compat: bool,
}

/// A way to a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    /// Caption, one medium, one movement, flavors.
    Seed,
    /// Caption, medium and artist, trending site, movement, flavors.
    Classic,
    /// Caption, and the best labels of all tables.
    Fast,
    /// The best of caption, classic, fast, and a chain that grows as long as it
    /// fits the image better: slow.
    Best,
    /// What the image is not, for a negative prompt: slow.
    Negative,
    /// The caption alone.
    Caption,
}

/// A file of labels, and the table that it is to be.
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
    fn a_list_has_a_path_and_may_have_a_name() {
        let list = |name: Option<&str>, path: &str| {
            Ok(OwnList { name: name.map(str::to_owned), path: path.into() })
        };
        assert_eq!("hats=my/hats.txt".parse(), list(Some("hats"), "my/hats.txt"));
        assert_eq!("hats.top2.txt".parse(), list(None, "hats.top2.txt"));
        assert_eq!("a=b=c.txt".parse(), list(Some("a"), "b=c.txt"));
        assert!("=x".parse::<OwnList>().is_err() && "x=".parse::<OwnList>().is_err());
    }
}
