//! The configuration file: which models, and where they and the dictionaries are.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::{Error, Result, input};

/// The keys of the file; all must be there, and no other.
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

/// Bytes of the file, at most: nine names and paths.
const MOST: u64 = 1 << 20;

/// The file, its paths resolved: a relative one starts at the file's own folder.
/// An empty path stays empty, and leaves the model to its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The file, for messages.
    pub file: PathBuf,
    /// The captioner's name, such as `blip227b`.
    pub blip_model: String,
    /// The captioner's folder.
    pub blip_path: PathBuf,
    /// CLIP's name, such as `ViT-B-32`.
    pub clip_model: String,
    /// CLIP's folder, or OpenAI's archive.
    pub clip_path: PathBuf,
    /// The folder of dictionaries.
    pub dicts: PathBuf,
    /// Most tokens of labels that go through the text tower together, and so
    /// most labels: it bounds the memory of building an index, and changes no
    /// row. Ranking is exact whatever it is.
    pub chunk_size: usize,
    /// The sentence encoder's name, such as `all-MiniLM-L6-v2`.
    pub embedding_model: String,
    /// A folder in which the sentence encoder's folder stands under its name.
    pub embedding_dir: PathBuf,
    /// The sentence encoder's folder itself, which goes before `embedding_dir`.
    pub embedding_path: PathBuf,
}

/// What a caller may say beside the file.
#[derive(Clone, Copy, Debug, Default)]
pub struct Overrides<'a> {
    /// Where relative paths of models start instead of at the file's folder.
    pub models: Option<&'a Path>,
    /// A second file, whose keys stand in place of the first's; its relative
    /// paths start at its own folder.
    pub extend: Option<&'a Path>,
}

impl Config {
    /// Reads the file at `path`, or what another program writes to it
    /// ([`input::read_file_or_pipe`]).
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Json`], [`Error::ConfigKey`] for a key that is
    /// missing or not known, [`Error::Mismatch`] for a value of another kind and
    /// for more than 1 MiB.
    pub fn open(path: &Path, overrides: Overrides<'_>) -> Result<Self> {
        let mut file = File::read(path, overrides.models)?;
        if let Some(more) = overrides.extend {
            file.extend(File::read(more, None)?);
        }
        if let Some(key) = KEYS.into_iter().find(|key| !file.has(key)) {
            return Err(Error::ConfigKey {
                path: path.to_owned(),
                key: key.into(),
                problem: "no",
                keys: &KEYS,
            });
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

/// Keys and values, each with the file that it is from and the folder that its
/// path starts at.
struct File(Vec<(&'static str, Entry)>);

struct Entry {
    value: Value,
    file: PathBuf,
    start: PathBuf,
}

impl File {
    fn read(path: &Path, models: Option<&Path>) -> Result<Self> {
        let text = input::read_file_or_pipe(path, MOST)?;
        let values: Map<String, Value> = serde_json::from_slice(&text)
            .map_err(|source| Error::Json { path: path.to_owned(), source })?;
        let own = path.parent().unwrap_or(Path::new(""));
        let mut entries = Vec::new();
        for (key, value) in values {
            let Some(known) = KEYS.into_iter().find(|known| *known == key) else {
                return Err(Error::ConfigKey {
                    path: path.to_owned(),
                    key,
                    problem: "an unknown",
                    keys: &KEYS,
                });
            };
            let start = if known == "dicts" { own } else { models.unwrap_or(own) };
            let entry = Entry { value, file: path.to_owned(), start: start.to_owned() };
            entries.push((known, entry));
        }
        Ok(File(entries))
    }

    fn extend(&mut self, other: File) {
        self.0.retain(|(key, _)| !other.has(key));
        self.0.extend(other.0);
    }

    fn has(&self, key: &str) -> bool {
        self.0.iter().any(|(known, _)| *known == key)
    }

    /// What `of` makes of the value of `key`.
    fn get<T>(
        &self,
        key: &'static str,
        expected: &str,
        of: impl Fn(&Entry) -> Option<T>,
    ) -> Result<T> {
        let entry = self.0.iter().find(|(known, _)| *known == key).map(|(_, entry)| entry);
        // Every key is there: `open` has looked.
        let entry = entry.ok_or_else(|| Error::mismatch("", key, expected, "none"))?;
        of(entry).ok_or_else(|| Error::mismatch(&entry.file, key, expected, &entry.value))
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
