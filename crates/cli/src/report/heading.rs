//! The parts of the page above and below the cards.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use interrogate::index::Digest;

use super::escape::Html;

const STYLE: &str = include_str!("report.css");
const SCRIPT: &str = include_str!("report.js");

/// The facts about the run.
pub(crate) struct Heading<'a> {
    /// The name of the model.
    pub(crate) model: &'a str,
    /// The folder of the index.
    pub(crate) index: &'a str,
    /// The mode of the prompts; a card with another mode shows it.
    pub(crate) mode: &'a str,
    /// The tables of the index and their numbers of labels.
    pub(crate) tables: Vec<(&'a str, usize)>,
    /// The score that fills a bar. It does not depend on the results, so that cards can be
    /// streamed and the bars of two pages of one model compare.
    pub(crate) scale: f32,
    /// The model's notice to readers.
    pub(crate) notice: Option<&'a str>,
}

impl Heading<'_> {
    /// Returns the value of `name` in the template, as HTML.
    pub(super) fn value(&self, name: &str) -> String {
        match name {
            "policy" => policy(),
            "version" => env!("CARGO_PKG_VERSION").to_owned(),
            "style" => lines(STYLE),
            "model" => Html(self.model).to_string(),
            "index" => Html(self.index).to_string(),
            "mode" => Html(self.mode).to_string(),
            "tables" => self.tables(),
            "scale" => self.scale.to_string(),
            "notice" => self.notice.map_or_else(String::new, |notice| {
                format!("<p class=\"notice\"><bdi>{}</bdi></p>", Html(notice))
            }),
            _ => String::new(),
        }
    }

    fn tables(&self) -> String {
        let table = |&(name, labels): &(&str, usize)| {
            format!("<span>{} <b><bdi>{}</bdi></b></span> ", grouped(labels), Html(name))
        };
        self.tables.iter().map(table).collect()
    }
}

/// Returns the script of the page.
pub(super) fn script() -> String {
    lines(SCRIPT)
}

/// `1,000 images, 3 of them failed.`
pub(super) fn total(cards: usize, failed: usize) -> String {
    let s = if cards == 1 { "" } else { "s" };
    let failed = match failed {
        0 => String::new(),
        n => format!(", {} of them failed", grouped(n)),
    };
    format!("{} image{s}{failed}.", grouped(cards))
}

/// The content security policy (CSP Level 3): the page may load and run only what it
/// contains. Trusted Types keep the script from making markup out of text in browsers that
/// support them.
fn policy() -> String {
    let hash = |text| STANDARD.encode(Digest::of(lines(text).as_bytes()).as_bytes());
    format!(
        "default-src 'none'; img-src data:; style-src 'sha256-{}'; script-src 'sha256-{}'; \
         base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
        hash(STYLE),
        hash(SCRIPT)
    )
}

/// Normalizes line ends to LF, as a browser does before hashing; a checkout may have CRLF.
fn lines(text: &str) -> String {
    text.replace("\r\n", "\n")
}

/// Formats `100954` as `100,954`.
fn grouped(n: usize) -> String {
    let digits = n.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_and_failures_counted() {
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(total(1, 0), "1 image.");
        assert_eq!(total(1000, 3), "1,000 images, 3 of them failed.");
    }

    #[test]
    fn policy_allows_the_own_style_and_script_only() {
        let policy = policy();
        assert!(policy.starts_with("default-src 'none'; img-src data:; style-src 'sha256-"));
        assert_eq!(policy.matches("sha256-").count(), 2);
        assert!(!policy.contains("unsafe") && !policy.contains("http"), "{policy}");
    }

    #[test]
    fn style_and_script_cannot_end_their_elements() {
        assert!(!STYLE.contains("</style") && !SCRIPT.contains("</script"));
        assert!(!SCRIPT.contains("<!--") && !SCRIPT.contains("innerHTML"));
        assert!(![STYLE, SCRIPT].iter().any(|text| text.contains("http") || text.contains("url(")));
    }
}
