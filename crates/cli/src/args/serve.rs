//! The options of `serve`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args as Group, ValueEnum};

use super::{Search, Source, TagChoice};

#[derive(Debug, Group)]
pub(crate) struct Serve {
    /// Address and port to listen on; port 0 chooses a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7861", help_heading = "Server")]
    pub(crate) addr: SocketAddr,
    #[command(flatten)]
    pub(crate) access: Access,
    /// Maximum number of images that are queued or computed at a time; more are refused with
    /// status 429.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 256,
        value_parser = clap::value_parser!(u16).range(1..=16384),
        help_heading = "Server"
    )]
    pub(crate) queue: u16,
    /// Longest time for a request, such as 90s or 5m.
    #[arg(long, value_name = "TIME", default_value = "300s", value_parser = duration, help_heading = "Server")]
    pub(crate) timeout: Duration,
    /// Time after SIGTERM or Ctrl-C in which open requests are finished.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration, help_heading = "Server")]
    pub(crate) drain: Duration,
    /// Format of the log on stderr: a line for each request, without images or prompts.
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t, help_heading = "Server")]
    pub(crate) log_format: LogFormat,
    /// Also log the prompts and captions that are written.
    #[arg(long, help_heading = "Server")]
    pub(crate) log_prompts: bool,
    #[command(flatten)]
    pub(crate) source: Source,
    /// Caption images with MODEL, for prompts and for /v1/caption: `interrogate caption --help`
    /// lists the models. [default: that of setup, or none]
    #[arg(long, alias = "caption-model-name", value_name = "MODEL", help_heading = "Captions")]
    pub(crate) caption_model: Option<String>,
    /// Serve without a caption model, also if setup has made one the default.
    #[arg(long, conflicts_with = "caption_model", help_heading = "Captions")]
    pub(crate) no_caption: bool,
    #[command(flatten)]
    pub(crate) search: Search,
    /// Tag images with a tagger of SmilingWolf's, for /v1/tag: `interrogate tag --help` lists
    /// the models. [default: none]
    #[arg(long, value_name = "MODEL", help_heading = "Tags")]
    pub(crate) tagger: Option<String>,
    #[command(flatten)]
    pub(crate) tags: TagChoice,
}

/// Who may use the server.
#[derive(Debug, Group)]
#[command(next_help_heading = "Access")]
pub(crate) struct Access {
    /// Key that every request has to carry: `Authorization: Bearer KEY` or `X-Api-Key: KEY`.
    #[arg(long, value_name = "KEY", conflicts_with = "api_key_file")]
    pub(crate) api_key: Option<String>,
    /// File whose first line is that key: other users can read a command line.
    #[arg(long, value_name = "FILE")]
    pub(crate) api_key_file: Option<PathBuf>,
    /// Listen on an address that other machines reach without a key.
    #[arg(long)]
    pub(crate) insecure: bool,
    /// Web origin whose pages may use the server, such as https://example.org (CORS). Can be
    /// repeated. [default: the server's own page]
    #[arg(long, value_name = "ORIGIN")]
    pub(crate) allow_origin: Vec<String>,
}

/// The format of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// A JSON object a line.
    Json,
}

/// Parses a time with a unit: ms, s or m; seconds without one.
fn duration(typed: &str) -> Result<Duration, String> {
    let split = typed.find(|c: char| !c.is_ascii_digit()).unwrap_or(typed.len());
    let (number, unit) = typed.split_at(split);
    let millis = match unit {
        "ms" => 1,
        "" | "s" => 1000,
        "m" => 60_000,
        _ => 0,
    };
    let number: Option<u64> = number.parse().ok();
    let millis = number.filter(|_| millis > 0).and_then(|number| number.checked_mul(millis));
    match millis {
        Some(millis @ 1..=86_400_000) => Ok(Duration::from_millis(millis)),
        _ => Err("expected a time up to a day, such as 500ms, 30s or 5m".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        let millis = |typed| duration(typed).map(|time| time.as_millis());
        assert_eq!(millis("500ms"), Ok(500));
        assert_eq!(
            (millis("30s"), millis("30"), millis("5m")),
            (Ok(30_000), Ok(30_000), Ok(300_000))
        );
        for typed in ["", "s", "-1s", "1h", "0s", "1.5s", "9999999m", "99999999999999999999"] {
            assert!(duration(typed).is_err(), "{typed}");
        }
    }
}
