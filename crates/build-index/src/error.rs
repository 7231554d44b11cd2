//! What can go wrong in a build, beside what goes wrong in the library.

use std::path::PathBuf;

use crate::lock::Holder;

/// A result of this library.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The library below refused: a file, the model, or the index.
    #[error(transparent)]
    Library(#[from] interrogate::Error),
    /// No dictionary was given, or the folder holds none: put a `.txt` file
    /// there, one label a line.
    #[error("no dictionary (*.txt) in {}", path.display())]
    NoDictionary {
        /// The folder.
        path: PathBuf,
    },
    /// A dictionary has no label: each of its lines was left out, or it has none.
    #[error("no label in {}: {left_out} of {lines} lines left out", path.display())]
    NoLabel {
        /// The dictionary.
        path: PathBuf,
        /// Lines it has.
        lines: usize,
        /// Lines that hold no usable label.
        left_out: usize,
    },
    /// A file's name does not do as a table's: rename the file.
    #[error("{}: {name:?} cannot name a table", path.display())]
    TableName {
        /// The dictionary.
        path: PathBuf,
        /// The name that was made of it.
        name: String,
    },
    /// Two dictionaries make tables of one name: rename or leave out one.
    #[error("two dictionaries for table {name}: {} and {}", first.display(), second.display())]
    TableTwice {
        /// The table's name.
        name: String,
        /// A dictionary for it.
        first: PathBuf,
        /// Another.
        second: PathBuf,
    },
    /// A file's name asks for more labels a prompt than can be counted.
    #[error("{}: top{found} is more than {}", path.display(), u32::MAX)]
    Top {
        /// The dictionary.
        path: PathBuf,
        /// The digits after "top".
        found: String,
    },
    /// A table would have more shards than the format numbers: ask for more rows
    /// a shard.
    #[error("table {table} would have {found} shards, expected at most {most}")]
    Shards {
        /// The table.
        table: String,
        /// The shards that its labels would take.
        found: usize,
        /// The shards that a table may have.
        most: usize,
    },
    /// Another build of the same index is running: wait for it, or end it.
    #[error("{} is being built by another process{}", path.display(), by(holder.as_ref()))]
    Locked {
        /// The index's folder.
        path: PathBuf,
        /// The other, where it can be read.
        holder: Option<Holder>,
    },
    /// The build was told to stop. What was encoded is kept: run it again.
    #[error("stopped after {done} of {total} labels")]
    Stopped {
        /// Labels encoded, in this build or before it.
        done: usize,
        /// Labels to encode.
        total: usize,
    },
    /// The encoder gave another number of rows than it was given labels: a bug
    /// of the encoder.
    #[error("the encoder gave {found} rows for {expected} labels")]
    Rows {
        /// Labels given.
        expected: usize,
        /// Rows returned.
        found: usize,
    },
    /// A label that was encoded has no row when its table is written: a file of
    /// the build was changed under it. Run it again.
    #[error("the row of {label:?} is lost")]
    RowLost {
        /// The label.
        label: String,
    },
    /// A file is no cache of clip-interrogator's, or not a whole one: delete it and
    /// let clip-interrogator write it anew.
    #[error("{}: {what}: expected {expected}, found {found}", path.display())]
    Cache {
        /// The cache.
        path: PathBuf,
        /// Which property of it.
        what: &'static str,
        /// What it had to be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// A cache is of other labels than the dictionary's: give the dictionary that
    /// clip-interrogator read.
    #[error(
        "{}: expected the hash {expected}, of the labels of {}, found {found}",
        path.display(), dictionary.display()
    )]
    CacheHash {
        /// The cache.
        path: PathBuf,
        /// The dictionary.
        dictionary: PathBuf,
        /// The digest of the dictionary's labels, as clip-interrogator makes it.
        expected: String,
        /// The digest in the cache.
        found: String,
    },
    /// A file's name tells no table that there is a dictionary for.
    #[error("{}: expected a name like MODEL_TABLE.safetensors, with a table of {}", path.display(), tables.join(", "))]
    CacheTable {
        /// The file.
        path: PathBuf,
        /// The tables of the dictionaries.
        tables: Vec<String>,
    },
    /// A folder holds no cache.
    #[error("no cache (*.safetensors) in {}", path.display())]
    CacheMissing {
        /// The folder.
        path: PathBuf,
    },
    /// A folder holds caches of several models, and none of them, or more than one,
    /// is called like the model in use.
    #[error("{}: expected the caches of one model, found those of {}", path.display(), found.join(", "))]
    CacheModels {
        /// The folder.
        path: PathBuf,
        /// What the models are called.
        found: Vec<String>,
    },
    /// Two caches are of one table: leave out one.
    #[error("two caches for table {table}: {} and {}", first.display(), second.display())]
    CacheTwice {
        /// The table.
        table: String,
        /// A cache of it.
        first: PathBuf,
        /// Another.
        second: PathBuf,
    },
    /// The rows of a cache are not what the model makes of its labels: they are
    /// another model's.
    #[error(
        "{}: expected rows of the model {model}, found others: {label:?} has a cosine of {cosine:.3} with the model's own",
        path.display()
    )]
    CacheModel {
        /// The cache.
        path: PathBuf,
        /// The model.
        model: String,
        /// A label that was tried.
        label: String,
        /// How near its row is.
        cosine: f64,
    },
    /// A dictionary is not the one that a table of the index was built from.
    #[error(
        "{}: expected the dictionary of the table {table} in {}, found other labels",
        path.display(), index.display()
    )]
    ExportDictionary {
        /// The dictionary.
        path: PathBuf,
        /// The index.
        index: PathBuf,
        /// The table.
        table: String,
    },
    /// A file stands where a cache is to be written: nothing is written over.
    #[error("{}: expected no such file, found one", path.display())]
    ExportStands {
        /// The file.
        path: PathBuf,
    },
}

