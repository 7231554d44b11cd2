//! The card of one image.

use std::fmt::Write;

use serde::Serialize;

use super::Thumbnail;
use super::escape::{Html, json};

/// The results of one image.
pub(crate) struct Card<'a> {
    /// The name, as in the other outputs of the run.
    pub(crate) image: &'a str,
    /// The thumbnail, if the image could be decoded.
    pub(crate) thumbnail: Option<&'a Thumbnail>,
    /// The prompt, or the error message.
    pub(crate) result: Result<Answer<'a>, &'a str>,
}

/// The prompt of an image and its labels.
pub(crate) struct Answer<'a> {
    /// The caption, if there is one.
    pub(crate) caption: Option<&'a str>,
    /// The prompt; empty if no label scores enough, `None` on a page without prompts.
    pub(crate) prompt: Option<&'a str>,
    /// The mode of the prompt; shown if it differs from the page's.
    pub(crate) mode: &'a str,
    /// The name of each table, and its labels with their scores, best first.
    pub(crate) tables: Vec<(&'a str, Vec<(&'a str, f32)>)>,
}

/// A table for the page's script.
#[derive(Serialize)]
struct Table<'a> {
    name: &'a str,
    labels: Vec<&'a str>,
    scores: Vec<f32>,
}

impl Card<'_> {
    /// Returns the card as an item of the list on a page of mode `mode`.
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
    /// Appends the card from the end of the image's name on.
    fn html(&self, mode: &str, html: &mut String) -> serde_json::Result<()> {
        if self.mode != mode {
            html.push_str(&format!(" <span class=\"mode\">{}</span>", Html(self.mode)));
        }
        html.push_str("</h2>\n");
        if let Some(caption) = self.caption.filter(|caption| !caption.is_empty()) {
            html.push_str(&format!("<p class=\"caption\"><bdi>{}</bdi></p>\n", Html(caption)));
        }
        html.push_str("</div>\n");
        if let Some(prompt) = self.prompt {
            push_prompt(prompt, html);
        }
        html.push_str("</div>\n");
        let tables = self.tables.iter().map(|(name, ranked)| {
            let (labels, scores) = ranked.iter().copied().unzip();
            Table { name, labels, scores }
        });
        let tables: Vec<Table<'_>> = tables.collect();
        let _ = writeln!(html, "<script type=\"application/json\">{}</script>", json(&tables)?);
        Ok(())
    }
}

/// Appends a prompt and its button.
fn push_prompt(prompt: &str, html: &mut String) {
    let (prompt, disabled) = match prompt {
        "" => ("<p class=\"empty\">No prompt: no label scores enough</p>".to_owned(), " disabled"),
        prompt => (format!("<p><bdi>{}</bdi></p>", Html(prompt)), ""),
    };
    html.push_str("<div class=\"prompt\">");
    html.push_str(&prompt);
    // Writing to a String does not fail.
    let _ = write!(
        html,
        "<button type=\"button\" class=\"copy\" aria-label=\"Copy the prompt\"{disabled}>Copy</button></div>"
    );
}
