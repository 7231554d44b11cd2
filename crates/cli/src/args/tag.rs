//! The options of `tag`.

use build_index::terminal::DeviceChoice;
use build_index::terminal::args::precision;
use clap::{Args as Group, ValueEnum};
use interrogate::Precision;
use interrogate::tagger::Thresholds;

use super::{Images, Output, Shards, Sidecars, Wording};

#[derive(Debug, Group)]
#[command(mut_arg("shards", |shards| shards.conflicts_with("sidecar")))]
pub(crate) struct Tag {
    #[command(flatten)]
    pub(crate) images: Images,
    /// Tagger: a folder with config.json, model.safetensors and selected_tags.csv, a hub id
    /// (owner/name), or wd-eva02-large-v3, wd-vit-large-v3, wd-vit-v3.
    #[arg(long, value_name = "MODEL", help_heading = "Model")]
    pub(crate) model: String,
    /// Precision of the computation; q8 (8 bits, CPU only) takes a quarter of the memory.
    /// [default: f32; with --device cuda bf16, or f16 if the
    /// checkpoint is stored in it]
    #[arg(
        long,
        value_parser = precision(&Precision::ALL),
        value_name = "PRECISION",
        help_heading = "Model"
    )]
    pub(crate) precision: Option<Precision>,
    /// Device for the tagger: cpu, cuda, cuda:N or metal, if the build supports it; auto is
    /// the GPU that the build supports, if it opens, else the CPU.
    #[arg(long, value_name = "DEVICE", default_value_t, help_heading = "Model")]
    pub(crate) device: DeviceChoice,
    #[command(flatten)]
    pub(crate) choice: TagChoice,
    #[command(flatten)]
    pub(crate) wording: Wording,
    #[command(flatten)]
    pub(crate) output: Output,
    #[command(flatten)]
    pub(crate) shards: Shards,
    #[command(flatten)]
    pub(crate) sidecars: Sidecars,
}

/// Which tags are written, and how.
#[derive(Debug, Group)]
#[command(next_help_heading = "Tags")]
pub(crate) struct TagChoice {
    /// Lowest score of a general tag, 0 to 1.
    #[arg(long, value_name = "SCORE", default_value_t = Thresholds::default().general, value_parser = score)]
    general_threshold: f32,
    /// Lowest score of a character, 0 to 1.
    #[arg(long, value_name = "SCORE", default_value_t = Thresholds::default().character, value_parser = score)]
    character_threshold: f32,
    /// Also write the rating with the highest score, as the first or the last tag.
    #[arg(long, value_enum, value_name = "PLACE")]
    pub(crate) rating: Option<Place>,
    /// Write characters before general tags.
    #[arg(long, alias = "character-tags-first")]
    pub(crate) characters_first: bool,
    /// Leave out these tags, separated by commas, with underscores or spaces. Can be repeated.
    #[arg(long, alias = "undesired-tags", value_name = "TAGS", value_delimiter = ',')]
    exclude_tags: Vec<String>,
    /// Write spaces for underscores, except in emoticons such as 0_0.
    #[arg(long, alias = "remove-underscore")]
    pub(crate) replace_underscores: bool,
    /// Text between two tags.
    #[arg(
        long,
        alias = "caption-separator",
        value_name = "TEXT",
        default_value = ", ",
        allow_hyphen_values = true
    )]
    pub(crate) separator: String,
}

/// Where a tag is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Place {
    /// Before all others.
    First,
    /// After all others.
    Last,
}

impl TagChoice {
    pub(crate) fn thresholds(&self) -> Thresholds {
        Thresholds { general: self.general_threshold, character: self.character_threshold }
    }

    /// Whether `--exclude-tags` names the tag.
    pub(crate) fn excludes(&self, name: &str) -> bool {
        let plain = |name: &str| name.trim().replace('_', " ");
        self.exclude_tags.iter().any(|excluded| plain(excluded) == plain(name))
    }
}

/// Parses a score.
fn score(typed: &str) -> Result<f32, String> {
    match typed.parse() {
        Ok(score) if (0.0..=1.0).contains(&score) => Ok(score),
        _ => Err("expected a number from 0 to 1".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_numbers_from_0_to_1() {
        assert_eq!((score("0"), score("1"), score("0.35")), (Ok(0.0), Ok(1.0), Ok(0.35)));
        for typed in ["-0.1", "1.1", "nan", "inf", ""] {
            assert!(score(typed).is_err(), "{typed}");
        }
    }
}
