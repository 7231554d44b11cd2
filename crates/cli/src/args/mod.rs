//! The command line.

mod analyze;
mod defaults;
mod embed;
mod execute;
mod extension;
mod help;
mod images;
mod memory;
mod output;
mod prompt;
mod search;
#[cfg(feature = "serve")]
mod serve;
mod setup;
mod shards;
mod tag;
mod wording;

use std::num::NonZeroUsize;
use std::path::PathBuf;

use build_index::terminal::DeviceChoice;
use build_index::terminal::args::precision;
use clap::builder::ArgPredicate;
use clap::{ArgAction, Args as Group, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use interrogate::Precision;
use interrogate::clip::TextCleaning;

pub(crate) use analyze::Analyze;
pub(crate) use defaults::with_defaults;
pub(crate) use embed::{EmbedImages, EmbedTexts, TextsFormat};
pub(crate) use execute::{EmbedAverage, EmbedPrompts, Execute, RowFormat};
pub(crate) use extension::Extension;
pub(crate) use help::parse;
pub(crate) use images::{Decoding, Images};
pub(crate) use output::{Form, Format, Lines, Output, Sidecars, file};
pub(crate) use prompt::{Mode, OwnList, Prompt};
pub(crate) use search::SearchImages;
#[cfg(feature = "serve")]
pub(crate) use serve::{Access, LogFormat, Serve};
pub(crate) use setup::{Models, Setup, ShowConfig};
pub(crate) use shards::{Part, Shards};
pub(crate) use tag::{Place, Tag, TagChoice};
pub(crate) use wording::Wording;

/// Describe images in words: rank labels, write prompts and captions.
///
/// Labels come from an index, which is built once for each model, by the build-index
/// program or at the first run.
#[derive(Debug, Parser)]
#[command(name = "interrogate", version, max_term_width = 96, disable_help_flag = true)]
pub(crate) struct Args {
    /// Print errors only.
    #[arg(long, short, global = true, help_heading = "General")]
    pub(crate) quiet: bool,
    /// Read files into memory instead of mapping them: slower, but safe if another
    /// program may truncate a file in use.
    #[arg(long, global = true, help_heading = "General")]
    pub(crate) no_mmap: bool,
    /// Print help; -h prints a summary.
    #[arg(long, short, global = true, action = ArgAction::Help, help_heading = "General")]
    help: Option<bool>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write a prompt for each image: caption, medium, movement, flavors.
    Prompt(Box<Prompt>),
    /// Rank the labels of a table for each image, or for a sum of images and texts.
    Rank(Box<Rank>),
    /// Show the best labels of every table for each image.
    Analyze(Box<Analyze>),
    /// Compare texts with an image by their cosines.
    Similarity(Similarity),
    /// Search images for texts, in features that `embed images` wrote.
    Search(Box<SearchImages>),
    /// Caption each image with BLIP, BLIP-2, GIT or Florence-2.
    Caption(Caption),
    /// Tag each image with a tagger of SmilingWolf's: general tags, characters, rating.
    Tag(Box<Tag>),
    /// Compute features of images and embeddings of texts and prompts.
    #[command(subcommand)]
    Embed(Embed),
    /// Serve prompts, rankings and captions over HTTP, with a page for the browser.
    #[cfg(feature = "serve")]
    Serve(Box<Serve>),
    /// Run one task of the original image-to-prompts pipeline over a folder.
    Execute(Execute),
    /// Check every byte of an index.
    Verify(IndexChoice),
    /// Show the model, tables and shards of an index, from its headers.
    Info(IndexChoice),
    /// Check models, indexes, devices and dictionaries.
    Doctor(Doctor),
    /// Download a model, build its index, and make it the default.
    Setup(Setup),
    /// List the known models, and which are in the cache or have an index.
    Models(Models),
    /// Print the defaults that setup has written, and the path of their file.
    Config(ShowConfig),
    /// Print the completion script of a shell.
    Completions {
        /// Shell.
        #[arg(value_enum, help_heading = "Input")]
        shell: Shell,
    },
    /// Print the manual page, or write one for each command.
    Man(Man),
}

/// The help of `rank --index`.
const RANK_INDEX: &str = "Index folder; several folders of one model (--index A --index B) are \
    ranked as one. [default: the model's in indexes/ of the working folder, else in the user's \
    data folder]";

#[derive(Debug, Group)]
#[command(mut_arg("paths", |paths| paths.required_unless_present_any(["filelist", "query"])))]
#[command(mut_arg("index", |index| index.action(ArgAction::Append).help(RANK_INDEX)))]
pub(crate) struct Rank {
    #[command(flatten)]
    pub(crate) images: Images,
    /// Rank once, for a weighted sum of images and texts: '2*a.jpg - "a drawing"'. Texts
    /// are in double quotes, images are bare or image:"a b.jpg".
    #[arg(
        long,
        value_name = "QUERY",
        conflicts_with = "paths",
        allow_hyphen_values = true,
        help_heading = "Input"
    )]
    pub(crate) query: Option<String>,
    #[command(flatten)]
    pub(crate) source: Source,
    /// Table to rank; several tables, separated by commas, are ranked as one. With --list
    /// the default is the lists alone, and no index is needed.
    #[arg(
        long,
        short,
        value_name = "TABLE",
        value_delimiter = ',',
        default_value = "flavors",
        default_value_if("list", ArgPredicate::IsPresent, None),
        help_heading = "Ranking"
    )]
    pub(crate) table: Vec<String>,
    /// Add a file of labels, one per line, as the table NAME; it replaces the index's
    /// table of that name. PATH alone takes the name of the file. Can be repeated.
    #[arg(long, value_name = "NAME=PATH", help_heading = "Ranking")]
    pub(crate) list: Vec<OwnList>,
    /// Also write the probability of each label: the softmax of 100 times the cosines of
    /// all labels of the ranked tables; with SigLIP the sigmoid of its scale and bias.
    #[arg(long, help_heading = "Ranking")]
    pub(crate) probabilities: bool,
    /// Number of labels per image.
    #[arg(short, value_name = "N", default_value = "10", help_heading = "Ranking")]
    pub(crate) k: NonZeroUsize,
    /// Rank the worst labels instead, worst first.
    #[arg(long, help_heading = "Ranking")]
    pub(crate) reverse: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

