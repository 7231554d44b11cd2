//! The configuration: defaults of options, by the options' names, in the TOML file
//! `interrogate/config.toml` of the user's configuration folder.
//!
//! ```toml
//! model = "openai/clip-vit-large-patch14"
//! caption-model = "Salesforce/blip-image-captioning-large"
//! ```
//!
//! `args::defaults` applies them to the command line; `interrogate setup` writes them.

mod edit;
mod error;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use build_index::durable::{self, Draft};
use interrogate::{Error, input};
use toml::de::{DeTable, DeValue};

use crate::folders;
pub(crate) use error::ConfigError;

/// The name of the file.
const FILE: &str = "config.toml";

/// The maximum size of the file in bytes.
const LIMIT: u64 = 64 << 10;

/// The keys of the file, which are also the names of the options.
pub(crate) const KEYS: [&str; 2] = ["model", "caption-model"];

/// The defaults of options.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Config {
    /// The default of `--model`.
    pub(crate) model: Option<String>,
    /// The default of `--caption-model`.
    pub(crate) caption_model: Option<String>,
}

impl Config {
    /// Returns the path of the file, which may not exist.
    pub(crate) fn path() -> Result<PathBuf, ConfigError> {
        Ok(folders::config()?.join(FILE))
    }

    /// Reads the file. Without a file or a home folder there are no defaults.
    pub(crate) fn open() -> Result<Self, ConfigError> {
        match Self::path() {
            Ok(path) => Self::read(&path),
            Err(_) => Ok(Config::default()),
        }
    }

    /// Returns the defaults as they were when this was called first; none if the file is
    /// invalid, which commands that use them report by [`open`](Self::open).
    pub(crate) fn current() -> &'static Self {
        static CURRENT: LazyLock<Config> = LazyLock::new(|| Config::open().unwrap_or_default());
        &CURRENT
    }

    fn read(path: &Path) -> Result<Self, ConfigError> {
        Self::parse(path, &text(path)?)
    }

    fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let mut config = Config::default();
        for entry in entries(path, text)? {
            *config.field(entry.key) = Some(entry.value);
        }
        Ok(config)
    }

    /// Returns the values by their keys.
    pub(crate) fn values(&self) -> [(&'static str, Option<&str>); 2] {
        [(KEYS[0], self.model.as_deref()), (KEYS[1], self.caption_model.as_deref())]
    }

    /// Returns what to do about the model `name`, which does not exist, if the configuration
    /// names it.
    pub(crate) fn hint(name: &str) -> Option<String> {
        let named = |(_, value): &(_, Option<&str>)| *value == Some(name);
        let (key, _) = Self::current().values().into_iter().find(named)?;
        let option = if key == KEYS[0] { String::new() } else { format!("--{key} ") };
        let path = Self::path().ok()?;
        Some(format!(
            "it is the default {key} in {}; set another: interrogate setup {option}MODEL",
            path.display()
        ))
    }

    fn field(&mut self, key: &str) -> &mut Option<String> {
        if key == KEYS[0] { &mut self.model } else { &mut self.caption_model }
    }

    /// Writes the values that are set to the file, which is replaced as a whole, and returns its
    /// path. Other values, comments and the order of lines are kept.
    pub(crate) fn save(&self) -> Result<PathBuf, ConfigError> {
        let path = Self::path()?;
        // A link to a file elsewhere stays a link.
        let path = path.canonicalize().unwrap_or(path);
        self.save_to(&path)?;
        Ok(path)
    }

    fn save_to(&self, path: &Path) -> Result<(), ConfigError> {
        let text = text(path)?;
        let set = self.values().into_iter().filter_map(|(key, value)| Some((key, value?)));
        let text = edit::with_values(&text, &entries(path, &text)?, set);
        durable::create_folder(durable::folder_of(path))?;
        let mut draft = Draft::beside(path)?;
        draft.append(text.as_bytes())?;
        Ok(draft.persist(path)?)
    }
}

/// Returns the text of the file; empty if it does not exist.
fn text(path: &Path) -> Result<String, ConfigError> {
    match input::read_text(path, LIMIT) {
        Err(Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound => Ok(String::new()),
        read => Ok(read?),
    }
}

/// A value in the file.
struct Entry {
    key: &'static str,
    value: String,
    /// The bytes of the value in the text, quotes included.
    span: std::ops::Range<usize>,
}

/// Parses the entries, in the order of the text.
fn entries(path: &Path, text: &str) -> Result<Vec<Entry>, ConfigError> {
    let line = |at: usize| text.as_bytes()[..at.min(text.len())].split(|b| *b == b'\n').count();
    // `DeTable::parse` would report the last error, which may follow from the first.
    let (table, errors) = DeTable::parse_recoverable(text);
    let start = |error: &toml::de::Error| error.span().map_or(0, |span| span.start);
    if let Some(first) = errors.iter().min_by_key(|error| start(error)) {
        return Err(ConfigError::Syntax {
            path: path.to_owned(),
            line: line(start(first)),
            message: first.message().to_owned(),
        });
    }
    let mut keys: Vec<_> = table.into_inner().into_iter().collect();
    keys.sort_by_key(|(key, _)| key.span().start);
    let entry = |(key, value): (toml::Spanned<_>, toml::Spanned<DeValue<'_>>)| {
        let (line, name): (usize, std::borrow::Cow<'_, str>) =
            (line(key.span().start), key.into_inner());
        let Some(key) = KEYS.into_iter().find(|known| *known == name) else {
            let (path, key) = (path.to_owned(), name.into_owned());
            return Err(ConfigError::UnknownKey { path, line, key });
        };
        let span = value.span();
        let (expected, found) = match value.get_ref() {
            DeValue::String(name) if !name.trim().is_empty() => {
                return Ok(Entry { key, value: name.to_string(), span });
            }
            DeValue::String(_) => ("a name", "an empty string"),
            DeValue::Integer(_) | DeValue::Float(_) => ("a string", "a number"),
            DeValue::Boolean(_) => ("a string", "a boolean"),
            DeValue::Datetime(_) => ("a string", "a date"),
            DeValue::Array(_) => ("a string", "an array"),
            DeValue::Table(_) => ("a string", "a table"),
        };
        Err(ConfigError::Value { path: path.to_owned(), line, key, expected, found })
    };
    keys.into_iter().map(entry).collect()
}

#[cfg(test)]
mod tests;
