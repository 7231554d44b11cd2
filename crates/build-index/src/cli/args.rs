//! The arguments: as typed, then resolved to [`Options`].

use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use build_index::terminal::args::precision;
use build_index::terminal::{DeviceChoice, Dictionaries, Logger};
use build_index::{CacheError, Dictionary, DictionaryError, PartNumber, Result};
use clap::{Args as Group, Parser, Subcommand};
use clap_complete::Shell;
use interrogate::clip::TextCleaning;
use interrogate::{Compute, Precision};

/// Encode dictionaries of labels once per model into a label index.
///
/// Every *.txt is a table: one label a line, UTF-8. Blank lines, duplicates and
/// lines that are not UTF-8 are left out and reported. name.topN.txt means that a
/// prompt takes N labels of the table; artists.txt and sites.txt hold names from
/// which labels are made ("by Monet", "trending on flickr").
///
/// Run again, it encodes only labels that the index does not hold yet. A build that
/// was stopped by Ctrl-C or killed continues when it is run again.
#[derive(Debug, Parser)]
#[command(version, about, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    /// Read files into memory instead of mapping them: slower, for disks where another
    /// program may truncate a file in use
    #[arg(long, global = true)]
    pub(crate) no_mmap: bool,

    #[command(flatten)]
    pub(crate) build: Build,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Build an index from clip-interrogator's caches, and encode the labels that they
    /// lack
    ///
    /// A cache is MODEL_TABLE.safetensors, as clip-interrogator keeps it in cache/. It
    /// needs the dictionary of its table, and is refused where its labels or its model
    /// are others, or where it is damaged.
    Import(Import),
    /// Write the tables of an index as caches that clip-interrogator reads
    Export(Export),
    /// Merge the parts of a build (--part) into an index
    ///
    /// The index has the bytes of one that is built in one piece. Every part is needed,
    /// once, and the dictionaries that the parts were built from. No model is opened.
    Merge(Merge),
    /// Print the completion script of a shell
    #[command(hide = true)]
    Completions {
        /// The shell
        #[arg(value_enum)]
        shell: Shell,
    },
    /// Write a manual page for each command into a folder
    #[command(hide = true)]
    Man {
        /// The folder
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
}

#[derive(Debug, Group)]
pub(crate) struct Build {
    /// Dictionaries: text files, or folders of *.txt [default: dicts/ in the working
    /// folder, else the embedded ones]
    #[arg(value_name = "DICTS")]
    dictionaries: Vec<PathBuf>,

    /// Encode part K of N, for `build-index merge`: the folder INDEXES gets
    /// MODEL.part-K-of-N in place of an index. Each of N machines encodes a part, with
    /// the same dictionaries and options
    #[arg(long, value_name = "K/N")]
    part: Option<PartNumber>,

    #[command(flatten)]
    options: BuildOptions,
}

#[derive(Debug, Group)]
pub(crate) struct Merge {
    /// The parts: their folders, or a folder that holds them
    #[arg(required = true, value_name = "PARTS")]
    pub(crate) parts: Vec<PathBuf>,

    /// Dictionary that the parts were built from: a text file, or a folder of *.txt. Can
    /// be repeated [default: dicts/ in the working folder, else the embedded ones]
    #[arg(long, value_name = "DICTS")]
    pub(crate) dicts: Vec<PathBuf>,

    /// The folder of indexes: the index goes into a folder there, named after the
    /// model
    #[arg(short, long, value_name = "INDEXES")]
    pub(crate) output: PathBuf,

    /// Print only errors
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

#[derive(Debug, Group)]
pub(crate) struct Import {
    /// Caches and dictionaries: *.safetensors and *.txt, or folders of them
    #[arg(required = true, value_name = "CACHES DICTS")]
    paths: Vec<PathBuf>,

    /// The model's name in the caches' file names, where a folder holds caches of
    /// several models: ViT-L-14_openai
    #[arg(long, value_name = "NAME")]
    name: Option<String>,

    #[command(flatten)]
    options: BuildOptions,
}

#[derive(Debug, Group)]
pub(crate) struct Export {
    /// The index
    #[arg(value_name = "INDEX")]
    pub(crate) index: PathBuf,

    /// The dictionaries that it was built from, files or folders: clip-interrogator
    /// needs a row for every line, and the index has none for blank and repeated lines
    #[arg(value_name = "DICTS")]
    pub(crate) dictionaries: Vec<PathBuf>,

    /// The folder for the caches; no file there is overwritten
    #[arg(short, long, value_name = "FOLDER")]
    pub(crate) output: PathBuf,

    /// clip-interrogator's name for the model, such as ViT-L-14/openai. [default: from
    /// the index's model]
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,

    /// The model, where a blank line must be encoded. [default: the index's]
    #[arg(long, value_name = "MODEL")]
    pub(crate) model: Option<String>,

    /// The device that the model computes on: auto (the GPU of a build with one, where it
    /// opens, else the CPU), cpu, cuda, cuda:N or metal, where this build has them
    #[arg(long, value_name = "DEVICE", default_value_t)]
    pub(crate) device: DeviceChoice,

    /// How texts are cleaned before the tokenizer: auto (as the code that the model's
    /// files are for), openai (ftfy's repairs, HTML character references), or
    /// transformers (NFC and lower case). An index fits one cleaning
    #[arg(long, value_name = "CLEANING", default_value_t)]
    pub(crate) text_cleaning: TextCleaning,

