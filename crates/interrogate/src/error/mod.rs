//! Everything that can go wrong, with what was expected and what was found.
//!
//! One enum serves the whole library. A file error carries its path, a
//! mismatch both sides, and a cause is in [`std::error::Error::source`] alone.
//! What a person can do about a variant stands in its doc, and in the words of
//! [`Error::hint`] that the binaries print below the message.

mod hint;
mod make;
mod words;

use std::io;
use std::path::PathBuf;

/// What a library below said.
type Source = Box<dyn std::error::Error + Send + Sync>;

pub(crate) use make::bare;
use words::{count, first_names, forbids, gib};

/// A result of this library.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A cause whose type is another library's.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// What went wrong.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum Error {
    // ---- files ----
    /// The file system refused: look at the permission, the disk and the name.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried, as a verb: "open", "read", "map", "write".
        action: &'static str,
        /// The file or folder it was tried on.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A JSON file does not parse, or lacks a field: the cause gives the line.
    #[error("{} is not the JSON expected here", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// Where and why the parser stopped.
        source: serde_json::Error,
    },
    /// A file or a table does not hold what it must. Fetch or build it anew.
    #[error("{}: {what}: expected {expected}, found {found}", path.display())]
    Mismatch {
        /// The file that was read.
        path: PathBuf,
        /// Which property of it.
        what: &'static str,
        /// What it had to be.
        expected: String,
        /// What it is.
        found: String,
    },

    // ---- rows ----
    /// Two things of different width were put together: they come from
    /// different models.
    #[error("{what} has {found} values a row, expected {expected}")]
    Dim {
        /// Which side is wrong.
        what: &'static str,
        /// The width asked for.
        expected: usize,
        /// The width given.
        found: usize,
    },
    /// A row that has no direction cannot be brought to unit length: the
    /// encoder that made it is broken, or its weights are.
    #[error("row {row} of the {what} is zero or not finite")]
    Direction {
        /// What the rows are.
        what: &'static str,
        /// Which of them, from 0.
        row: usize,
    },

    // ---- checkpoints ----
    /// A weight that the architecture needs is not in the file: the checkpoint
    /// is of another architecture, or incomplete.
    #[error("{}: no weight named {name}", path.display())]
    WeightMissing {
        /// The safetensors file.
        path: PathBuf,
        /// The checkpoint's own name of the weight.
        name: String,
    },
    /// The file holds weights that the architecture has no place for.
    #[error("{}: {} more than the architecture has: {}", path.display(), count(names.len(), "weight"), first_names(names))]
    WeightSurplus {
        /// The safetensors file.
        path: PathBuf,
        /// Their names, sorted.
        names: Vec<String>,
    },
    /// A weight's shape is not what config.json says.
    #[error("{}: {name}: expected shape {expected:?}, found {found:?}", path.display())]
    WeightShape {
        /// The safetensors file.
        path: PathBuf,
        /// The checkpoint's own name of the weight.
        name: String,
        /// The shape that the configuration asks for.
        expected: Vec<usize>,
        /// The shape in the file.
        found: Vec<usize>,
    },
    /// An archive's pickle holds what no weights need, or is damaged: nothing of
    /// it was run. Save the state dict alone, or fetch the file again.
    #[error("{}: data.pkl at byte {offset}: expected {expected}, found {found}", path.display())]
    Pickle {
        /// The archive.
        path: PathBuf,
        /// Where in data.pkl.
        offset: usize,
        /// What may stand there.
        expected: String,
        /// What does.
        found: String,
    },
    /// A tokenizer file cannot be used: the cause says why.
    #[error("{}: not a usable tokenizer", path.display())]
    Tokenizer {
        /// The tokenizer's file.
        path: PathBuf,
        /// What the tokenizer library said.
        source: Cause,
    },
    /// The tensor engine refused: out of memory, or a bug of this library.
    #[error("the tensor engine failed to {action}")]
    Engine {
        /// What was computed.
        action: &'static str,
        /// What it said.
        source: Source,
    },

    // ---- devices ----
    /// What was typed names no device: cpu, cuda, cuda:N or metal.
    #[error("no device is called {name:?}")]
    DeviceUnknown {
        /// What was typed.
        name: String,
    },
    /// A device was asked for that this build cannot use. Build it with the
    /// feature, or compute on the processor.
    #[error("{device} was asked for and this build has no {feature}")]
    DeviceLeftOut {
        /// The device.
        device: String,
        /// The cargo feature that brings it.
        feature: &'static str,
    },
    /// The build has the feature and the machine has not the device, or its driver
    /// is older than the build.
    #[error("this machine has no {device}, or its driver refuses it")]
    DeviceAbsent {
        /// The device.
        device: String,
        /// What the driver said.
        source: Source,
    },
    /// A model, or a part of one, that computes on the processor alone was asked
    /// for on another device.
    #[error("{what} computes on the processor alone, and {device} was asked for")]
    DeviceUnserved {
        /// What was to run there.
        what: &'static str,
        /// The device.
        device: String,
    },
    /// The device has too little memory free: even the smallest batch did not fit.
    #[error("the device ran out of memory at {action}, with batches down to {batch}")]
    DeviceMemory {
        /// What was computed, as a noun.
        action: &'static str,
        /// The last batch that was tried.
        batch: usize,
        /// What the engine said.
        source: Source,
    },

    // ---- rank ----
    /// A block of rows ends within a row: it was cut off, or is of another
    /// width than it was said to be.
    #[error("block {block} has {values} values, expected whole rows of {dim}")]
    Block {
        /// Which block, from 0.
        block: usize,
        /// Values in a row.
        dim: usize,
        /// Values in the block.
        values: usize,
    },

    /// Codes do not belong to the rows that they stand beside.
    #[error(
        "codes of {rows} rows of {dim} values: found {} codes, {} scales, {} slacks, \
         a mean of {} and a spread of {}",
        found[0], found[1], found[2], found[3], found[4]
    )]
    Codes {
        /// Rows there are.
        rows: usize,
        /// Values in a row.
        dim: usize,
        /// Number of codes, scales, slacks, and values of the mean and of the spread
        /// (where there is none, those of the mean).
        found: [usize; 5],
    },

    // ---- query ----
    /// A query cannot be read.
    #[error("query {query:?}, column {column}: expected {expected}, found {found}")]
    QuerySyntax {
        /// As typed.
        query: String,
        /// The character at which it goes wrong, from 1.
        column: usize,
        /// What had to be there.
        expected: &'static str,
        /// What is there.
        found: String,
    },
    /// What a query adds it takes away again, and nothing is left to rank by.
    #[error("the terms of {query} cancel each other out")]
    QueryZero {
        /// The query.
        query: String,
    },

    // ---- index ----
    /// There is no index at this place: build one.
    #[error("no index in {}", path.display())]
    IndexMissing {
        /// The folder.
        path: PathBuf,
    },
    /// A build began here and did not end: run the same build again, it goes on
    /// where it stopped.
    #[error("the index in {} is half-built: it has no manifest.json", path.display())]
    IndexUnfinished {
        /// The folder.
        path: PathBuf,
    },
    /// The index is of another version of the format: build it again, or use
    /// the release that wrote it.
    #[error("{}: index format {found}, expected 1 to {expected}", path.display())]
    IndexVersion {
        /// The manifest.
        path: PathBuf,
        /// The newest version that this library reads.
        expected: u32,
        /// The version in the file.
        found: u64,
    },
    /// The index belongs to another model, or to other weights of it: a score
    /// between the two would mean nothing.
    #[error("the index in {} is of the model {found}, expected {expected}", path.display())]
    IndexModel {
        /// The folder.
        path: PathBuf,
        /// The model in use, with the start of its fingerprint.
        expected: String,
        /// The model that the index was built with, likewise.
        found: String,
    },
    /// A file of the index is not what the builder wrote: build it again.
    #[error("damaged index: {}: {what}: expected {expected}, found {found}", path.display())]
    IndexDamaged {
        /// The file.
        path: PathBuf,
        /// Which property of it.
        what: &'static str,
        /// What it had to be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// The index has no table of this name.
    #[error("the index in {} has no table {name:?}", path.display())]
    TableMissing {
        /// The folder.
        path: PathBuf,
        /// The name asked for.
        name: String,
        /// The names there are, sorted.
        tables: Vec<String>,
    },

    // ---- prompt ----
    /// A line of a list of words and patterns does not parse.
    #[error("{}:{line}: invalid pattern", path.display())]
    Pattern {
        /// The list.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What the pattern library said.
        source: Cause,
    },
    /// What every prompt must hold leaves no room for anything else: shorten it.
    #[error("{what:?} takes {tokens} tokens, expected at most {limit}")]
    PromptTooLong {
        /// The words.
        what: String,
        /// Tokens that they take.
        tokens: usize,
        /// Tokens that a prompt may take.
        limit: usize,
    },
    /// A callback asked for the end: nothing is wrong, and nothing is kept of what was
    /// begun.
    #[error("interrupted")]
    Interrupted,
    /// A mode that scores texts was given nothing to score them by.
    #[error("this mode scores texts, and has no scorer")]
    ScorerMissing,
    /// A prompt's template does not parse: see [`crate::prompt::Template`].
    #[error("template {template:?}: {problem} at byte {at}")]
    Template {
        /// The template.
        template: String,
        /// Where.
        at: usize,
        /// What is wrong there.
        problem: &'static str,
    },
    /// A prompt's template names a field that there is not.
    #[error("a template has no field {name:?}")]
    TemplateField {
        /// As it stands in the braces.
        name: String,
        /// The fields there are.
        fields: Vec<String>,
    },

    // ---- pipeline ----
    /// No task is called so: the hint lists those there are.
    #[error("no task is named {name:?}")]
    TaskUnknown {
        /// What was asked for.
        name: String,
        /// The tasks there are.
        tasks: Vec<&'static str>,
    },
    /// A task runs without a part that it needs: a bug of this library.
    #[error("the task {task} has no {part}")]
    TaskPart {
        /// The task.
        task: &'static str,
        /// What it lacks.
        part: &'static str,
    },
    /// A configuration file lacks a key, or has one that is not known.
    #[error("{}: {problem} key {key:?}", path.display())]
    ConfigKey {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
        /// "no" or "an unknown".
        problem: &'static str,
        /// The keys of such a file.
        keys: &'static [&'static str],
    },
    /// Two images have one name, so that their rows could not be told apart.
    #[error("two images are called {stem:?}: {} and {}", first.display(), second.display())]
    StemTwice {
        /// The name, without folder and ending.
        stem: String,
        /// The one that came first.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },

    // ---- clip ----
    /// A checkpoint in OpenAI's layout has no file that says how it was built,
    /// and nothing in it tells.
    #[error("{}: an OpenCLIP state dict without its open_clip_config.json", path.display())]
    OpenClipConfig {
        /// The weights.
        path: PathBuf,
    },
    /// A checkpoint in OpenAI's layout has a vocabulary of its own, and no
    /// tokenizer beside it.
    #[error("{}: no tokenizer of {vocab} tokens beside it", path.display())]
    TokenizerMissing {
        /// The weights.
        path: PathBuf,
        /// Tokens that the text tower knows.
        vocab: usize,
    },
    /// A checkpoint's folder lacks a file: fetch it.
    #[error("{}: no {name} in this folder", folder.display())]
    FileMissing {
        /// The folder.
        folder: PathBuf,
        /// The file's name.
        name: &'static str,
    },
    /// A token sequence is not one that the model can read: it is another
    /// tokenizer's.
    #[error("token sequence {row}: expected {expected}, found {found}")]
    TokenSequence {
        /// Which of the sequences, from 0.
        row: usize,
        /// What it had to be.
        expected: String,
        /// What it is.
        found: String,
    },

    // ---- picture ----
    /// The first bytes are those of no image format that is read here: convert
    /// the file, or leave it out.
    #[error("{} is not an image of a known format", path.display())]
    PictureFormat {
        /// The file.
        path: PathBuf,
    },
    /// The image breaks off before its end: copy or download it again.
    #[error("{}: the image breaks off after {bytes} bytes", path.display())]
    PictureTruncated {
        /// The file.
        path: PathBuf,
        /// How many bytes there are.
        bytes: usize,
    },
    /// The image needs more room than a picture is given: a decompression
    /// bomb, or a scan to be scaled down first.
    #[error("{}: expected at most {limit} {unit}, found {found}", path.display())]
    PictureTooLarge {
        /// The file.
        path: PathBuf,
        /// What is counted.
        unit: &'static str,
        /// How many are allowed.
        limit: u64,
        /// How many the header or the file asks for.
        found: u64,
    },
    /// The decoder refused the image: it is damaged, or of a kind of its format
    /// that is not read here.
    #[error("cannot decode {}", path.display())]
    PictureDecode {
        /// The file.
        path: PathBuf,
        /// What the decoder said.
        source: Cause,
    },
    /// The values given are not those of a picture of this size.
    #[error("a picture of {width} x {height} has {expected} values, found {found}")]
    PictureValues {
        /// Pixels in a row.
        width: u32,
        /// Rows.
        height: u32,
        /// Values that it has.
        expected: u64,
        /// Values given.
        found: usize,
    },
    /// The steps of a preprocessing cannot be run on any picture: a side of
    /// zero, or more pixels than a picture is given.
    #[error("cannot resize a picture of {width} x {height} to {to_width} x {to_height}")]
    PictureResize {
        /// Pixels in a row, before.
        width: u32,
        /// Rows, before.
        height: u32,
        /// Pixels in a row asked for.
        to_width: u64,
        /// Rows asked for.
        to_height: u64,
    },

    // ---- models ----
    /// No model can be meant by this name: the hint lists what can be.
    #[error("no model is named {name:?}")]
    ModelUnknown {
        /// What was asked for.
        name: String,
        /// Short names that stand for repositories of a hub.
        aliases: Vec<&'static str>,
    },
    /// This build has no starter model: turn the feature `starter` on, or name
    /// another model.
    #[error("this build has no starter model")]
    StarterLeftOut,
    /// The hub has no such repository, revision or file: check the spelling. A
    /// private repository looks the same without a token.
    #[error("{url} does not exist")]
    HubAbsent {
        /// The file's address.
        url: String,
    },
    /// The hub wants to know who asks: pass a token that may read the
    /// repository.
    #[error("{url}: the hub refuses with status {status}")]
    HubDenied {
        /// The file's address.
        url: String,
        /// 401 or 403.
        status: u16,
    },
    /// The hub answers with an error of its own: try again later.
    #[error("{url}: the hub fails with status {status}")]
    HubStatus {
        /// The file's address.
        url: String,
        /// The HTTP status.
        status: u16,
    },
    /// The hub cannot be reached, or a transfer broke off more often than it is
    /// taken up again. What has arrived stays, and the next try goes on there.
    #[error("cannot fetch {url}")]
    Hub {
        /// The file's address, or the hub's.
        url: String,
        /// What the network said.
        source: Cause,
    },
    /// The model is not in the cache, and nothing may be downloaded for it.
    #[error("{repo}: not in the cache, and {}", forbids(*variable))]
    HubOffline {
        /// `owner/name`, with `@revision` where one was asked for.
        repo: String,
        /// The environment variable that forbids it; none for a name that was read from a
        /// file.
        variable: Option<&'static str>,
    },
    /// An answer lacks what every hub's has: the endpoint is no model hub.
    #[error("{url}: the answer has no usable {what}")]
    HubAnswer {
        /// The file's address.
        url: String,
        /// What is missing.
        what: &'static str,
    },
    /// A file arrived with another size than the hub announced.
    #[error("{url}: expected {expected} bytes, found {found}")]
    HubSize {
        /// The file's address.
        url: String,
        /// The size announced.
        expected: u64,
        /// The bytes that came, or the most that can be told.
        found: u64,
    },
    /// A file arrived with another content than the hub announced. It was
    /// thrown away.
    #[error("{url}: expected the sha256 {expected}, found {found}")]
    HubDigest {
        /// The file's address.
        url: String,
        /// The digest announced.
        expected: String,
        /// The digest of what came.
        found: String,
    },
    /// The repository has its weights in no format that is read here: name a
    /// revision that has them as safetensors, or convert them.
    #[error("{repo} has no model.safetensors (looked at {revision})")]
    HubWeights {
        /// `owner/name`.
        repo: String,
        /// The revisions that were looked at.
        revision: String,
    },

    /// The file is what Git LFS leaves in place of one that it has not fetched: fetch
    /// it with `git lfs pull`.
    #[error("{}: a Git LFS pointer, not the file itself", path.display())]
    LfsPointer {
        /// The pointer.
        path: PathBuf,
    },

    // ---- caption ----
    /// The folder holds no model that makes captions: give one of BLIP or
    /// BLIP-2.
    #[error("{}: model_type is {found:?}, expected \"blip\" or \"blip-2\"", path.display())]
    CaptionModel {
        /// Its config.json.
        path: PathBuf,
        /// The `model_type` there.
        found: String,
    },
    /// A file that an index of weights names is not there: the
    /// download stopped early.
    #[error("{}: no such file, though {} names it", path.display(), index.display())]
    ShardMissing {
        /// The file.
        path: PathBuf,
        /// The index that names it.
        index: PathBuf,
    },
    /// The weights are a pickle that is no archive of tensors, as PyTorch wrote before
    /// 1.6. Convert them.
    #[error("{}: pickled weights are not read here", path.display())]
    Pickled {
        /// The pickle.
        path: PathBuf,
    },
    /// The tokenizer does not belong to the language model.
    #[error("{}: a tokenizer of {found} tokens for a language model of {expected}", path.display())]
    Vocabulary {
        /// tokenizer.json.
        path: PathBuf,
        /// Tokens that the language model knows.
        expected: usize,
        /// One more than the highest id of the tokenizer.
        found: usize,
    },
    /// The weights do not fit into the memory that is free now.
    #[error("{}: needs {} of memory, {} are free", path.display(), gib(*needed), gib(*available))]
    MemoryTooSmall {
        /// The model's folder.
        path: PathBuf,
        /// Bytes of its weights in the precision asked for.
        needed: u64,
        /// Bytes that the system can give without swapping.
        available: u64,
    },
    /// An option of text generation is out of its range.
    #[error("{option} is {found}, expected {expected}")]
    Generation {
        /// The option's name.
        option: &'static str,
        /// What it may be.
        expected: String,
        /// What was asked for.
        found: String,
    },
    /// The language model gave scores that are not numbers: its weights are
    /// broken, or overflow.
    #[error("the language model's scores for image {image} are not numbers")]
    Scores {
        /// Which image of the batch, from 0.
        image: usize,
    },
}
