//! The arguments as typed.

mod execute;
mod images;
mod output;
mod prompt;

use std::num::NonZeroUsize;
use std::path::PathBuf;

use build_index::precision;
use clap::{Args as Group, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use interrogate::clip::TextCleaning;
use interrogate::{Device, Precision};

pub(crate) use execute::{EmbedAverage, EmbedPrompts, Execute, RowFormat};
pub(crate) use images::{Decoding, Images};
pub(crate) use output::{Form, Format, Lines, Output, Sidecars};
pub(crate) use prompt::{Mode, OwnList, Prompt};

/// What does this image look like, in words?
///
/// Ranks images against an index of labels and writes prompts. The index is
/// built once per model, by the build-index program or at the first run.
#[derive(Debug, Parser)]
#[command(name = "interrogate", version, max_term_width = 96)]
pub(crate) struct Args {
    /// Say nothing on stderr but errors.
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    /// Read files into memory instead of mapping them: slower, for disks where another
    /// program may truncate a file that is in use.
    #[arg(long, global = true)]
    pub(crate) no_mmap: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// One prompt an image: caption, medium, movement, flavors.
    Prompt(Box<Prompt>),
    /// The best labels of one table for each image, or for a sum of images and texts.
    Rank(Rank),
    /// How near texts are to an image: the cosine of each.
    Similarity(Similarity),
    /// A sentence an image, by BLIP or BLIP-2.
    Caption(Caption),
    /// Values: features of images, embeddings of texts, sentence embeddings of
    /// prompts.
    #[command(subcommand)]
    Embed(Embed),
    /// A folder of images through one task of the pipeline, as a configuration
    /// file says.
    Execute(Execute),
    /// Read every byte of an index and say whether it is whole.
    Verify(IndexChoice),
    /// What an index holds: model, tables, shards. Reads the headers alone.
    Info(IndexChoice),
    /// What there is to work with and what is missing: models, indexes,
    /// dictionaries, processor, memory.
    Doctor(Doctor),
    /// A script for a shell to complete this program by, on stdout.
    Completions {
        #[arg(value_enum)]
        shell: Shell,
    },
    /// The manual page, on stdout.
    Man(Man),
}

#[derive(Debug, Group)]
#[command(mut_arg("paths", |paths| paths.required_unless_present_any(["filelist", "query"])))]
pub(crate) struct Rank {
    #[command(flatten)]
    pub(crate) images: Images,
    /// One ranking for a sum of images and texts: '2*a.jpg - "a drawing"'. Texts stand
    /// in double quotes, images bare or as image:"a b.jpg".
    #[arg(long, value_name = "QUERY", conflicts_with = "paths", allow_hyphen_values = true)]
    pub(crate) query: Option<String>,
    #[command(flatten)]
    pub(crate) source: Source,
    /// The table to rank; several, separated by commas, are ranked as one.
    #[arg(long, short, value_name = "TABLE", value_delimiter = ',', default_value = "flavors")]
    pub(crate) table: Vec<String>,
    /// How many labels an image gets.
    #[arg(short, value_name = "N", default_value = "10")]
    pub(crate) k: NonZeroUsize,
    /// The worst labels instead, worst first.
    #[arg(long)]
    pub(crate) reverse: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

#[derive(Debug, Group)]
pub(crate) struct Similarity {
    /// The image.
    #[arg(value_name = "IMAGE")]
    pub(crate) image: PathBuf,
    /// The texts; `-` alone reads them from stdin, one a line.
    #[arg(required = true, value_name = "TEXT")]
    pub(crate) texts: Vec<String>,
    #[command(flatten)]
    pub(crate) decoding: Decoding,
    /// In the order of the texts, not the nearest first.
    #[arg(long)]
    pub(crate) in_order: bool,
    #[command(flatten)]
    pub(crate) model: ModelChoice,
    #[command(flatten)]
    pub(crate) format: Lines,
}

#[derive(Debug, Group)]
pub(crate) struct Caption {
    #[command(flatten)]
    pub(crate) images: Images,
    /// A folder of BLIP or BLIP-2 in Hugging Face layout, a hub id (owner/name),
    /// or blip-base, blip-large, blip2-2.7b, blip2-flan-t5-xl.
    #[arg(long, value_name = "MODEL")]
    pub(crate) caption_model: String,
    /// Where the captioner computes: cpu, cuda, cuda:N or metal, as far as the build
    /// has them.
    #[arg(long, value_name = "DEVICE", default_value_t)]
    pub(crate) device: Device,
    #[command(flatten)]
    pub(crate) search: Search,
    #[command(flatten)]
    pub(crate) output: Output,
    #[command(flatten)]
    pub(crate) sidecars: Sidecars,
}

/// How a caption is searched for. Lengths count generated tokens, the one that
/// ends a caption included.
#[derive(Debug, Group)]
pub(crate) struct Search {
    /// Captions kept side by side while one is searched for; 1 is the fastest.
    #[arg(long, value_name = "N", default_value_t = 1, requires = "caption_model")]
    pub(crate) num_beams: usize,
    /// Most tokens that a caption takes.
    #[arg(long, value_name = "N", default_value_t = 20, requires = "caption_model")]
    pub(crate) max_length: usize,
    /// Fewest tokens that a caption takes.
    #[arg(long, value_name = "N", default_value_t = 5, requires = "caption_model")]
    pub(crate) min_length: usize,
    /// How the captioner's weights are kept: f16 and bf16 take half of f32's
    /// memory, q8 (eight bits and a scale for each 64) a quarter and rounds.
    #[arg(
        long,
        value_parser = precision::parser(&Precision::ALL),
        default_value_t,
        requires = "caption_model"
    )]
    pub(crate) caption_precision: Precision,
    /// Words that every caption goes on from, such as "a photo of"; they are no
    /// part of it.
    #[arg(long, value_name = "TEXT", requires = "caption_model")]
    pub(crate) caption_prefix: Option<String>,
    /// With beams: above 0 favours long captions, below 0 short ones.
    #[arg(
        long,
        value_name = "POWER",
        default_value_t = 1.0,
        allow_negative_numbers = true,
        requires = "caption_model"
    )]
    pub(crate) length_penalty: f32,
    /// With beams: when to stop.
    #[arg(long, value_enum, default_value_t = EarlyStopping::Likely, requires = "caption_model")]
    pub(crate) early_stopping: EarlyStopping,
    /// Above 1, tokens that were there already become less likely.
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, requires = "caption_model")]
    pub(crate) repetition_penalty: f32,
    /// No run of so many tokens comes twice; 0 allows all.
    #[arg(long, value_name = "N", default_value_t = 0, requires = "caption_model")]
    pub(crate) no_repeat_ngram_size: usize,
    /// Draws tokens by chance: below 1 nearer to the likeliest, above 1 freer.
    #[arg(long, value_name = "T", requires = "caption_model")]
    pub(crate) temperature: Option<f32>,
    /// Draws tokens by chance, from the likeliest that have this probability
    /// together.
    #[arg(long, value_name = "P", requires = "caption_model")]
    pub(crate) top_p: Option<f32>,
    /// Draws tokens by chance; the same number draws the same captions again.
    /// [default: 0]
    #[arg(long, value_name = "N", requires = "caption_model")]
    pub(crate) seed: Option<u64>,
}