#[derive(Debug, Group)]
#[command(next_help_heading = "Input", next_display_order = 2)]
pub(crate) struct Similarity {
    /// Image file.
    #[arg(value_name = "IMAGE", display_order = 0)]
    pub(crate) image: PathBuf,
    /// Texts; `-` alone reads them from stdin, one per line.
    #[arg(required = true, value_name = "TEXT", display_order = 1)]
    pub(crate) texts: Vec<String>,
    #[command(flatten)]
    pub(crate) decoding: Decoding,
    /// Keep the order of the texts instead of sorting by cosine.
    #[arg(long, help_heading = "Output")]
    pub(crate) in_order: bool,
    #[command(flatten)]
    pub(crate) model: ModelChoice,
    #[command(flatten)]
    pub(crate) format: Lines,
}

#[derive(Debug, Group)]
#[command(mut_arg("shards", |shards| shards.conflicts_with("sidecar")))]
pub(crate) struct Caption {
    #[command(flatten)]
    pub(crate) images: Images,
    /// Caption model: a folder of BLIP, BLIP-2, GIT or Florence-2 in Hugging Face layout, a
    /// hub id (owner/name), or blip-base, blip-large, blip2-2.7b, blip2-6.7b,
    /// blip2-flan-t5-xl, blip2-flan-t5-xxl, florence2-base, florence2-large, git-large-coco.
    #[arg(long, alias = "caption-model-name", value_name = "MODEL", help_heading = "Model")]
    pub(crate) caption_model: String,
    /// Device for the caption model: cpu, cuda, cuda:N or metal, if the build supports
    /// it; auto is the GPU that the build supports, if it opens, else the CPU.
    #[arg(long, value_name = "DEVICE", default_value_t, help_heading = "Model")]
    pub(crate) device: DeviceChoice,
    #[command(flatten)]
    pub(crate) search: Search,
    #[command(flatten)]
    pub(crate) wording: Wording,
    #[command(flatten)]
    pub(crate) output: Output,
    #[command(flatten)]
    pub(crate) shards: Shards,
    #[command(flatten)]
    pub(crate) sidecars: Sidecars,
}

