//! Escapes untrusted text.
//!
//! Labels, file names, captions, prompts and messages may contain anything. They enter the
//! page only through [`Html`], in HTML, and [`json`], in a `script` element.

use std::fmt::{self, Display, Write};

use serde::Serialize;

/// Text, displayed with HTML escapes: for use between tags or in a quoted attribute.
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
                // HTML reads an unescaped one as a line feed.
                b'\r' => "&#13;",
                // NUL, which HTML cannot represent.
                _ => "\u{fffd}",
            })?;
            rest = &rest[at + 1..]; // every escaped character is one byte
        }
        f.write_str(rest)
    }
}

/// Returns `value` as JSON for a `script` element: it cannot end the element, start a
/// comment or end a line of script.
///
/// JSON has the escaped characters only inside strings, where a `\u` escape is equivalent.
///
/// # Errors
/// Those of serde_json.
pub(super) fn json(value: &impl Serialize) -> serde_json::Result<String> {
    let plain = serde_json::to_string(value)?;
    let mut safe = String::with_capacity(plain.len());
    for c in plain.chars() {
        match c {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                // Writing to a String does not fail.
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
    fn html_characters_are_escaped() {
        let text = "<script>alert('x')</script> & \"é\"\r\0";
        let html =
            "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; &quot;é&quot;&#13;\u{fffd}";
        assert_eq!(Html(text).to_string(), html);
    }

    #[test]
    fn json_cannot_end_its_element() {
        let text = json(&"</script><!--\u{2028}&").unwrap();
        assert_eq!(text, r#""\u003c/script\u003e\u003c!--\u2028\u0026""#);
    }

    proptest! {
        #[test]
        fn escaped_json_has_the_same_value(text in "(.|[<>&\u{2028}\u{2029}\"\\\\\n])*") {
            let safe = json(&text).unwrap();
            let special = ['<', '>', '&', '\u{2028}', '\u{2029}', '\n'];
            prop_assert!(!safe.contains(special), "{}", safe);
            prop_assert_eq!(serde_json::from_str::<String>(&safe).unwrap(), text);
        }

        #[test]
        fn escaped_html_has_no_tag_and_no_quote(text in "(.|[<>&\"'\r\n])*") {
            let html = Html(&text).to_string();
            let special = ['<', '>', '"', '\'', '\r', '\0'];
            prop_assert!(!html.contains(special), "{}", html);
            let back = html.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"");
            let back = back.replace("&#39;", "'").replace("&#13;", "\r").replace("&amp;", "&");
            prop_assert_eq!(back, text.replace('\0', "\u{fffd}"));
        }
    }
}