/// When a beam search has seen enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum EarlyStopping {
    /// When what goes on would fall behind, were it to end now.
    Likely,
    /// When as many captions as beams have ended.
    Full,
    /// When nothing that goes on can come in any more.
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Embed {
    /// The features of images, of unit length.
    Images {
        #[command(flatten)]
        images: Images,
        #[command(flatten)]
        model: ModelChoice,
        #[command(flatten)]
        output: Output,
    },
    /// The embeddings of texts, of unit length.
    Texts {
        /// The texts; `-` alone reads them from stdin, one a line.
        #[arg(required = true, value_name = "TEXT")]
        texts: Vec<String>,
        #[command(flatten)]
        model: ModelChoice,
        #[command(flatten)]
        format: Lines,
    },
    /// The sentence embeddings of prompts (all-MiniLM-L6-v2), of unit length.
    Prompts(EmbedPrompts),
    /// The weighted sum of the unit rows of .npy files, of unit length.
    Average(EmbedAverage),
}

#[derive(Debug, Group)]
pub(crate) struct IndexChoice {
    /// The index. [default: the only one under indexes/]
    #[arg(long, value_name = "DIR")]
    pub(crate) index: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) format: Lines,
}

#[derive(Debug, Group)]
pub(crate) struct Doctor {
    /// Where the dictionaries are.
    #[arg(long, value_name = "DIR", default_value = "dicts")]
    pub(crate) dicts: PathBuf,
    #[command(flatten)]
    pub(crate) format: Lines,
}

#[derive(Debug, Group)]
pub(crate) struct Man {
    /// Writes a page for each command into DIR instead.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}

/// Which index and which model.
#[derive(Debug, Group)]
pub(crate) struct Source {
    /// The index. [default: the model's under indexes/, or the only one there]
    #[arg(long, value_name = "DIR")]
    pub(crate) index: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) model: ModelChoice,
    /// Where the dictionaries are, for an index that must be built first.
    #[arg(long, value_name = "DIR", default_value = "dicts")]
    pub(crate) dicts: PathBuf,
}

#[derive(Debug, Group)]
pub(crate) struct ModelChoice {
    /// starter, a checkpoint folder, OpenAI's archive (ViT-B-32.pt), a hub id
    /// (owner/name), or an open_clip name (ViT-L-14/openai). [default: the index's, or starter]
    #[arg(long, value_name = "MODEL")]
    pub(crate) model: Option<String>,
    /// How texts are cleaned before the tokenizer: auto (as the code that the model's
    /// files are laid out for), openai (ftfy's repairs, HTML's character references), or
    /// transformers (NFC and lower case). An index needs the one it was built with.
    #[arg(long, value_name = "CLEANING", default_value_t)]
    pub(crate) text_cleaning: TextCleaning,
    /// What the model computes in. bf16 is faster where the processor has it, and
    /// scores differ in the last digits.
    #[arg(
        long,
        value_parser = precision::parser(&[Precision::F32, Precision::Bf16]),
        value_name = "PRECISION",
        default_value_t
    )]
    pub(crate) precision: Precision,
    /// Where models and rankings compute: cpu, cuda, cuda:N or metal, as far as the
    /// build has them.
    #[arg(long, value_name = "DEVICE", default_value_t)]
    pub(crate) device: Device,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_arguments_are_consistent() {
        super::Args::command().debug_assert();
    }
}
