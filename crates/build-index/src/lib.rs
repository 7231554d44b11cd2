//! Builds label indexes: encodes dictionaries of labels once per model.
//!
//! [`open_all`] reads dictionaries and reports what it left out; [`embedded`](embedded()) returns
//! the compiled-in ones. A [`Builder`] encodes
//! their labels with a model and writes the index that [`interrogate::index`] reads. Only
//! labels that the previous index of the model does not hold are encoded. A build that was
//! stopped or killed is resumed: each block of rows is written to a journal before the
//! next begins.
//!
//! ```
//! use std::ops::ControlFlow;
//! # use interrogate::encoder::{Embeddings, TextEncoder, Tokens};
//! # use interrogate::Result;
//! # struct Lengths;
//! # impl TextEncoder for Lengths {
//! #     fn dim(&self) -> usize { 2 }
//! #     fn tokenize(&self, texts: &[&str]) -> Result<Tokens> {
//! #         let mut tokens = Tokens::new();
//! #         texts.iter().for_each(|text| tokens.push(&[text.len() as u32]));
//! #         Ok(tokens)
//! #     }
//! #     fn embed(&self, tokens: &Tokens) -> Result<Embeddings> {
//! #         Embeddings::new(2, tokens.iter().flat_map(|ids| [ids[0] as f32, 1.0]).collect())
//! #     }
//! # }
//! # let encoder = Lengths;
//! # let scratch = std::env::temp_dir().join(format!("build-index-doc-{}", std::process::id()));
//! # std::fs::create_dir_all(&scratch).unwrap();
//! # let (dicts, folder) = (scratch.join("mediums.txt"), scratch.join("index"));
//! # std::fs::write(&dicts, "oil painting\na photo\n\na photo\n").unwrap();
//! let dictionaries = build_index::open_all(&[dicts])?;
//! assert_eq!(*dictionaries[0].labels(), ["oil painting", "a photo"]);
//! assert_eq!(dictionaries[0].findings()[0].to_string(), "line 3: blank, left out");
//!
//! let builder = build_index::Builder::new(&encoder, "a-model", "its fingerprint");
//! let report = builder.build(&dictionaries, &folder, |_progress| ControlFlow::Continue(()))?;
//! assert_eq!((report.labels, report.encoded), (2, 2));
//! # std::fs::remove_dir_all(&scratch).unwrap();
//! # Ok::<(), build_index::Error>(())
//! ```
//!
//! [`Builder::build_part`] encodes one of several parts of a build, and [`merge`] makes the
//! same index of all of them as one build does.
//!
//! [`Builder::import`] uses rows of clip-interrogator's caches ([`open_caches`]), and an
//! [`Export`] writes such caches.
//!
//! The library prints nothing: progress goes to a callback, which can also stop the build.
//! The feature `terminal` adds the module `terminal`, which both programs print with.

mod builder;
mod cache;
mod dictionary;
pub mod durable;
mod error;
mod journal;
pub mod lock;
mod part;
mod plan;
mod report;
#[cfg(feature = "terminal")]
pub mod terminal;
mod vocabulary;
mod writer;

pub use builder::{Builder, Progress, merge};
pub use cache::{Cache, Export, Exported, cache_names, open_caches};
pub use dictionary::{
    Dictionary, Duplicates, Finding, FindingKind, Texts, embedded, embedded_texts, open_all,
};
pub use error::{CacheError, DictionaryError, Error, PartError, Result};
pub use part::{Part, PartNumber, open_parts};
pub use report::{PartReport, Report, TableReport};

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    /// Adds the Rust files below `folder`.
    fn add_sources(folder: &Path, sources: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { add_sources(&path, sources) } else { sources.push(path) }
        }
    }

    #[test]
    fn library_does_not_use_the_terminal() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut sources = Vec::new();
        add_sources(&root, &mut sources);
        let of_programs = ["terminal", "cli", "main.rs", "lib.rs"].map(|name| root.join(name));
        sources.retain(|path| !of_programs.iter().any(|program| path.starts_with(program)));
        assert!(sources.len() > 20);
        for path in sources {
            let code = fs::read_to_string(&path).unwrap();
            for word in ["terminal::", "clap", "indicatif", "signal_hook", "stderr", "stdout"] {
                assert!(!code.contains(word), "{}: {word}", path.display());
            }
        }
    }
}
