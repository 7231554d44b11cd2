//! The arguments: as typed, then resolved.

use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use build_index::{Dictionary, Error, Result, open_all, precision};
use clap::{Args as Group, Parser, Subcommand};
use interrogate::clip::TextCleaning;
use interrogate::{Compute, Device, Precision};

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
#[command(version, about, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    /// Read files into memory instead of mapping them: slower, for disks where another
    /// program may truncate a file that is in use
    #[arg(long, global = true)]
    pub(crate) no_mmap: bool,

    #[command(flatten)]
    pub(crate) build: Build,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Build an index with the rows that clip-interrogator has cached, and encode
    /// what its caches leave
    ///
    /// A cache is MODEL_TABLE.safetensors, as clip-interrogator keeps it in cache/. It
    /// is read beside the dictionary of its table, and refused where it is of other
    /// labels, of another model, or damaged.
    Import(Import),
    /// Write the tables of an index as caches that clip-interrogator reads
    Export(Export),
}

#[derive(Debug, Group)]
pub(crate) struct Build {
    /// Dictionaries: text files, or folders of *.txt
    #[arg(required = true, value_name = "DICTS")]
    dictionaries: Vec<PathBuf>,

    #[command(flatten)]
    how: How,
}

#[derive(Debug, Group)]
pub(crate) struct Import {
    /// Caches and dictionaries: *.safetensors and *.txt, or folders of them
    #[arg(required = true, value_name = "CACHES DICTS")]
    paths: Vec<PathBuf>,

    /// What the caches call the model, where a folder holds those of several:
    /// ViT-L-14_openai
    #[arg(long, value_name = "NAME")]
    name: Option<String>,

    #[command(flatten)]
    how: How,
}

#[derive(Debug, Group)]
pub(crate) struct Export {
    /// The index
    #[arg(value_name = "INDEX")]
    pub(crate) index: PathBuf,

    /// The dictionaries that it was built from, files or folders: clip-interrogator
    /// wants a row of every line, and the index has none of blank and repeated ones
    #[arg(value_name = "DICTS")]
    pub(crate) dictionaries: Vec<PathBuf>,

    /// The folder for the caches; no file there is written over
    #[arg(short, long, value_name = "FOLDER")]
    pub(crate) output: PathBuf,

    /// What clip-interrogator calls the model, such as ViT-L-14/openai. [default: by
    /// the index's model]
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,

    /// The model, where a blank line must be encoded. [default: the index's]
    #[arg(long, value_name = "MODEL")]
    pub(crate) model: Option<String>,

    /// Where the model computes: cpu, cuda, cuda:N or metal, as far as the build has
    /// them
    #[arg(long, value_name = "DEVICE", default_value_t)]
    pub(crate) device: Device,

    /// How texts are cleaned before the tokenizer: auto (as the code that the model's
    /// files are laid out for), openai (ftfy's repairs, HTML's character references), or
    /// transformers (NFC and lower case). Indexes of different cleaning are different
    /// models'
    #[arg(long, value_name = "CLEANING", default_value_t)]
    pub(crate) text_cleaning: TextCleaning,

    /// Print nothing but errors
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

/// How an index is built.
#[derive(Debug, Group)]
struct How {
    /// Where indexes are kept: the index goes into a folder there, named after
    /// the model
    #[arg(short, long, value_name = "INDEXES", required = true)]
    output: Option<PathBuf>, // nothing in the build that a command takes the place of

    /// The model: "starter", a folder, OpenAI's archive (ViT-B-32.pt), a hub id,
    /// or an open_clip name
    #[arg(long, value_name = "MODEL", default_value = "starter")]
    model: String,

    /// What the model computes in. bf16 is faster where the processor has it
    /// (AMX, AVX512-BF16), and its rows are not those of f32 to the last digits:
    /// docs/PARITY.md has by how much. An index of either ranks images of either
    #[arg(
        long,
        value_parser = precision::parser(&[Precision::F32, Precision::Bf16]),
        value_name = "PRECISION",
        default_value_t
    )]
    precision: Precision,

    /// Tokens that go through the model at once: bounds the memory, changes no
    /// row
    #[arg(long, value_name = "N", default_value = "1024")]
    batch_tokens: NonZeroUsize,

    /// Where the model computes: cpu, cuda, cuda:N or metal, as far as the build has
    /// them
    #[arg(long, value_name = "DEVICE", default_value_t)]
    device: Device,

    /// How texts are cleaned before the tokenizer: auto (as the code that the model's
    /// files are laid out for), openai (ftfy's repairs, HTML's character references), or
    /// transformers (NFC and lower case). Indexes of different cleaning are different
    /// models'
    #[arg(long, value_name = "CLEANING", default_value_t)]
    text_cleaning: TextCleaning,

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
    pub(crate) caches: Option<Caches>,
    pub(crate) output: PathBuf,
    pub(crate) model: String,
    pub(crate) text_cleaning: TextCleaning,
    pub(crate) compute: Compute,
    pub(crate) shard_rows: usize,
    pub(crate) volume: Volume,
}

/// Where rows are imported from.
#[derive(Debug)]
pub(crate) struct Caches {
    pub(crate) paths: Vec<PathBuf>,
    pub(crate) name: Option<String>,
}

/// How much is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Volume {
    Quiet,
    Normal,
    Verbose,
}

impl Build {
    /// Reads the dictionaries, before a model is loaded for nothing.
    pub(crate) fn resolve(self) -> Result<Options> {
        self.how.options(&self.dictionaries, None)
    }
}

impl Import {
    /// Tells caches from dictionaries, and reads the latter. A folder may hold both.
    pub(crate) fn resolve(self) -> Result<Options> {
        let first = || self.paths.first().cloned().unwrap_or_default();
        let of = |ending| self.paths.iter().filter(move |path| holds(path, ending)).cloned();
        let caches: Vec<PathBuf> = of("safetensors").collect();
        if caches.is_empty() {
            return Err(Error::CacheMissing { path: first() });
        }
        // What is neither is looked at as a dictionary, and named.
        let texts = self.paths.iter().filter(|path| !caches.contains(path)).cloned();
        let texts: Vec<PathBuf> = texts.chain(of("txt").filter(|p| caches.contains(p))).collect();
        if texts.is_empty() {
            return Err(Error::NoDictionary { path: first() });
        }
        self.how.options(&texts, Some(Caches { paths: caches, name: self.name }))
    }
}

/// Whether the file ends so, or the folder holds one that does.
fn holds(path: &Path, ending: &str) -> bool {
    match fs::read_dir(path) {
        Ok(files) => files.flatten().any(|file| has_ending(&file.path(), ending)),
        Err(_) => has_ending(path, ending),
    }
}

fn has_ending(path: &Path, ending: &str) -> bool {
    path.extension().is_some_and(|found| found.eq_ignore_ascii_case(ending))
}

impl How {
    fn options(self, dictionaries: &[PathBuf], caches: Option<Caches>) -> Result<Options> {
        let volume = match (self.quiet, self.verbose) {
            (true, _) => Volume::Quiet,
            (_, true) => Volume::Verbose,
            _ => Volume::Normal,
        };
        Ok(Options {
            dictionaries: open_all(dictionaries)?,
            caches,
            output: self.output.unwrap_or_default(),
            model: self.model,
            text_cleaning: self.text_cleaning,
            compute: Compute {
                precision: self.precision,
                batch_tokens: self.batch_tokens.get(),
                device: self.device,
            },
            shard_rows: self.shard_rows.get(),
            volume,
        })
    }
}
