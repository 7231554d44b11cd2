//! What `execute` and the forms of rows are asked for.

use std::path::PathBuf;

use build_index::terminal::args::precision;
use clap::{Args as Group, ValueEnum};
use interrogate::{Device, Precision};

use super::Lines;
use crate::prompt_file;

#[derive(Debug, Group)]
pub(crate) struct Execute {
    /// The task: clip_model, blip2, blip2-embedding, clip-interrogator,
    /// clip-interrogator-embedding, test_data or test_dict.
    #[arg(long, value_name = "NAME")]
    pub(crate) model: String,
    /// A folder that holds a folder named images.
    #[arg(long, value_name = "DIR")]
    pub(crate) data_path: PathBuf,
    /// The configuration file: which models, where they and the dictionaries are.
    /// Its relative paths start at its own folder.
    #[arg(long, value_name = "CONFIG.json")]
    pub(crate) extend_path: PathBuf,
    /// Where relative paths of models start instead.
    #[arg(long, value_name = "DIR")]
    pub(crate) model_path: Option<PathBuf>,
    /// A second configuration file, whose keys go before the first's.
    #[arg(long, value_name = "CONFIG.json")]
    pub(crate) model_extend_path: Option<PathBuf>,
    /// The index of CLIP over the dictionaries; built where there is none.
    /// [default: the model's in indexes/ beside the configuration file]
    #[arg(long, value_name = "DIR")]
    pub(crate) index: Option<PathBuf>,
    /// How many images go through the models together.
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) batch_size: u16,
    /// How many flavors a prompt takes.
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub(crate) max_flavors: usize,
    /// Captions kept side by side while one is searched for.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) num_beams: usize,
    /// How the captioner's weights are kept.
    #[arg(
        long,
        value_parser = precision(&Precision::ALL),
        default_value_t = Precision::F16
    )]
    pub(crate) caption_precision: Precision,
    /// Where models and rankings compute: cpu, cuda, cuda:N or metal, as far as the
    /// build has them.
    #[arg(long, value_name = "DEVICE", default_value_t)]
    pub(crate) device: Device,
    /// The form of a prompt: {caption}, a table's name for all labels picked of
    /// it ({flavors}), or without its s for the best one ({medium}). The code
    /// that this pipeline is from left the movement out where it embeds:
    /// "{caption}, {medium}, {flavors}".
    #[arg(long, value_name = "TEMPLATE", default_value = interrogate::prompt::README_FORM)]
    pub(crate) template: String,
    #[command(flatten)]
    pub(crate) format: Lines,
}

/// Prompts in, sentence embeddings out.
#[derive(Debug, Group)]
pub(crate) struct EmbedPrompts {
    /// A file of prompts: JSON lines or CSV as prompt writes them, or plain lines;
    /// `-` for standard input; or the texts themselves.
    #[arg(required = true, value_name = "FILE|-|TEXTS")]
    pub(crate) prompts: Vec<String>,
    /// How the file holds them. auto looks at the first line that is not blank: a JSON
    /// object begins JSON lines; names of columns, image and prompt among them, begin
    /// CSV; all else, {red, blue} too, is plain lines, of which blank ones are left out.
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
    pub(crate) input_format: InputFormat,
    /// The sentence encoder: starter (all-MiniLM-L6-v2 in f16, compiled in), a
    /// folder of it in f32, a hub id, or all-MiniLM-L6-v2.
    #[arg(long, value_name = "MODEL", default_value = "starter")]
    pub(crate) embedding_model: String,
    /// Where it computes: cpu, cuda, cuda:N or metal, as far as the build has them.
    #[arg(long, value_name = "DEVICE", default_value_t)]
    pub(crate) device: Device,
    /// JSON lines, NumPy's .npy (rows, values), Parquet (id, prompt, embedding), or
    /// Kaggle's submission.csv (imgId_eId,val).
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = RowFormat::Jsonl)]
    pub(crate) format: RowFormat,
    /// The same as --format submission.
    #[arg(long, conflicts_with = "format")]
    pub(crate) submission: bool,
    /// Where to: a file that is written beside its place, and takes it when it is
    /// whole. [default: standard output, for text]
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

impl EmbedPrompts {
    pub(crate) fn format(&self) -> RowFormat {
        if self.submission { RowFormat::Submission } else { self.format }
    }
}

/// Rows of several runs into one.
#[derive(Debug, Group)]
pub(crate) struct EmbedAverage {
    /// Files of rows, .npy, all of one shape.
    #[arg(required = true, num_args = 1.., value_name = "FILE.npy")]
    pub(crate) files: Vec<PathBuf>,
    /// A weight for each file. [default: the same for all]
    #[arg(long, value_name = "W,...", value_delimiter = ',', allow_negative_numbers = true)]
    pub(crate) weights: Vec<f64>,
    /// Where to.
    #[arg(long, short, value_name = "FILE.npy")]
    pub(crate) output: PathBuf,
}

/// How a file holds prompts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum InputFormat {
    #[default]
    Auto,
    Lines,
    Jsonl,
    Csv,
}

impl InputFormat {
    /// The format, `None` where the file is to tell.
    pub(crate) fn format(self) -> Option<prompt_file::Format> {
        match self {
            InputFormat::Auto => None,
            InputFormat::Lines => Some(prompt_file::Format::Lines),
            InputFormat::Jsonl => Some(prompt_file::Format::Jsonl),
            InputFormat::Csv => Some(prompt_file::Format::Csv(b',')),
        }
    }
}

/// In which form rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RowFormat {
    Jsonl,
    Npy,
    Parquet,
    Submission,
}

impl RowFormat {
    pub(crate) fn name(self) -> &'static str {
        match self {
            RowFormat::Jsonl => "jsonl",
            RowFormat::Npy => "npy",
            RowFormat::Parquet => "parquet",
            RowFormat::Submission => "submission",
        }
    }
}
