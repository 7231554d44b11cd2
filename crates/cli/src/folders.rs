//! The user's folders: XDG's on Linux, those of the platform elsewhere.
//!
//! | | Linux | macOS | Windows |
//! |---|---|---|---|
//! | data | `$XDG_DATA_HOME` or `~/.local/share` | `~/Library/Application Support` | `%APPDATA%` |
//! | config | `$XDG_CONFIG_HOME` or `~/.config` | the same | the same |
//!
//! Ours is the folder `interrogate` in each. Models are in the cache of Hugging Face's
//! libraries ([`Options::from_vars`](interrogate::models::Options::from_vars)).

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use interrogate::Error;
use interrogate::models::Options;

/// Our folder in the user's folders.
const OURS: &str = "interrogate";

/// The variables that replace the folders on Linux.
const DATA: &str = "XDG_DATA_HOME";
const CONFIG: &str = "XDG_CONFIG_HOME";

/// There is no home folder, so the user has no folders.
#[derive(Debug, thiserror::Error)]
#[error("no home folder: the variable HOME is not set")]
pub(crate) struct NoHome {
    /// The variable that would do as well.
    pub(crate) variable: &'static str,
}

/// Returns our folder of data, which may not exist yet.
pub(crate) fn data() -> Result<PathBuf, NoHome> {
    folder(dirs::data_dir, DATA)
}

/// Returns our folder of configuration, which may not exist yet.
pub(crate) fn config() -> Result<PathBuf, NoHome> {
    folder(dirs::config_dir, CONFIG)
}

/// Returns the cache of models.
pub(crate) fn models() -> PathBuf {
    options().cache
}

/// Returns the options of downloads that the environment gives.
pub(crate) fn options() -> Options {
    Options::from_vars(|name| std::env::var(name).ok())
}

/// Returns our folder in the folder that `find` returns. Without HOME, `find` would ask the
/// system for the user's entry; the cache of models does not, and neither does this.
fn folder(find: fn() -> Option<PathBuf>, variable: &'static str) -> Result<PathBuf, NoHome> {
    let is_absolute = |name| std::env::var_os(name).is_some_and(|it| Path::new(&it).is_absolute());
    let has_home = !cfg!(unix) || is_absolute("HOME") || is_absolute(variable);
    let found = has_home.then(find).flatten().ok_or(NoHome { variable })?;
    Ok(found.join(OURS))
}

/// Returns how to use another folder if one of the user's cannot be written.
pub(crate) fn hint(error: &Error) -> Option<String> {
    let Error::Io { path, source, .. } = error else { return None };
    use ErrorKind::{NotADirectory, PermissionDenied, ReadOnlyFilesystem};
    if !matches!(source.kind(), NotADirectory | PermissionDenied | ReadOnlyFilesystem) {
        return None;
    }
    let within = |folder: PathBuf| path.starts_with(folder);
    let xdg = |variable: &str| {
        if cfg!(target_os = "linux") {
            format!("set {variable} to a folder that you may write")
        } else {
            "change the mode of the folder".to_owned()
        }
    };
    if within(models()) {
        Some("set HF_HOME to a folder that you may write".to_owned())
    } else if config().is_ok_and(within) {
        Some(xdg(CONFIG))
    } else if data().is_ok_and(within) {
        Some(format!("create the folder indexes in the working folder, or {}", xdg(DATA)))
    } else {
        None
    }
}
