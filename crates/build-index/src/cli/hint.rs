//! Hints that name options of the command.

use build_index::terminal::build_hint;
use build_index::{CacheError, Error, PartError};

/// Returns what to try next: the option to pass, else the error's own hint.
pub(super) fn hint(error: &Error) -> Option<String> {
    Some(match error {
        Error::Shards { .. } => "allow more rows per shard (--shard-rows)".to_owned(),
        Error::Cache(CacheError::Models { found, .. }) => {
            let first = found.first().map_or("ViT-L-14_openai", String::as_str);
            format!("pass --name {first}, or another of them")
        }
        Error::Cache(CacheError::OtherModel { .. }) => {
            "name the model that clip-interrogator ran (--model)".to_owned()
        }
        Error::Part(PartError::Unfinished { part, .. }) => {
            format!("run its build again with --part {part}; it resumes where it stopped")
        }
        Error::Part(PartError::Absent { missing, of }) => {
            let first = missing.first().copied().unwrap_or_default();
            format!("build it with --part {first}/{of}, or name its folder too")
        }
        Error::Part(PartError::Dictionaries { .. }) => {
            "pass --dicts with the dictionaries that the parts were built from".to_owned()
        }
        Error::Part(PartError::Exists { .. }) => {
            "pass another folder (-o), or remove this one with its rows".to_owned()
        }
        _ => return build_hint(error),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_name_the_options_to_pass() {
        let shards = Error::Shards { table: "x".into(), found: 9, most: 8 };
        assert!(hint(&shards).unwrap().contains("--shard-rows"));
        let found = vec!["m".to_owned(), "n".to_owned()];
        let models = CacheError::Models { path: "c".into(), found };
        assert!(hint(&models.into()).unwrap().contains("--name m"));
        let (path, model, label) = ("c".into(), "m".into(), "8k".into());
        let other = CacheError::OtherModel { path, model, label, cosine: 0.25 };
        assert!(hint(&other.into()).unwrap().contains("--model"));
        let unfinished = PartError::Unfinished { path: "p".into(), part: "2/8".into() };
        assert!(hint(&unfinished.into()).unwrap().contains("--part 2/8"));
        let absent = PartError::Absent { missing: vec![3, 5], of: 8 };
        assert!(hint(&absent.into()).unwrap().contains("--part 3/8"));
        let (expected, found) = ("1 labels".to_owned(), "none".to_owned());
        let (path, what) = ("p".into(), "dictionary a".to_owned());
        let dictionaries = PartError::Dictionaries { path, what, expected, found };
        assert!(hint(&dictionaries.into()).unwrap().contains("--dicts"));
        let stopped = Error::Stopped { done: 1, total: 9 };
        assert_eq!(hint(&stopped), stopped.hint());
    }
}
