//! Environment variables and paths as `huggingface_hub` reads them, with Python's
//! `os.path.expanduser` and `os.path.expandvars`.

use std::path::PathBuf;

/// Looks up variables. An empty value counts as unset.
pub(super) struct Variables<'a>(&'a dyn Fn(&str) -> Option<String>);

impl<'a> Variables<'a> {
    pub(super) fn new(var: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Variables(var)
    }

    /// Returns a variable's value.
    pub(super) fn get(&self, name: &str) -> Option<String> {
        (self.0)(name).filter(|value| !value.is_empty())
    }

    /// Returns the value of the first variable that is set.
    pub(super) fn first(&self, names: &[&str]) -> Option<String> {
        names.iter().find_map(|name| self.get(name))
    }

    /// Returns the home folder.
    pub(super) fn home(&self) -> PathBuf {
        self.first(&["HOME", "USERPROFILE"]).map(PathBuf::from).unwrap_or_default()
    }

    /// Returns a variable's value as a path, with `~` and variables expanded.
    pub(super) fn path(&self, name: &str) -> Option<PathBuf> {
        self.get(name).map(|text| self.expand_vars(&self.expand_user(&text)).into())
    }

    /// Expands `~` and `~/...` to the home folder. Another user's home (`~name`) is left as is.
    fn expand_user(&self, text: &str) -> String {
        match text.strip_prefix('~') {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => {
                format!("{}{rest}", self.home().to_string_lossy().trim_end_matches('/'))
            }
            _ => text.to_owned(),
        }
    }

    /// Expands `$NAME` and `${NAME}`; unset variables are left as is. Values are not expanded
    /// again.
    fn expand_vars(&self, text: &str) -> String {
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let (mut expanded, mut left) = (String::with_capacity(text.len()), text);
        while let Some(at) = left.find('$') {
            expanded += &left[..at];
            left = &left[at..];
            let after = &left[1..];
            let (name, end) = match after.strip_prefix('{') {
                Some(braced) => match braced.find('}') {
                    Some(end) => (&braced[..end], end + 3),
                    None => ("", 1),
                },
                None => {
                    let end = after.find(|c| !is_name(c)).unwrap_or(after.len());
                    (&after[..end], end + 1)
                }
            };
            // An empty value does expand here, unlike in `get`.
            match (self.0)(name).filter(|_| !name.is_empty()) {
                Some(value) => expanded += &value,
                None => expanded += &left[..end],
            }
            left = &left[end..];
        }
        expanded + left
    }
}

/// Whether `huggingface_hub` reads `value` as true.
pub(super) fn is_true(value: &str) -> bool {
    ["1", "ON", "YES", "TRUE"].iter().any(|yes| value.eq_ignore_ascii_case(yes))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of Python 3's `os.path.expandvars` with A=x, EMPTY=, R=$A.
    #[test]
    fn variables_expand_as_in_python() {
        let var = |name: &str| match name {
            "A" => Some("x".to_owned()),
            "EMPTY" => Some(String::new()),
            "R" => Some("$A".to_owned()),
            _ => None,
        };
        let vars = Variables::new(&var);
        for (text, expanded) in [
            ("$A", "x"),
            ("${A}b$A", "xbx"),
            ("$Ab", "$Ab"),
            ("$A-b", "x-b"),
            ("$", "$"),
            ("$$A", "$x"),
            ("${A", "${A"),
            ("${}", "${}"),
            ("$EMPTY/", "/"),
            ("$R", "$A"),
            ("é$A é", "éx é"),
            ("$GONE/$A", "$GONE/x"),
        ] {
            assert_eq!(vars.expand_vars(text), expanded, "{text}");
        }
    }
}
