//! How far a model's download has come, as a bar on a terminal or as plain lines.
//!
//! It turns [`Progress`] into words. Where they go is the caller's choice, as
//! with [`meter`](crate::meter).

use std::io::Write;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use interrogate::models::Progress;

use crate::escape::on_one_line;
use crate::talk::bytes;

/// Shows the progress of downloads, file by file.
pub struct Fetching<'a> {
    show: Show<'a>,
    /// The file that was shown last.
    file: String,
}

enum Show<'a> {
    Nothing,
    Bar(ProgressBar),
    Lines(Box<dyn Write + 'a>),
}

impl<'a> Fetching<'a> {
    /// Shows nothing.
    pub fn quiet() -> Self {
        Fetching { show: Show::Nothing, file: String::new() }
    }

    /// A bar on `target`, for a terminal.
    pub fn bar(target: ProgressDrawTarget) -> Self {
        let bar = ProgressBar::with_draw_target(None, target);
        // A template without a mistake, which the tests parse.
        if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
            bar.set_style(style);
        }
        Fetching { show: Show::Bar(bar), file: String::new() }
    }

    /// A line for each file on `out`, for a log.
    pub fn lines(out: impl Write + 'a) -> Self {
        Fetching { show: Show::Lines(Box::new(out)), file: String::new() }
    }

    /// Takes the newest progress.
    pub fn update(&mut self, progress: Progress<'_>) {
        let Progress { file, done, total, has_checksum } = progress;
        let another = self.file != file;
        if another {
            file.clone_into(&mut self.file);
        }
        match &mut self.show {
            Show::Nothing => {}
            Show::Bar(bar) => {
                if another {
                    bar.set_message(on_one_line(&self.file) + mark(has_checksum));
                    bar.set_length(total);
                }
                bar.set_position(done);
            }
            Show::Lines(out) if another => {
                // Who does not listen is not told.
                let _ = writeln!(
                    out,
                    "fetching {}, {}{}",
                    on_one_line(file),
                    bytes(total),
                    mark(has_checksum)
                );
            }
            Show::Lines(_) => {}
        }
    }

    /// Takes the bar away, so that what is printed next stands alone.
    pub fn finish(self) {
        if let Show::Bar(bar) = self.show {
            bar.finish_and_clear();
        }
    }
}

/// What is said of a file that the hub gives no name to compare it with.
fn mark(has_checksum: bool) -> &'static str {
    if has_checksum { "" } else { " (unverified: the hub gives no checksum)" }
}

const TEMPLATE: &str = "{wide_bar} {bytes}/{total_bytes} {msg}, {bytes_per_sec}, {eta} left";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_is_one_line() {
        let mut out = Vec::new();
        let mut fetching = Fetching::lines(&mut out);
        for (file, done) in [("config.json", 0), ("config.json", 9), ("model.safetensors", 5)] {
            fetching.update(Progress { file, done, total: 2000, has_checksum: done > 0 });
        }
        fetching.finish();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(
            text,
            "fetching config.json, 2.0 kB (unverified: the hub gives no checksum)\nfetching model.safetensors, 2.0 kB\n"
        );
    }

    #[test]
    fn the_bar_s_template_parses() {
        assert!(ProgressStyle::with_template(TEMPLATE).is_ok());
        let mut fetching = Fetching::bar(ProgressDrawTarget::hidden());
        fetching.update(Progress { file: "x", done: 3, total: 10, has_checksum: true });
        let Show::Bar(bar) = &fetching.show else { panic!("a bar was asked for") };
        assert_eq!((bar.position(), bar.length()), (3, Some(10)));
    }
}
