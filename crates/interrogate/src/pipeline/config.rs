//! The configuration file: the models to use, and the paths of models and dictionaries.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::error::PipelineError;
use crate::{Error, Result, input};

/// The keys of the file. All are required; no other is allowed.
pub const KEYS: [&str; 9] = [
    "blip_model",
    "blip_path",
    "clip_model",
    "clip_path",
    "dicts",
    "chunk_size",
    "embedding_model",
    "embedding_dir",
    "embedding_path",
];

/// Largest size of the file in bytes: it contains nine names and paths.
const MAX_BYTES: u64 = 1 << 20;

/// A parsed configuration file.
///
/// Paths are resolved: a relative path starts at the file's folder. An empty path stays
/// empty; its model is then found by name.
///
/// ```
/// use interrogate::pipeline::{Config, Overrides};
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("config.json");
/// std::fs::write(
///     &path,
///     r#"{"blip_model": "blip-base", "blip_path": "", "clip_model": "ViT-B-32",
///         "clip_path": "ViT-B-32.pt", "dicts": "dicts", "chunk_size": 2048,
///         "embedding_model": "all-MiniLM-L6-v2", "embedding_dir": "", "embedding_path": ""}"#,
/// )?;
/// let config = Config::open(&path, Overrides::default())?;
/// assert_eq!(config.clip_path, folder.path().join("ViT-B-32.pt"));
/// assert_eq!(config.blip_path.as_os_str(), "");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The configuration file, for messages.
    pub file: PathBuf,
    /// The captioner's name, such as `blip227b`.
    pub blip_model: String,
    /// The captioner's folder.
    pub blip_path: PathBuf,
    /// CLIP's name, such as `ViT-B-32`.
    pub clip_model: String,
    /// CLIP's folder, or OpenAI's checkpoint file.
    pub clip_path: PathBuf,
    /// The folder of dictionaries.
    pub dicts: PathBuf,
    /// Largest number of tokens, and so of labels, in one batch of the text tower. It bounds
    /// the memory of building an index and changes neither its rows nor a ranking.
    pub chunk_size: usize,
    /// The sentence encoder's name, such as `all-MiniLM-L6-v2`.
    pub embedding_model: String,
    /// A folder that contains the sentence encoder's folder, under its name.
    pub embedding_dir: PathBuf,
    /// The sentence encoder's folder. Takes precedence over `embedding_dir`.
    pub embedding_path: PathBuf,
}

/// Options of [`Config::open`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Overrides<'a> {
    /// The folder at which relative paths of models start, instead of the file's folder.
    pub models: Option<&'a Path>,
    /// A second file, whose keys replace those of the first. Its relative paths start at its
    /// own folder.
    pub extend: Option<&'a Path>,
}

impl Config {
    /// Reads the file or pipe at `path`, as [`input::read_file_or_pipe`] does.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Json`]; [`PipelineError::ConfigKey`] for a missing or unknown key;
    /// [`Error::Mismatch`] for a value of the wrong type and for more than 1 MiB.
    pub fn open(path: &Path, overrides: Overrides<'_>) -> Result<Self> {
        let mut file = ConfigFile::read(path, overrides.models)?;
        if let Some(more) = overrides.extend {
            file.extend(ConfigFile::read(more, None)?);
        }
        if let Some(key) = KEYS.into_iter().find(|key| !file.has(key)) {
            return Err(Error::Pipeline(PipelineError::ConfigKey {
                path: path.to_owned(),
                key: key.into(),
                problem: "no",
                keys: &KEYS,
            }));
        }
        Ok(Config {
            file: path.to_owned(),
            blip_model: file.text("blip_model")?,
            blip_path: file.path("blip_path")?,
            clip_model: file.text("clip_model")?,
            clip_path: file.path("clip_path")?,
            dicts: file.path("dicts")?,
            chunk_size: file.size("chunk_size")?,
            embedding_model: file.text("embedding_model")?,
            embedding_dir: file.path("embedding_dir")?,
            embedding_path: file.path("embedding_path")?,
        })
    }
}

/// The keys and values of one or more files.
struct ConfigFile(Vec<(&'static str, Entry)>);

struct Entry {
    value: Value,
    /// The file that contains the value.
    file: PathBuf,
    /// The folder at which a relative path starts.
    start: PathBuf,
}

impl ConfigFile {
    fn read(path: &Path, models: Option<&Path>) -> Result<Self> {
        let text = input::read_file_or_pipe(path, MAX_BYTES)?;
        let values: Map<String, Value> = serde_json::from_slice(&text)
            .map_err(|source| Error::Json { path: path.to_owned(), source })?;
        let parent = path.parent().unwrap_or(Path::new(""));
        let mut entries = Vec::new();
        for (key, value) in values {
            let Some(known) = KEYS.into_iter().find(|known| *known == key) else {
                return Err(Error::Pipeline(PipelineError::ConfigKey {
                    path: path.to_owned(),
                    key,
                    problem: "an unknown",
                    keys: &KEYS,
                }));
            };
            let start = if known == "dicts" { parent } else { models.unwrap_or(parent) };
            let entry = Entry { value, file: path.to_owned(), start: start.to_owned() };
            entries.push((known, entry));
        }
        Ok(ConfigFile(entries))
    }

    fn extend(&mut self, other: ConfigFile) {
        self.0.retain(|(key, _)| !other.has(key));
        self.0.extend(other.0);
    }

    fn has(&self, key: &str) -> bool {
        self.0.iter().any(|(known, _)| *known == key)
    }

    /// Converts the value of `key` by `convert`.
    fn get<T>(
        &self,
        key: &'static str,
        expected: &str,
        convert: impl Fn(&Entry) -> Option<T>,
    ) -> Result<T> {
        let entry = self.0.iter().find(|(known, _)| *known == key).map(|(_, entry)| entry);
        // Not `None`: `open` checked that every key exists.
        let entry = entry.ok_or_else(|| Error::mismatch("", key, expected, "none"))?;
        convert(entry).ok_or_else(|| Error::mismatch(&entry.file, key, expected, &entry.value))
    }

    fn text(&self, key: &'static str) -> Result<String> {
        self.get(key, "a text", |entry| entry.value.as_str().map(str::to_owned))
    }

    fn path(&self, key: &'static str) -> Result<PathBuf> {
        self.get(key, "a path", |entry| {
            let path = entry.value.as_str()?;
            Some(if path.is_empty() { PathBuf::new() } else { entry.start.join(path) })
        })
    }

    fn size(&self, key: &'static str) -> Result<usize> {
        self.get(key, "a number above 0", |entry| {
            entry.value.as_u64().and_then(|n| usize::try_from(n).ok()).filter(|&n| n > 0)
        })
    }
}