    /// Print only errors
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

/// Options of a build and of an import.
#[derive(Debug, Group)]
struct BuildOptions {
    /// The folder of indexes: the index goes into a folder there, named after the
    /// model
    #[arg(short, long, value_name = "INDEXES", required = true)]
    output: Option<PathBuf>, // none where a subcommand replaces the build

    /// The model: "starter", a folder, OpenAI's archive (ViT-B-32.pt), a hub id,
    /// or an open_clip name
    #[arg(long, value_name = "MODEL", default_value = "starter")]
    model: String,

    /// The precision that the model computes in. bf16 is faster where the processor
    /// has it (AMX, AVX512-BF16), and its rows differ from those of f32 in the last
    /// digits (docs/PARITY.md). q8 (8 bits, CPU only) takes a quarter of the memory and
    /// rounds more (docs/MODELS.md). An index of one ranks images of another [default: f32;
    /// with --device cuda bf16, or f16 if the checkpoint is stored in it]
    #[arg(
        long,
        value_parser = precision(&Precision::ALL),
        value_name = "PRECISION"
    )]
    precision: Option<Precision>,

    /// Tokens of a batch: bounds the memory, changes no row
    #[arg(long, value_name = "N", default_value = "1024")]
    batch_tokens: NonZeroUsize,

    /// The device that the model computes on: auto (the GPU of a build with one, where it
    /// opens, else the CPU), cpu, cuda, cuda:N or metal, where this build has them
    #[arg(long, value_name = "DEVICE", default_value_t)]
    device: DeviceChoice,

    /// How texts are cleaned before the tokenizer: auto (as the code that the model's
    /// files are for), openai (ftfy's repairs, HTML character references), or
    /// transformers (NFC and lower case). An index fits one cleaning
    #[arg(long, value_name = "CLEANING", default_value_t)]
    text_cleaning: TextCleaning,

    /// Maximum rows of a shard
    #[arg(long, value_name = "N", default_value = "32768")]
    shard_rows: NonZeroUsize,

    /// Print only errors and, for each dictionary, the number of findings
    #[arg(short, long)]
    quiet: bool,

    /// List every finding, not only the first 20 of a dictionary
    #[arg(short, long, conflicts_with = "quiet")]
    verbose: bool,
}

/// The resolved arguments of a build or an import.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) dictionaries: Vec<Dictionary>,
    pub(crate) import: Option<ImportSource>,
    pub(crate) part: Option<PartNumber>,
    pub(crate) output: PathBuf,
    pub(crate) model: String,
    pub(crate) text_cleaning: TextCleaning,
    pub(crate) compute: Compute,
    pub(crate) shard_rows: usize,
    pub(crate) verbosity: Verbosity,
}

/// The caches that rows are imported from.
#[derive(Debug)]
pub(crate) struct ImportSource {
    pub(crate) paths: Vec<PathBuf>,
    pub(crate) name: Option<String>,
}

/// How many messages are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verbosity {
    Quiet,
    Normal,
    Verbose,
}

impl Build {
    /// Reads the dictionaries, so that their errors come before the model is loaded.
    pub(crate) fn resolve(self) -> Result<Options> {
        let options = self.options.resolve(&Dictionaries::find(&self.dictionaries), None)?;
        Ok(Options { part: self.part, ..options })
    }
}

impl Import {
    /// Sorts the paths into caches and dictionaries, and reads the dictionaries. A folder
    /// may hold both.
    pub(crate) fn resolve(self) -> Result<Options> {
        let first = || self.paths.first().cloned().unwrap_or_default();
        let of = |ending| self.paths.iter().filter(move |path| holds(path, ending)).cloned();
        let caches: Vec<PathBuf> = of("safetensors").collect();
        if caches.is_empty() {
            return Err(CacheError::Missing { path: first() }.into());
        }
        // A path that is neither is opened as a dictionary, for that error.
        let texts = self.paths.iter().filter(|path| !caches.contains(path)).cloned();
        let texts: Vec<PathBuf> = texts.chain(of("txt").filter(|p| caches.contains(p))).collect();
        if texts.is_empty() {
            return Err(DictionaryError::Missing { path: first() }.into());
        }
        let import = ImportSource { paths: caches, name: self.name };
        self.options.resolve(&Dictionaries::Paths(texts), Some(import))
    }
}

/// Whether `path` is a file with this ending, or a folder that holds one.
fn holds(path: &Path, ending: &str) -> bool {
    match fs::read_dir(path) {
        Ok(files) => files.flatten().any(|file| has_ending(&file.path(), ending)),
        Err(_) => has_ending(path, ending),
    }
}

fn has_ending(path: &Path, ending: &str) -> bool {
    path.extension().is_some_and(|found| found.eq_ignore_ascii_case(ending))
}

impl BuildOptions {
    fn resolve(self, dictionaries: &Dictionaries, import: Option<ImportSource>) -> Result<Options> {
        let verbosity = match (self.quiet, self.verbose) {
            (true, _) => Verbosity::Quiet,
            (_, true) => Verbosity::Verbose,
            _ => Verbosity::Normal,
        };
        Ok(Options {
            dictionaries: dictionaries.open()?,
            import,
            part: None,
            output: self.output.unwrap_or_default(),
            model: self.model,
            text_cleaning: self.text_cleaning,
            compute: Compute {
                precision: self.precision,
                batch_tokens: self.batch_tokens.get(),
                device: self.device.resolve(&Logger::new(self.quiet)),
            },
            shard_rows: self.shard_rows.get(),
            verbosity,
        })
    }
}