impl Error {
    /// What to try next, one sentence without a full stop; `None` where the
    /// message says it all.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Error::Library(error) => return error.hint(),
            Error::NoDictionary { .. } => "put a .txt file there, one label a line",
            Error::NoLabel { .. } => "write one label a line, in UTF-8, or leave the file out",
            Error::TableName { .. } => {
                "name the file by letters, digits, '-', '_', '.' and spaces, 128 bytes at most"
            }
            Error::TableTwice { .. } => "rename one of the files, or leave it out",
            Error::Top { .. } => "name the file like flavors.top3.txt",
            Error::Shards { .. } => "allow more rows a shard (--shard-rows)",
            Error::Locked { .. } => "wait for the other build, or end it; nothing of it is lost",
            Error::Stopped { .. } => "run the same command again; it goes on where it stopped",
            Error::RowLost { .. } => "run the same command again; let no other program write there",
            Error::Cache { .. } => {
                "delete the file and let clip-interrogator write it anew, or leave it out; the labels are encoded then"
            }
            Error::CacheHash { .. } => {
                "give the dictionaries that clip-interrogator read: its own, or those that it was told to load"
            }
            Error::CacheTable { .. } => {
                "give the table's dictionary, or name the files to import one by one"
            }
            Error::CacheMissing { .. } => {
                "clip-interrogator keeps its caches in the folder cache/ where it was run"
            }
            Error::CacheModels { found, .. } => {
                let first = found.first().map_or("ViT-L-14_openai", String::as_str);
                return Some(format!("say which: --name {first}"));
            }
            Error::CacheTwice { .. } => "leave one of them out",
            Error::CacheModel { .. } => "name the model that clip-interrogator ran (--model)",
            Error::ExportDictionary { .. } => {
                "give the dictionaries of the build, or build the index again from these"
            }
            Error::ExportStands { .. } => "remove it, or name another folder",
            Error::Rows { .. } => return None,
        };
        Some(hint.to_owned())
    }
}