/// The generation config of captions. Lengths count generated tokens, the end-of-text
/// token included.
#[derive(Debug, Group)]
#[command(next_help_heading = "Captions")]
pub(crate) struct Search {
    /// What a caption tells, for Florence-2: a sentence, some sentences or a paragraph. Its
    /// other tasks (regions, objects, text in the image) are not supported.
    #[arg(long, value_enum, value_name = "TASK", default_value_t)]
    pub(crate) caption_task: CaptionTask,
    /// Number of beams; 1 is the fastest. [default: 1; Florence-2: 3]
    #[arg(long, value_name = "N")]
    pub(crate) num_beams: Option<usize>,
    /// Maximum number of tokens in a caption, the end-of-text token included.
    /// [default: 20; Florence-2: 128]
    #[arg(long, alias = "caption-max-length", value_name = "N")]
    pub(crate) max_length: Option<usize>,
    /// Minimum number of tokens in a caption, the end-of-text token included.
    /// [default: 5; Florence-2: 0]
    #[arg(long, value_name = "N")]
    pub(crate) min_length: Option<usize>,
    /// Precision of the caption model's weights: f16 and bf16 take half the memory of
    /// f32; q8 (8 bits, and a scale for each 64 values) takes a quarter and rounds.
    /// [default: f32; with --device cuda bf16, or f16 if the weights are stored in it]
    #[arg(
        long,
        value_parser = precision(&Precision::ALL),
        value_name = "PRECISION",
    )]
    pub(crate) caption_precision: Option<Precision>,
    /// Text that every caption continues, such as "a photo of"; it is not part of the
    /// caption. [default: none]
    #[arg(long, value_name = "TEXT")]
    pub(crate) caption_prefix: Option<String>,
    /// With several beams: above 0 favors long captions, below 0 short ones.
    #[arg(long, value_name = "POWER", default_value_t = 1.0, allow_negative_numbers = true)]
    pub(crate) length_penalty: f32,
    /// With several beams: when the search stops. [default: likely; Florence-2: full]
    #[arg(long, value_enum, value_name = "WHEN")]
    pub(crate) early_stopping: Option<EarlyStopping>,
    /// Penalty of tokens that the caption already has: above 1 makes them less likely.
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0)]
    pub(crate) repetition_penalty: f32,
    /// Length in tokens of sequences that may not repeat; 0 allows all repetitions.
    /// [default: 0; Florence-2: 3]
    #[arg(long, value_name = "N")]
    pub(crate) no_repeat_ngram_size: Option<usize>,
    /// Sample tokens: below 1 favors likely tokens, above 1 unlikely ones.
    /// [default with --top-p or --seed: 1]
    #[arg(long, value_name = "T")]
    pub(crate) temperature: Option<f32>,
    /// Sample tokens among the most likely ones whose probabilities add up to P.
    /// [default with --temperature or --seed: 1]
    #[arg(long, value_name = "P")]
    pub(crate) top_p: Option<f32>,
    /// Sample tokens; the same seed gives the same captions. [default with
    /// --temperature or --top-p: 0]
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
}

/// What a caption tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum CaptionTask {
    /// A sentence.
    #[default]
    #[value(alias = "<CAPTION>")]
    Caption,
    /// Some sentences.
    #[value(alias = "<DETAILED_CAPTION>")]
    Detailed,
    /// A paragraph.
    #[value(alias = "<MORE_DETAILED_CAPTION>")]
    MoreDetailed,
}

