//! One image on the page.

use std::fmt::Write;

use serde::Serialize;

use super::Thumbnail;
use super::escape::{Html, json};

/// What the page is told of one image.
pub(crate) struct Card<'a> {
    /// Its name, as the run's other outputs have it.
    pub(crate) image: &'a str,
    /// What it looks like, where it could be decoded.
    pub(crate) thumbnail: Option<&'a Thumbnail>,
    /// What is said of it, or why nothing could be.
    pub(crate) result: Result<Answer<'a>, &'a str>,
}

/// What is said of an image.
pub(crate) struct Answer<'a> {
    /// The caption, where there is one.
    pub(crate) caption: Option<&'a str>,
    /// The prompt; empty where no label scored enough.
    pub(crate) prompt: &'a str,
    /// How the prompt was made; shown where it is not the heading's.
    pub(crate) mode: &'a str,
    /// Of each table its name, and its labels with their scores, best first.
    pub(crate) tables: Vec<(&'a str, Vec<(&'a str, f32)>)>,
}

/// A table as the page's script reads it.
#[derive(Serialize)]
struct Table<'a> {
    name: &'a str,
    labels: Vec<&'a str>,
    scores: Vec<f32>,
}

impl Card<'_> {
    /// The card as an item of the page's list, whose mode is `mode`.
    ///
    /// # Errors
    /// Those of serde_json.
    pub(super) fn html(&self, mode: &str) -> serde_json::Result<String> {
        let class = if self.result.is_ok() { "card" } else { "card failed" };
        let mut html = format!("<li class=\"{class}\" tabindex=\"-1\">\n");
        match self.thumbnail {
            Some(Thumbnail { width, height, uri }) => html.push_str(&format!(
                "<figure class=\"photo\"><img src=\"{uri}\" width=\"{width}\" height=\"{height}\" \
                 alt=\"\" loading=\"lazy\" decoding=\"async\"></figure>\n"
            )),
            None => html.push_str("<figure class=\"photo missing\">no picture</figure>\n"),
        }
        html.push_str("<div class=\"words\"><div class=\"head\"><h2><bdi>");
        let (folder, name) = self.image.split_at(self.image.rfind('/').map_or(0, |at| at + 1));
        if !folder.is_empty() {
            html.push_str(&format!("<span class=\"folder\">{}</span>", Html(folder)));
        }
        html.push_str(&format!("{}</bdi>", Html(name)));
        match &self.result {
            Ok(answer) => answer.html(mode, &mut html)?,
            Err(error) => {
                html.push_str(&format!("</h2>\n<p class=\"error\"><bdi>{}</bdi></p>", Html(error)));
                html.push_str("</div></div>\n");
            }
        }
        html.push_str("</li>\n");
        Ok(html)
    }
}

impl Answer<'_> {
    /// From the end of the image's name on.
    fn html(&self, mode: &str, html: &mut String) -> serde_json::Result<()> {
        if self.mode != mode {
            html.push_str(&format!(" <span class=\"mode\">{}</span>", Html(self.mode)));
        }
        html.push_str("</h2>\n");
        if let Some(caption) = self.caption.filter(|caption| !caption.is_empty()) {
            html.push_str(&format!("<p class=\"caption\"><bdi>{}</bdi></p>\n", Html(caption)));
        }
        html.push_str("</div>\n<div class=\"prompt\">");
        let (prompt, disabled) = match self.prompt {
            "" => {
                ("<p class=\"empty\">No prompt: no label scores enough</p>".to_owned(), " disabled")
            }
            prompt => (format!("<p><bdi>{}</bdi></p>", Html(prompt)), ""),
        };
        html.push_str(&prompt);
        // To a String, which takes everything.
        let _ = writeln!(
            html,
            "<button type=\"button\" class=\"copy\" aria-label=\"Copy the prompt\"{disabled}>Copy</button></div></div>"
        );
        let tables = self.tables.iter().map(|(name, ranked)| {
            let (labels, scores) = ranked.iter().copied().unzip();
            Table { name, labels, scores }
        });
        let tables: Vec<Table<'_>> = tables.collect();
        let _ = writeln!(html, "<script type=\"application/json\">{}</script>", json(&tables)?);
        Ok(())
    }
}
