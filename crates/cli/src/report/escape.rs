//! What comes from outside, as text and nothing but text.
//!
//! Labels, file names, captions, prompts and messages may hold anything. In HTML
//! they go through [`Html`], in JSON inside a `script` element through [`json`]; no
//! other way leads into the page.

use std::fmt::{self, Display, Write};

use serde::Serialize;

/// Text, shown such that HTML reads it as that text: between tags, or in an
/// attribute within quotes.
pub(super) struct Html<'a>(pub(super) &'a str);

impl Display for Html<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some(at) = rest.find(['&', '<', '>', '"', '\'', '\r', '\0']) {
            f.write_str(&rest[..at])?;
            f.write_str(match rest.as_bytes()[at] {
                b'&' => "&amp;",
                b'<' => "&lt;",
                b'>' => "&gt;",
                b'"' => "&quot;",
                b'\'' => "&#39;",
                // A bare one would be read as a line feed.
                b'\r' => "&#13;",
                // The one character that HTML has no way to write.
                _ => "\u{fffd}",
            })?;
            rest = &rest[at + 1..]; // each of them is one byte
        }
        f.write_str(rest)
    }
}

/// `value` as JSON that may stand in a `script` element: nothing in it ends the
/// element, begins a comment, or ends a line of script.
///
/// Outside of its strings JSON has none of these characters, and inside of them
/// `\u` is another spelling of the same.
///
/// # Errors
/// Those of serde_json.
pub(super) fn json(value: &impl Serialize) -> serde_json::Result<String> {
    let plain = serde_json::to_string(value)?;
    let mut safe = String::with_capacity(plain.len());
    for c in plain.chars() {
        match c {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                // To a String, which takes everything.
                let _ = write!(safe, "\\u{:04x}", u32::from(c));
            }
            c => safe.push(c),
        }
    }
    Ok(safe)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_html_would_read_is_spelled_out() {
        let text = "<script>alert('x')</script> & \"é\"\r\0";
        let html =
            "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; &quot;é&quot;&#13;\u{fffd}";
        assert_eq!(Html(text).to_string(), html);
    }

    #[test]
    fn json_cannot_leave_its_element() {
        let text = json(&"</script><!--\u{2028}&").unwrap();
        assert_eq!(text, r#""\u003c/script\u003e\u003c!--\u2028\u0026""#);
    }

    proptest! {
        #[test]
        fn json_means_what_it_did(text in "(.|[<>&\u{2028}\u{2029}\"\\\\\n])*") {
            let safe = json(&text).unwrap();
            let unsafe_ones = ['<', '>', '&', '\u{2028}', '\u{2029}', '\n'];
            prop_assert!(!safe.contains(unsafe_ones), "{}", safe);
            prop_assert_eq!(serde_json::from_str::<String>(&safe).unwrap(), text);
        }

        #[test]
        fn html_holds_no_tag_and_no_quote(text in "(.|[<>&\"'\r\n])*") {
            let html = Html(&text).to_string();
            let unsafe_ones = ['<', '>', '"', '\'', '\r', '\0'];
            prop_assert!(!html.contains(unsafe_ones), "{}", html);
            let back = html.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"");
            let back = back.replace("&#39;", "'").replace("&#13;", "\r").replace("&amp;", "&");
            prop_assert_eq!(back, text.replace('\0', "\u{fffd}"));
        }
    }
}