/// When a beam search stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum EarlyStopping {
    /// When no live beam would beat the worst finished one if it ended now.
    Likely,
    /// When as many captions as beams are finished.
    Full,
    /// When no live beam can beat the worst finished one any more.
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Embed {
    /// Compute the features of images, of unit length.
    Images(EmbedImages),
    /// Compute the embeddings of texts, of unit length.
    Texts(EmbedTexts),
    /// Compute the sentence embeddings of prompts (all-MiniLM-L6-v2), of unit length.
    Prompts(EmbedPrompts),
    /// Sum the normalized rows of .npy files by weights, and normalize the sums.
    Average(EmbedAverage),
}

/// The index of `verify` and `info`.
#[derive(Debug, Group)]
#[command(next_help_heading = "Input")]
pub(crate) struct IndexChoice {
    /// Index folder. [default: the default model's, or the only one, in indexes/ of the
    /// working folder, else in the user's data folder]
    #[arg(long, value_name = "DIR")]
    pub(crate) index: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) format: Lines,
}

#[derive(Debug, Group)]
#[command(next_help_heading = "Input")]
pub(crate) struct Doctor {
    /// Folder of dictionaries. [default: dicts/ in the working folder, else the embedded
    /// ones]
    #[arg(long, value_name = "DIR")]
    pub(crate) dicts: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) format: Lines,
}

#[derive(Debug, Group)]
#[command(next_help_heading = "Output")]
pub(crate) struct Man {
    /// Write a page for each command into DIR. [default: one page on stdout]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}

/// The index and its model.
#[derive(Debug, Group)]
#[command(next_help_heading = "Model")]
pub(crate) struct Source {
    /// Index folder. [default: the model's in indexes/ of the working folder, else in the
    /// user's data folder]
    #[arg(long, value_name = "DIR", action = ArgAction::Set)]
    pub(crate) index: Vec<PathBuf>, // one, except in `Rank`
    #[command(flatten)]
    pub(crate) model: ModelChoice,
    /// Folder of dictionaries, for an index that is not built yet. [default: dicts/ in the
    /// working folder, else the embedded ones]
    #[arg(long, alias = "data-path", value_name = "DIR")]
    pub(crate) dicts: Option<PathBuf>,
}

/// The CLIP model and how it computes.
#[derive(Debug, Group)]
#[command(next_help_heading = "Model")]
pub(crate) struct ModelChoice {
    /// Model: starter, a checkpoint folder, OpenAI's archive (ViT-B-32.pt), a hub id
    /// (owner/name), or an open_clip name (ViT-L-14/openai). The prefixes open_clip:,
    /// openai: and hf: say which. [default: that of setup, the index's, or starter]
    #[arg(long, aliases = ["clip-model-name", "clip"], value_name = "MODEL")]
    pub(crate) model: Option<String>,
    /// How texts are cleaned before tokenization: openai (ftfy's repairs, HTML character
    /// references), transformers (NFC and lower case), or auto (by the layout of the
    /// model's files). An index needs the cleaning it was built with.
    #[arg(long, value_name = "CLEANING", default_value_t)]
    pub(crate) text_cleaning: TextCleaning,
    /// Precision of the computation. bf16 is faster on processors that support it;
    /// scores differ in the last digits. q8 (8 bits, CPU only) takes a quarter of the memory
    /// and rounds more. [default: f32; with --device cuda bf16, or f16 if
    /// the checkpoint is stored in it]
    #[arg(
        long,
        value_parser = precision(&Precision::ALL),
        value_name = "PRECISION"
    )]
    pub(crate) precision: Option<Precision>,
    /// Device for models and rankings: cpu, cuda, cuda:N or metal, if the build supports
    /// it; auto is the GPU that the build supports, if it opens, else the CPU.
    #[arg(long, value_name = "DEVICE", default_value_t)]
    pub(crate) device: DeviceChoice,
}
