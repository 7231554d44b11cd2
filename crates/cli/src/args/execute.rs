//! The options of `execute`, `embed prompts` and `embed average`.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use build_index::terminal::DeviceChoice;
use build_index::terminal::args::precision;
use clap::{Args as Group, ValueEnum};
use interrogate::Precision;

use super::Lines;
use crate::prompt_file;

#[derive(Debug, Group)]
#[command(next_help_heading = "Input")]
pub(crate) struct Execute {
    /// Task: clip_model, blip2, blip2-embedding, clip-interrogator,
    /// clip-interrogator-embedding, test_data or test_dict.
    #[arg(long, value_name = "NAME")]
    pub(crate) model: String,
    /// Folder that contains a folder named images. Not used by test_dict.
    #[arg(long, value_name = "DIR")]
    pub(crate) data_path: Option<PathBuf>,
    /// Configuration file: the paths of the models and the dictionaries. Relative paths
    /// start at the folder of the file. Required by clip-interrogator and
    /// clip-interrogator-embedding.
    #[arg(long, value_name = "CONFIG.json")]
    pub(crate) extend_path: Option<PathBuf>,
    /// Model of clip_model (CLIP), or of blip2 and blip2-embedding (BLIP-2): a path, a hub
    /// id or a name. With --extend-path: folder where relative paths of models start, or
    /// CLIP's file.
    #[arg(long, value_name = "MODEL|DIR", help_heading = "Model")]
    pub(crate) model_path: Option<String>,
    /// Sentence encoder of blip2-embedding: a folder of sentence-transformers, a hub id, or
    /// starter. With --extend-path: also a second configuration file, whose keys override
    /// those of the first.
    #[arg(long, value_name = "MODEL|CONFIG.json", help_heading = "Model")]
    pub(crate) model_extend_path: Option<String>,
    /// Folder of dictionaries. [default: that of the configuration file, or dicts]
    #[arg(long, value_name = "DIR", help_heading = "Model")]
    pub(crate) dicts: Option<PathBuf>,
    /// Index folder of the CLIP model and the dictionaries; built if missing.
    /// [default: the model's in indexes/ beside the configuration file]
    #[arg(long, value_name = "DIR", help_heading = "Model")]
    pub(crate) index: Option<PathBuf>,
    /// Number of images in a batch, 1 to 1024.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 16,
        value_parser = clap::value_parser!(u16).range(1..=1024),
        help_heading = "Model"
    )]
    pub(crate) batch_size: u16,
    /// Number of flavors in a prompt.
    #[arg(long, value_name = "N", default_value_t = 3, help_heading = "Prompt")]
    pub(crate) max_flavors: usize,
    /// Number of beams.
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "Captions")]
    pub(crate) num_beams: usize,
    /// Precision of the captioner's weights.
    #[arg(
        long,
        value_parser = precision(&Precision::ALL),
        value_name = "PRECISION",
        default_value_t = Precision::F16,
        help_heading = "Captions"
    )]
    pub(crate) caption_precision: Precision,
    /// Device for models and rankings: cpu, cuda, cuda:N or metal, if the build supports
    /// it; auto is the GPU that the build supports, if it opens, else the CPU.
    #[arg(long, value_name = "DEVICE", default_value_t, help_heading = "Model")]
    pub(crate) device: DeviceChoice,
    /// Form of a prompt: {caption}, a table's name for its picked labels ({flavors}),
    /// or the name without the s for the best one ({medium}). The original code
    /// embeds a form without the movement: "{caption}, {medium}, {flavors}".
    #[arg(
        long,
        value_name = "TEMPLATE",
        default_value = interrogate::prompt::README_FORM,
        help_heading = "Prompt"
    )]
    pub(crate) template: String,
    #[command(flatten)]
    pub(crate) format: Lines,
}

