//! The arguments: as typed, then resolved.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use build_index::{Dictionary, Result, open_all};
use clap::{Parser, ValueEnum};
use interrogate::nn::{self, Compute};

/// Encode dictionaries of labels once per model into a label index.
///
/// Every *.txt is a table: one label a line, UTF-8. Blank lines, duplicates and
/// lines that are not UTF-8 are left out and reported. name.topN.txt says that a
/// prompt takes N labels of the table; artists.txt and sites.txt hold names, of
/// which labels are made ("by Monet", "trending on flickr").
///
/// Run again, it encodes only labels that the index does not hold yet. Stopped
/// by Ctrl-C or killed, it goes on where it was when it is run again.
#[derive(Debug, Parser)]
#[command(version, about)]
pub(crate) struct Args {
    /// Dictionaries: text files, or folders of *.txt
    #[arg(required = true, value_name = "DICTS")]
    dictionaries: Vec<PathBuf>,

    /// Where indexes are kept: the index goes into a folder there, named after
    /// the model
    #[arg(short, long, value_name = "INDEXES")]
    output: PathBuf,

    /// The model: "starter", a folder, OpenAI's archive (ViT-B-32.pt), a hub id,
    /// or an open_clip name
    #[arg(long, value_name = "MODEL", default_value = "starter")]
    model: String,

    /// What the model computes in. bf16 is faster where the processor has it
    /// (AVX512-BF16), and its rows are not those of f32 to the last digits:
    /// docs/PARITY.md has by how much. An index of either ranks images of either
    #[arg(long, value_enum, value_name = "PRECISION", default_value = "f32")]
    precision: Precision,

    /// Tokens that go through the model at once: bounds the memory, changes no
    /// row
    #[arg(long, value_name = "N", default_value = "1024")]
    batch_tokens: NonZeroUsize,

    /// Rows of a shard at most
    #[arg(long, value_name = "N", default_value = "32768")]
    shard_rows: NonZeroUsize,

    /// Print nothing but errors and, for each dictionary, how many lines were
    /// found wanting
    #[arg(short, long)]
    quiet: bool,

    /// List every line found wanting, not only the first 20 of a dictionary
    #[arg(short, long, conflicts_with = "quiet")]
    verbose: bool,
}

/// What a run needs, read and checked.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) dictionaries: Vec<Dictionary>,
    pub(crate) output: PathBuf,
    pub(crate) model: String,
    pub(crate) compute: Compute,
    pub(crate) shard_rows: usize,
    pub(crate) volume: Volume,
}

/// What a model computes in.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Precision {
    F32,
    Bf16,
}

/// How much is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Volume {
    Quiet,
    Normal,
    Verbose,
}

impl Args {
    /// Reads the dictionaries, before a model is loaded for nothing.
    pub(crate) fn resolve(self) -> Result<Options> {
        let volume = match (self.quiet, self.verbose) {
            (true, _) => Volume::Quiet,
            (_, true) => Volume::Verbose,
            _ => Volume::Normal,
        };
        Ok(Options {
            dictionaries: open_all(&self.dictionaries)?,
            output: self.output,
            model: self.model,
            compute: Compute {
                precision: match self.precision {
                    Precision::F32 => nn::Precision::F32,
                    Precision::Bf16 => nn::Precision::Bf16,
                },
                batch_tokens: self.batch_tokens.get(),
            },
            shard_rows: self.shard_rows.get(),
            volume,
        })
    }
}
