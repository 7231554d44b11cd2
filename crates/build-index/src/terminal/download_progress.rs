//! Progress of a model's download.

use interrogate::models::Progress;

use super::Logger;
use super::format::bytes;
use super::logger::Bar;

/// The bar's template, which a test parses.
const TEMPLATE: &str = "{wide_bar} {bytes}/{total_bytes} {msg}, {bytes_per_sec}, {eta} left";

/// Shows the [`Progress`] of downloads: a bar on a terminal, else a line for each file.
#[derive(Debug)]
pub struct DownloadProgress {
    logger: Logger,
    /// Made at the first update: most models are not downloaded.
    bar: Option<Bar>,
    /// The file in progress.
    file: String,
}

impl DownloadProgress {
    /// Shows progress by `logger`.
    pub fn new(logger: &Logger) -> Self {
        DownloadProgress { logger: logger.clone(), bar: None, file: String::new() }
    }

    /// Shows the newest progress.
    pub fn update(&mut self, progress: Progress<'_>) {
        let Progress { file, done, total, has_checksum } = progress;
        let mark = if has_checksum { "" } else { " (unverified: the hub gives no checksum)" };
        let bar = self.bar.get_or_insert_with(|| self.logger.bar(total, TEMPLATE));
        if self.file != file {
            file.clone_into(&mut self.file);
            bar.set_len(total);
            bar.set_message(format!("{file}{mark}"));
            if !self.logger.is_live() {
                self.logger.note(format_args!("fetching {file}, {}{mark}", bytes(total)));
            }
        }
        bar.set_position(done);
    }

    /// Removes the bar.
    pub fn finish(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use indicatif::ProgressStyle;

    use super::*;

    #[test]
    fn each_file_is_one_line() {
        let logger = Logger::in_memory(false);
        let mut progress = DownloadProgress::new(&logger);
        for (file, done) in [("config.json", 0), ("config.json", 9), ("model.safetensors", 5)] {
            progress.update(Progress { file, done, total: 2000, has_checksum: done > 0 });
        }
        progress.finish();
        assert_eq!(
            logger.messages(),
            "fetching config.json, 2.0 kB (unverified: the hub gives no checksum)\nfetching model.safetensors, 2.0 kB\n"
        );
    }

    #[test]
    fn template_parses() {
        assert!(ProgressStyle::with_template(TEMPLATE).is_ok());
    }
}