/// The options of `embed prompts`.
#[derive(Debug, Group)]
#[command(next_help_heading = "Input", next_display_order = 1)]
pub(crate) struct EmbedPrompts {
    /// File of prompts: JSON lines, CSV or TSV as `interrogate prompt` writes them, or plain
    /// lines; `-` for stdin; or the prompts themselves.
    #[arg(required = true, value_name = "FILE|-|TEXTS", display_order = 0)]
    pub(crate) prompts: Vec<String>,
    /// Format of the file. auto decides by the first line that is not blank: a JSON
    /// object means JSON lines; column names with image and prompt mean CSV; anything
    /// else, also {red, blue}, means plain lines, of which blank ones are skipped.
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
    pub(crate) input_format: InputFormat,
    /// Sentence encoder: starter (all-MiniLM-L6-v2 in f16, compiled in), a folder of
    /// all-MiniLM-L6-v2 in f32, a hub id, or all-MiniLM-L6-v2.
    #[arg(long, value_name = "MODEL", default_value = "starter", help_heading = "Model")]
    pub(crate) embedding_model: String,
    /// Device for the encoder: cpu, cuda, cuda:N or metal, if the build supports it; auto
    /// is the GPU that the build supports, if it opens, else the CPU.
    #[arg(long, value_name = "DEVICE", default_value_t, help_heading = "Model")]
    pub(crate) device: DeviceChoice,
    /// Format of the rows: JSON lines, NumPy's .npy (rows, values), Parquet (id, prompt,
    /// embedding), or Kaggle's submission.csv (imgId_eId,val). [default: by the ending .npy
    /// or .parquet of FILE, else jsonl]
    #[arg(long, value_enum, value_name = "FORMAT", help_heading = "Output")]
    pub(crate) format: Option<RowFormat>,
    /// Same as --format submission.
    #[arg(long, conflicts_with = "format", help_heading = "Output")]
    pub(crate) submission: bool,
    /// File to write; it appears once it is complete. `-` is stdout, also for npy and
    /// Parquet. [default: stdout for jsonl and submission]
    #[arg(long, short, value_name = "FILE", help_heading = "Output")]
    pub(crate) output: Option<PathBuf>,
}

impl EmbedPrompts {
    /// Returns the format of `--format`, of `--submission`, or of the output's name.
    pub(crate) fn format(&self) -> RowFormat {
        match self.format {
            _ if self.submission => RowFormat::Submission,
            Some(format) => format,
            None => RowFormat::of_name(self.output.as_deref()),
        }
    }
}

/// The options of `embed average`.
#[derive(Debug, Group)]
#[command(next_help_heading = "Input", next_display_order = 1)]
pub(crate) struct EmbedAverage {
    /// Files of rows, .npy of one shape.
    #[arg(required = true, num_args = 1.., value_name = "FILE.npy", display_order = 0)]
    pub(crate) files: Vec<PathBuf>,
    /// Weight of each file, separated by commas. [default: 1 for each]
    #[arg(long, value_name = "W,...", value_delimiter = ',', allow_negative_numbers = true)]
    pub(crate) weights: Vec<f64>,
    /// File to write.
    #[arg(long, short, value_name = "FILE.npy", help_heading = "Output")]
    pub(crate) output: PathBuf,
}

/// The format of a file of prompts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum InputFormat {
    #[default]
    Auto,
    Lines,
    Jsonl,
    Csv,
    Tsv,
}

impl InputFormat {
    /// Returns the format; `None` if the file decides.
    pub(crate) fn format(self) -> Option<prompt_file::Format> {
        match self {
            InputFormat::Auto => None,
            InputFormat::Lines => Some(prompt_file::Format::Lines),
            InputFormat::Jsonl => Some(prompt_file::Format::Jsonl),
            InputFormat::Csv => Some(prompt_file::Format::Csv(b',')),
            InputFormat::Tsv => Some(prompt_file::Format::Csv(b'\t')),
        }
    }
}

/// The format of embedding rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RowFormat {
    Jsonl,
    Npy,
    Parquet,
    Submission,
}

impl RowFormat {
    /// Returns the format that the ending of `output` names: npy, parquet, or else jsonl.
    pub(crate) fn of_name(output: Option<&Path>) -> Self {
        let ending = output.and_then(Path::extension).and_then(OsStr::to_str);
        match ending.map(str::to_ascii_lowercase).as_deref() {
            Some("npy") => RowFormat::Npy,
            Some("parquet") => RowFormat::Parquet,
            _ => RowFormat::Jsonl,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            RowFormat::Jsonl => "jsonl",
            RowFormat::Npy => "npy",
            RowFormat::Parquet => "parquet",
            RowFormat::Submission => "submission",
        }
    }
}
