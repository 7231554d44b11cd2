//! What the page says above and below its cards.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use interrogate::index::Digest;

use super::escape::Html;

const STYLE: &str = include_str!("report.css");
const SCRIPT: &str = include_str!("report.js");

/// What the page is of.
pub(crate) struct Heading<'a> {
    /// The model, as people call it.
    pub(crate) model: &'a str,
    /// Where its index stands.
    pub(crate) index: &'a str,
    /// How the prompts were made; a card that was made otherwise says so.
    pub(crate) mode: &'a str,
    /// The index's tables, and how many labels each has.
    pub(crate) tables: Vec<(&'a str, usize)>,
    /// The score that fills a bar. Fixed from the beginning, so that cards can be
    /// written as they come, and bars of two pages of one model compare.
    pub(crate) scale: f32,
    /// What whoever reads it should know of the model.
    pub(crate) notice: Option<&'a str>,
}

impl Heading<'_> {
    /// What stands in the form under `name`, as HTML.
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

/// The page's script.
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

/// All that the page may load and run: what is in it. Content Security Policy
/// Level 3, with Trusted Types, by which no text can become markup in a browser
/// that knows them.
fn policy() -> String {
    let hash = |text| STANDARD.encode(Digest::of(lines(text).as_bytes()).as_bytes());
    format!(
        "default-src 'none'; img-src data:; style-src 'sha256-{}'; script-src 'sha256-{}'; \
         base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
        hash(STYLE),
        hash(SCRIPT)
    )
}

/// A browser hashes what it has read, whose lines end in LF whatever a checkout
/// made of them.
fn lines(text: &str) -> String {
    text.replace("\r\n", "\n")
}

/// `100954` as `100,954`.
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
    fn the_policy_lets_the_page_s_own_style_and_script_run_and_nothing_load() {
        let policy = policy();
        assert!(policy.starts_with("default-src 'none'; img-src data:; style-src 'sha256-"));
        assert_eq!(policy.matches("sha256-").count(), 2);
        assert!(!policy.contains("unsafe") && !policy.contains("http"), "{policy}");
    }

    #[test]
    fn style_and_script_do_not_end_their_own_elements() {
        assert!(!STYLE.contains("</style") && !SCRIPT.contains("</script"));
        assert!(!SCRIPT.contains("<!--") && !SCRIPT.contains("innerHTML"));
        assert!(![STYLE, SCRIPT].iter().any(|text| text.contains("http") || text.contains("url(")));
    }
}
