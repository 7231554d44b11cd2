//! Who writes a file of answers, and by which options it was begun.
//!
//! Beside `answers.jsonl` stands `.answers.jsonl.run`, a [`Lock`] that also keeps
//! the options: a run that goes on with other ones would mix two kinds of answers
//! in one file. Options that change no answer (where images are from, how many go
//! together, where else answers are put) are not among them. What index was asked
//! is known by its manifest, wherever it lies.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use build_index::durable::folder_of;
use build_index::lock::Lock;
use clap::CommandFactory;
use interrogate::Error;
use interrogate::index::{Digest, Index};

use super::Refused;
use crate::args::Args;
use crate::fault::Fault;
use crate::logger::with_causes;

/// Options by their names, each as it was typed or by default.
type Options = BTreeMap<String, String>;

/// What the answers do not depend on.
const NEUTRAL: &str = "append average batch_size filelist format no_mmap null output overwrite paths quiet \
                       recursive report resume retry_failed sidecar skip_existing two_pass";

/// What says which index, where there is one: its manifest is compared instead.
const SOURCE: [&str; 3] = ["dicts", "index", "model"];

/// The name that the index has among the options.
const INDEX: &str = "the index";

/// The right to write a file, and how its answers come about.
#[derive(Debug, Default)]
pub(super) struct Record {
    path: PathBuf,
    lock: Option<Lock>,
    options: Options,
    /// The options that the answers in the file were made by, where they are gone on
    /// with and it is known.
    begun: Option<Options>,
    pub(super) notes: Vec<String>,
}

impl Record {
    /// Takes the right to write the file at `path`. Where no lock can be had, because
    /// the folder takes no new file or its file system has none, a note says so.
    ///
    /// # Errors
    /// [`Refused::Busy`]; [`Error::Mismatch`] where the file beside it is not a record.
    pub(super) fn open(path: &Path) -> Result<Self, Fault> {
        let mut record = Record {
            path: path.to_owned(),
            options: options(std::env::args_os()),
            ..Record::default()
        };
        match Lock::acquire(&beside(path)) {
            Ok(Ok(lock)) => {
                if let Some(holder) = lock.previous_owner() {
                    record.notes.push(format!(
                        "{}: taken over from a run that was killed ({holder})",
                        path.display()
                    ));
                }
                record.lock = Some(lock);
            }
            Ok(Err(holder)) => return Err(Refused::Busy { path: path.to_owned(), holder }.into()),
            // A file of the user's stands there, or a link to one: it is not written.
            Err(error @ Error::Mismatch { .. }) => return Err(error.into()),
            Err(error) => record.notes.push(format!(
                "{}; no second run is kept from writing {}, and its options are not remembered",
                with_causes(&error),
                path.display()
            )),
        }
        Ok(record)
    }

    /// Says that the answers in the file are gone on with.
    ///
    /// # Errors
    /// [`Refused::Options`] where they were made by others than those of this run.
    pub(super) fn go_on(&mut self) -> Result<(), Fault> {
        let kept = self.lock.as_ref().map_or("", Lock::stored);
        self.begun = serde_json::from_str(kept).ok();
        let Some(begun) = &self.begun else {
            if self.lock.is_some() {
                self.notes.push(format!(
                    "{}: nothing tells by which options it was begun; they are taken to be the same",
                    self.path.display()
                ));
            }
            return Ok(());
        };
        let names: BTreeSet<&String> = begun.keys().chain(self.options.keys()).collect();
        let mut changed = Vec::new();
        for name in names.into_iter().filter(|name| *name != INDEX) {
            let (was, is) = (begun.get(name), self.options.get(name));
            if was != is {
                let said = |value: Option<&String>| {
                    value.map_or_else(|| "left out".to_owned(), |value| format!("{value:?}"))
                };
                changed.push(format!("{name} was {} and is {}", said(was), said(is)));
            }
        }
        self.refuse(changed)
    }

    /// Says which index is asked.
    ///
    /// # Errors
    /// [`Refused::Options`] where the file's answers are another's.
    pub(super) fn asks(&mut self, index: &Index) -> Result<(), Fault> {
        let digest = Digest::of(&index.manifest().to_json()?).to_string();
        let was = self.begun.as_ref().and_then(|begun| begun.get(INDEX));
        if was.is_some_and(|was| *was != digest) {
            let path = index.path().display();
            self.refuse(vec![format!("{INDEX} was another one than {path} is now")])?;
        }
        self.options.insert(INDEX.to_owned(), digest);
        Ok(())
    }

    /// Remembers the options: the file is written from now on.
    pub(super) fn keep(&mut self) {
        if let Some(lock) = &mut self.lock {
            let options = self.options.iter();
            let options = options.map(|(name, value)| (name.clone(), value.as_str().into()));
            // Where it cannot be kept, the next run says that nothing tells.
            let _ = lock.store(&options.collect());
        }
    }

    fn refuse(&self, changed: Vec<String>) -> Result<(), Fault> {
        match changed.is_empty() {
            true => Ok(()),
            false => Err(Refused::Options { path: self.path.clone(), changed }.into()),
        }
    }
}

/// Where the record of the file at `path` stands: beside the file that a link leads to, so
/// that it has one whatever it is called.
pub(crate) fn beside(path: &Path) -> PathBuf {
    let real = std::fs::read_link(path).and_then(|_| path.canonicalize());
    let path = real.as_deref().unwrap_or(path);
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".run");
    folder_of(path).join(name)
}

