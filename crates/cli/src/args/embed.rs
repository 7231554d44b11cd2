//! The options of `embed images` and `embed texts`.

use std::path::PathBuf;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args as Group, ValueEnum};

use super::{Form, Images, ModelChoice, Output, RowFormat, Shards};

/// The options of `embed images`.
#[derive(Debug, Group)]
#[command(mut_arg("format", |format| format.value_parser(form())))]
pub(crate) struct EmbedImages {
    #[command(flatten)]
    pub(crate) images: Images,
    #[command(flatten)]
    pub(crate) model: ModelChoice,
    #[command(flatten)]
    pub(crate) output: Output,
    #[command(flatten)]
    pub(crate) shards: Shards,
}

/// Parses the formats of all runs over images, and npy.
fn form() -> impl TypedValueParser<Value = Form> {
    let npy = PossibleValue::new("npy")
        .help("NumPy's .npy (images, values), and the names in FILE.json; for `search`");
    let forms = Form::value_variants().iter().filter_map(ValueEnum::to_possible_value);
    PossibleValuesParser::new(forms.chain([npy])).map(|name| match name.as_str() {
        "npy" => Form::Npy,
        // The values are checked before.
        name => Form::from_str(name, false).unwrap_or(Form::Jsonl),
    })
}

/// The options of `embed texts`.
#[derive(Debug, Group)]
pub(crate) struct EmbedTexts {
    /// Texts; `-` alone reads them from stdin, one per line.
    #[arg(required = true, value_name = "TEXT", help_heading = "Input")]
    pub(crate) texts: Vec<String>,
    #[command(flatten)]
    pub(crate) model: ModelChoice,
    /// File to write; it appears once it is complete. `-` is stdout, also for npy and
    /// Parquet. [default: stdout]
    #[arg(long, short, value_name = "FILE", help_heading = "Output")]
    pub(crate) output: Option<PathBuf>,
    /// Format of the rows. [default: by the ending .npy or .parquet of FILE, else jsonl]
    #[arg(long, value_enum, value_name = "FORMAT", help_heading = "Output")]
    pub(crate) format: Option<TextsFormat>,
}

impl EmbedTexts {
    /// Returns the format of `--format`, or of the output's name.
    pub(crate) fn format(&self) -> TextsFormat {
        self.format.unwrap_or_else(|| match RowFormat::of_name(self.output.as_deref()) {
            RowFormat::Npy => TextsFormat::Npy,
            RowFormat::Parquet => TextsFormat::Parquet,
            RowFormat::Jsonl | RowFormat::Submission => TextsFormat::Jsonl,
        })
    }
}

/// The format of the embeddings of texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TextsFormat {
    /// For people: the text and its values, separated by tabs.
    Text,
    /// One JSON object per line.
    Jsonl,
    /// NumPy's .npy (texts, values); needs --output.
    Npy,
    /// Parquet (id, prompt, embedding); needs --output.
    Parquet,
}
