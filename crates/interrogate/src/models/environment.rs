//! Variables and paths as `huggingface_hub` reads them: Python's `os.path.expanduser`
//! and `os.path.expandvars`.

use std::path::PathBuf;

/// Looks variables up; an empty value is none.
pub(super) struct Variables<'a>(&'a dyn Fn(&str) -> Option<String>);

impl<'a> Variables<'a> {
    pub(super) fn new(var: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Variables(var)
    }

    /// A variable's value.
    pub(super) fn get(&self, name: &str) -> Option<String> {
        (self.0)(name).filter(|value| !value.is_empty())
    }

    /// The value of the first that is set.
    pub(super) fn first(&self, names: &[&str]) -> Option<String> {
        names.iter().find_map(|name| self.get(name))
    }

    /// The home folder.
    pub(super) fn home(&self) -> PathBuf {
        self.first(&["HOME", "USERPROFILE"]).map(PathBuf::from).unwrap_or_default()
    }

    /// A variable that holds a path, with `~` and the variables in it replaced.
    pub(super) fn path(&self, name: &str) -> Option<PathBuf> {
        self.get(name).map(|text| self.expand_vars(&self.expand_user(&text)).into())
    }

    /// `~` and `~/...` by the home folder. Another user's home (`~name`) is not looked
    /// for.
    fn expand_user(&self, text: &str) -> String {
        match text.strip_prefix('~') {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => {
                format!("{}{rest}", self.home().to_string_lossy().trim_end_matches('/'))
            }
            _ => text.to_owned(),
        }
    }

    /// `$NAME` and `${NAME}` by their values; what is not set stays. Values are not
    /// looked into again.
    fn expand_vars(&self, text: &str) -> String {
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let (mut expanded, mut left) = (String::with_capacity(text.len()), text);
        while let Some(at) = left.find('$') {
            expanded += &left[..at];
            left = &left[at..];
            let behind = &left[1..];
            let (name, end) = match behind.strip_prefix('{') {
                Some(braced) => match braced.find('}') {
                    Some(end) => (&braced[..end], end + 3),
                    None => ("", 1),
                },
                None => {
                    let end = behind.find(|c| !is_name(c)).unwrap_or(behind.len());
                    (&behind[..end], end + 1)
                }
            };
            // Set to nothing, it is replaced by nothing.
            match (self.0)(name).filter(|_| !name.is_empty()) {
                Some(value) => expanded += &value,
                None => expanded += &left[..end],
            }
            left = &left[end..];
        }
        expanded + left
    }
}

/// What `huggingface_hub` takes for true.
pub(super) fn is_true(value: &str) -> bool {
    ["1", "ON", "YES", "TRUE"].iter().any(|yes| value.eq_ignore_ascii_case(yes))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of Python 3's `os.path.expandvars` with A=x, EMPTY=, R=$A.
    #[test]
    fn variables_are_expanded_as_python_does() {
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