/// The options that `words`, the program's name first, give or leave to their
/// defaults; the command is one of them. None where they cannot be parsed.
fn options(words: impl IntoIterator<Item = OsString>) -> Options {
    let mut options = Options::new();
    let mut command = &Args::command();
    let Ok(matches) = command.clone().try_get_matches_from(words) else { return options };
    let (mut matches, mut names) = (&matches, Vec::new());
    while let Some((name, below)) = matches.subcommand() {
        let Some(sub) = command.find_subcommand(name) else { break };
        names.push(name);
        (command, matches) = (sub, below);
    }
    options.insert("the command".to_owned(), names.join(" "));
    let neutral = |id| NEUTRAL.split(' ').any(|neutral| neutral == id);
    let asks = command.get_arguments().any(|arg| arg.get_id() == "index");
    for arg in command.get_arguments() {
        let id = arg.get_id().as_str();
        if neutral(id) || asks && SOURCE.contains(&id) {
            continue;
        }
        let Some(values) = matches.try_get_raw(id).ok().flatten() else { continue };
        let values: Vec<_> = values.map(|value| value.to_string_lossy()).collect();
        let name = match (arg.get_long(), arg.get_short()) {
            (Some(long), _) => format!("--{long}"),
            (None, Some(short)) => format!("-{short}"),
            (None, None) => id.to_owned(),
        };
        options.insert(name, values.join(","));
    }
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(line: &str) -> Options {
        options(line.split(' ').map(OsString::from))
    }

    #[test]
    fn options_that_change_an_answer_are_told_from_those_that_do_not() {
        let plain = typed("interrogate prompt a.jpg -o x.jsonl");
        assert_eq!(plain["the command"], "prompt");
        assert_eq!((plain["--mode"].as_str(), plain["--precision"].as_str()), ("seed", "f32"));
        let same = "interrogate -q prompt b/ c.jpg --recursive --batch-size 3 -o y.csv --resume \
                    --index i --model m --sidecar --skip-existing";
        assert_eq!(typed(same), plain);
        for other in ["--mode fast", "--max-flavors 4", "--deny d.txt", "--precision bf16"] {
            let other = typed(&format!("interrogate prompt a.jpg {other}"));
            assert_ne!(other, plain);
        }
        let embed = |more: &str| typed(&format!("interrogate embed images a.jpg{more}"));
        assert_eq!(embed("")["the command"], "embed images");
        assert_ne!(embed(" --model m"), embed(""), "no index tells of the model");
        assert_eq!(typed("interrogate rank a.jpg -t a,b")["--table"], "a,b");
        assert!(typed("cargo test").is_empty());
    }

    fn record(options: &[(&str, &str)], folder: &Path) -> Record {
        let mut record = Record::open(&folder.join("a.jsonl")).unwrap();
        let options = options.iter().map(|(name, value)| (name.to_string(), value.to_string()));
        record.options = options.collect();
        record
    }

    #[test]
    fn answers_of_other_options_are_not_gone_on_with() {
        let folder = tempfile::tempdir().unwrap();
        let begun = [("--mode", "seed"), ("-k", "10")];
        let mut first = record(&begun, folder.path());
        first.go_on().unwrap();
        assert!(first.notes[0].contains("nothing tells by which options"), "{:?}", first.notes);
        first.keep();
        drop(first);
        record(&begun, folder.path()).go_on().unwrap();
        let others = [("--mode", "fast"), ("--deny", "d")];
        let error = record(&others, folder.path()).go_on().unwrap_err().to_string();
        let tail = "a.jsonl was begun with other options: --deny was left out and is \"d\"; \
                    --mode was \"seed\" and is \"fast\"; -k was \"10\" and is left out";
        assert!(error.ends_with(tail), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_or_a_file_of_the_user_s_is_refused_and_stays() {
        use std::fs;
        let folder = tempfile::tempdir().unwrap();
        let (mine, path) = (folder.path().join("mine"), folder.path().join(".a.jsonl.run"));
        fs::write(&mine, "precious\n").unwrap();
        for (number, said) in ["kind: ", "links: ", "content: "].into_iter().enumerate() {
            match number {
                0 => std::os::unix::fs::symlink(&mine, &path).unwrap(),
                1 => fs::hard_link(&mine, &path).unwrap(),
                _ => fs::write(&path, "precious\n").unwrap(),
            }
            let error = Record::open(&folder.path().join("a.jsonl")).unwrap_err().to_string();
            assert!(error.starts_with(&format!("{}: {said}", path.display())), "{error}");
            assert_eq!(fs::read(&mine).unwrap(), b"precious\n");
            assert_eq!(fs::read(&path).unwrap(), b"precious\n");
            fs::remove_file(&path).unwrap();
        }
    }

    #[test]
    fn of_two_runs_the_second_is_told_of_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let first = record(&[], folder.path());
        let error = Record::open(&folder.path().join("a.jsonl")).unwrap_err().to_string();
        let pid = format!("a.jsonl is being written by another run (pid {}", std::process::id());
        assert!(error.contains(&pid), "{error}");
        drop(first);
        assert!(record(&[], folder.path()).notes.is_empty());
    }

    #[cfg(unix)]
    #[test]
    fn a_file_has_one_record_whatever_it_is_called() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("a.jsonl"), folder.path().join("link"));
        std::fs::write(&file, "").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        let _first = Record::open(&link).unwrap();
        let error = Record::open(&file).unwrap_err().to_string();
        assert!(error.contains("is being written by another run"), "{error}");
    }

    #[test]
    fn where_no_lock_can_be_had_the_run_goes_on_and_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let mut record = Record::open(&folder.path().join("gone/a.jsonl")).unwrap();
        assert!(record.notes[0].contains("no second run is kept from writing"));
        record.keep();
        record.go_on().unwrap();
    }
}
