//! The options that determine the records of a run.
//!
//! A run that resumes a file with other options would mix two kinds of records. Options that
//! change no record (where images are from, the batch size, where records go) are left out. The
//! index is compared by the digest of its manifest, wherever it is.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;

use build_index::terminal::DeviceChoice;
use clap::{Command, CommandFactory};
use serde_json::{Map, Value};

use crate::args::{Args, with_defaults};
use crate::config::Config;

/// The ids of options that change no record.
const NEUTRAL: &str = "allow_urls append average batch_size caption_extension exclude_dir filelist format no_mmap null \
                       output overwrite part paths quiet recursive report resume retry_failed shards sidecar skip_existing two_pass";

/// The ids of options that select the index, in commands that have one.
const SOURCE: [&str; 3] = ["dicts", "index", "model"];

/// The key of the index's digest.
const INDEX: &str = "the index";

/// Options by name; values as typed or by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RunOptions(BTreeMap<String, String>);

impl RunOptions {
    /// The options of this process.
    pub(crate) fn current() -> Self {
        let command = with_defaults(Args::command(), Config::current());
        Self::parse(command, std::env::args_os())
    }

    /// Parses `args`, the program's name first. The command is one of the options. Returns none
    /// where `args` is not a command line of this program.
    fn parse(command: Command, args: impl IntoIterator<Item = OsString>) -> Self {
        let mut options = BTreeMap::new();
        let mut command = &command;
        let Ok(matches) = command.clone().try_get_matches_from(args) else {
            return Self::default();
        };
        let (mut matches, mut names) = (&matches, Vec::new());
        while let Some((name, inner)) = matches.subcommand() {
            let Some(subcommand) = command.find_subcommand(name) else { break };
            names.push(name);
            (command, matches) = (subcommand, inner);
        }
        options.insert("the command".to_owned(), names.join(" "));
        let has_index = command.get_arguments().any(|arg| arg.get_id() == "index");
        for arg in command.get_arguments() {
            let id = arg.get_id().as_str();
            let is_neutral = NEUTRAL.split(' ').any(|neutral| neutral == id);
            if is_neutral || has_index && SOURCE.contains(&id) {
                continue;
            }
            let Some(values) = matches.try_get_raw(id).ok().flatten() else { continue };
            let mut values: Vec<_> = values.map(|value| value.to_string_lossy()).collect();
            if id == "device" {
                // By the device that computes: auto may be another one in the next run.
                let resolve = |name: &str| Some(name.parse::<DeviceChoice>().ok()?.device());
                values.iter_mut().for_each(|value| {
                    if let Some(device) = resolve(value) {
                        *value = device.to_string().into();
                    }
                });
            }
            let name = match (arg.get_long(), arg.get_short()) {
                (Some(long), _) => format!("--{long}"),
                (None, Some(short)) => format!("-{short}"),
                (None, None) => id.to_owned(),
            };
            options.insert(name, values.join(","));
        }
        RunOptions(options)
    }

    /// Sets the digest of the index's manifest.
    pub(super) fn set_index(&mut self, digest: String) {
        self.0.insert(INDEX.to_owned(), digest);
    }

    /// Returns the digest of the index's manifest, where it is set.
    pub(super) fn index(&self) -> Option<&str> {
        self.0.get(INDEX).map(String::as_str)
    }

    /// Describes each option of `self` that differs in `now`; the index is left out.
    pub(super) fn changes(&self, now: &Self) -> Vec<String> {
        let names: BTreeSet<&String> = self.0.keys().chain(now.0.keys()).collect();
        let text = |value: Option<&String>| {
            value.map_or_else(|| "unset".to_owned(), |value| format!("{value:?}"))
        };
        let pairs = names.into_iter().filter(|name| *name != INDEX);
        let pairs = pairs.map(|name| (name, self.0.get(name), now.0.get(name)));
        pairs
            .filter(|(_, was, is)| was != is)
            .map(|(name, was, is)| format!("{name} was {} and is {}", text(was), text(is)))
            .collect()
    }

    pub(crate) fn to_json(&self) -> Map<String, Value> {
        self.0.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect()
    }

    /// Parses [`to_json`](Self::to_json). `None` for any other text.
    pub(super) fn from_json(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok().map(RunOptions)
    }
}

#[cfg(test)]
impl<const N: usize> From<[(&str, &str); N]> for RunOptions {
    fn from(options: [(&str, &str); N]) -> Self {
        RunOptions(options.map(|(name, value)| (name.into(), value.into())).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> RunOptions {
        RunOptions::parse(Args::command(), line.split(' ').map(OsString::from))
    }

    #[test]
    fn options_that_change_no_record_are_left_out() {
        let plain = parse("interrogate prompt a.jpg -o x.jsonl");
        assert_eq!(plain.0["the command"], "prompt");
        assert_eq!((plain.0["--mode"].as_str(), plain.0.get("--precision")), ("seed", None));
        let same = "interrogate -q prompt b/ c.jpg --recursive --batch-size 3 -o y.csv --resume \
                    --index i --model m --sidecar --skip-existing";
        assert_eq!(parse(same), plain);
        for other in ["--mode fast", "--max-flavors 4", "--deny d.txt", "--precision bf16"] {
            let other = parse(&format!("interrogate prompt a.jpg {other}"));
            assert_ne!(other, plain);
        }
        let embed = |more: &str| parse(&format!("interrogate embed images a.jpg{more}"));
        assert_eq!(embed("").0["the command"], "embed images");
        assert_ne!(embed(" --model m"), embed(""), "without an index the model counts");
        assert_eq!(parse("interrogate rank a.jpg -t a,b").0["--table"], "a,b");
        assert_eq!(parse("cargo test"), RunOptions::default());
    }

    #[test]
    fn changes_name_each_option_that_differs() {
        let was = RunOptions::from([("--mode", "seed"), ("-k", "10"), (INDEX, "1")]);
        let is = RunOptions::from([("--mode", "fast"), ("--deny", "d"), (INDEX, "2")]);
        let expected = [
            "--deny was unset and is \"d\"",
            "--mode was \"seed\" and is \"fast\"",
            "-k was \"10\" and is unset",
        ];
        assert_eq!(was.changes(&is), expected);
        assert!(was.changes(&was).is_empty());
    }

    #[test]
    fn options_are_read_back_from_json() {
        let options = RunOptions::from([("--mode", "seed")]);
        let text = Value::from(options.to_json()).to_string();
        assert_eq!(RunOptions::from_json(&text), Some(options));
        assert_eq!(RunOptions::from_json(""), None);
    }
}