fn by(holder: Option<&Holder>) -> String {
    holder.map_or_else(String::new, |holder| format!(" ({holder})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_says_where_what_and_what_next() {
        let path = PathBuf::from("x.txt");
        let cases = [
            (Error::NoDictionary { path: "d".into() }, "no dictionary (*.txt) in d", "one label"),
            (
                Error::NoLabel { path: path.clone(), lines: 3, left_out: 3 },
                "no label in x.txt: 3 of 3 lines left out",
                "UTF-8",
            ),
            (
                Error::TableName { path: path.clone(), name: "a:b".into() },
                "x.txt: \"a:b\" cannot name a table",
                "letters",
            ),
            (
                Error::TableTwice { name: "x".into(), first: path.clone(), second: "y".into() },
                "two dictionaries for table x: x.txt and y",
                "rename",
            ),
            (
                Error::Top { path: path.clone(), found: "5000000000".into() },
                "x.txt: top5000000000 is more than 4294967295",
                "flavors.top3.txt",
            ),
            (
                Error::Shards { table: "x".into(), found: 9, most: 8 },
                "table x would have 9 shards, expected at most 8",
                "--shard-rows",
            ),
            (
                Error::Locked {
                    path: "i".into(),
                    holder: Some(Holder { pid: 7, host: Some("h".into()), since: 60 }),
                },
                "i is being built by another process (pid 7 on h, since 1970-01-01 00:01 UTC)",
                "wait",
            ),
            (
                Error::Locked { path: "i".into(), holder: None },
                "i is being built by another process",
                "wait",
            ),
            (Error::RowLost { label: "8k".into() }, "the row of \"8k\" is lost", "again"),
            (Error::Stopped { done: 1, total: 9 }, "stopped after 1 of 9 labels", "goes on"),
        ];
        let cases = cases.into_iter().chain(of_caches());
        for (error, message, hint) in cases {
            assert_eq!(error.to_string(), message);
            assert!(error.hint().unwrap().contains(hint), "{error}");
        }
        let rows = Error::Rows { expected: 2, found: 1 };
        assert_eq!(rows.to_string(), "the encoder gave 1 rows for 2 labels");
    }

    fn of_caches() -> [(Error, &'static str, &'static str); 9] {
        let path = PathBuf::from("c/m_t.safetensors");
        let text = str::to_owned;
        [
            (
                Error::Cache {
                    path: path.clone(),
                    what: "rows",
                    expected: text("unit length"),
                    found: text("length 2 in row 5"),
                },
                "c/m_t.safetensors: rows: expected unit length, found length 2 in row 5",
                "anew",
            ),
            (
                Error::CacheHash {
                    path: path.clone(),
                    dictionary: "t.txt".into(),
                    expected: text("ab"),
                    found: text("cd"),
                },
                "c/m_t.safetensors: expected the hash ab, of the labels of t.txt, found cd",
                "the dictionaries that clip-interrogator read",
            ),
            (
                Error::CacheTable { path: path.clone(), tables: vec![text("a"), text("b")] },
                "c/m_t.safetensors: expected a name like MODEL_TABLE.safetensors, with a table of a, b",
                "the table's dictionary",
            ),
            (Error::CacheMissing { path: "c".into() }, "no cache (*.safetensors) in c", "cache/"),
            (
                Error::CacheModels { path: "c".into(), found: vec![text("m"), text("n")] },
                "c: expected the caches of one model, found those of m, n",
                "--name m",
            ),
            (
                Error::CacheTwice { table: text("t"), first: path.clone(), second: "x".into() },
                "two caches for table t: c/m_t.safetensors and x",
                "leave one",
            ),
            (
                Error::CacheModel {
                    path: path.clone(),
                    model: text("m"),
                    label: text("8k"),
                    cosine: 0.25,
                },
                "c/m_t.safetensors: expected rows of the model m, found others: \"8k\" has a cosine of 0.250 with the model's own",
                "--model",
            ),
            (
                Error::ExportDictionary {
                    path: "t.txt".into(),
                    index: "i".into(),
                    table: text("t"),
                },
                "t.txt: expected the dictionary of the table t in i, found other labels",
                "build the index again",
            ),
            (
                Error::ExportStands { path },
                "c/m_t.safetensors: expected no such file, found one",
                "another folder",
            ),
        ]
    }
}
