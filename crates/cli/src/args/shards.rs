//! The options of shards.

use std::path::PathBuf;
use std::str::FromStr;

use clap::Args as Group;

/// One result file for each input.
#[derive(Debug, Group)]
#[group(skip)]
#[command(next_help_heading = "Output")]
pub(crate) struct Shards {
    /// Write one Parquet file for each input into DIR: for each archive, Parquet file with
    /// images, folder and list (.txt, .csv, .tsv). Finished inputs are skipped, and keys
    /// and metadata of the input pass through. The file _SUCCESS comes last.
    #[arg(
        long,
        value_name = "DIR",
        conflicts_with_all = ["output", "format", "resume", "overwrite"]
    )]
    pub(crate) shards: Option<PathBuf>,
    /// With --shards: process every N-th input, beginning with the K-th, such as 1/8 to 8/8
    /// for eight machines with the same arguments.
    #[arg(long, value_name = "K/N", requires = "shards")]
    pub(crate) part: Option<Part>,
}

/// Every `of`-th of several inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// From 1 to `of`.
    number: usize,
    of: usize,
}

impl Part {
    /// All inputs.
    pub(crate) const ALL: Part = Part { number: 1, of: 1 };

    /// Whether the input at `position`, from 0, belongs to the part.
    pub(crate) fn has(self, position: usize) -> bool {
        position % self.of == self.number - 1
    }
}

impl FromStr for Part {
    type Err = String;

    fn from_str(typed: &str) -> Result<Self, String> {
        let parts = typed.split_once('/');
        let parts = parts.and_then(|(k, n)| Some((k.parse().ok()?, n.parse().ok()?)));
        match parts {
            Some((number, of)) if (1..=of).contains(&number) => Ok(Part { number, of }),
            _ => Err("expected K/N with K from 1 to N, such as 1/8".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_have_each_input_once() {
        let parts = ["1/3", "2/3", "3/3"].map(|part| part.parse::<Part>().unwrap());
        for position in 0..10 {
            assert_eq!(parts.iter().filter(|part| part.has(position)).count(), 1);
        }
        assert!((0..10).all(|position| Part::ALL.has(position)));
        for invalid in ["0/3", "4/3", "1", "a/b", "1/0", "-1/2", "1/2/3", ""] {
            assert!(invalid.parse::<Part>().is_err(), "{invalid}");
        }
    }
}
