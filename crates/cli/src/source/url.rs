//! Images by address: which entries are addresses, and the client for them.

use std::path::{Path, PathBuf};

use interrogate::models::{ImageClient, Offline, Options, is_url};

use crate::error::CliError;

/// Returns the address that `path` is; `None` for a file that exists, whatever its name.
pub(super) fn of(path: &Path) -> Option<&str> {
    path.to_str().filter(|text| is_url(text) && path.symlink_metadata().is_err())
}

/// Returns a client if some of `entries` are addresses.
///
/// # Errors
/// If addresses are not `allowed`, by the option or by the environment.
pub(super) fn client(entries: &[PathBuf], allowed: bool) -> Result<Option<ImageClient>, CliError> {
    let Some(first) = entries.iter().find_map(|path| of(path)) else { return Ok(None) };
    if !allowed {
        return Err(CliError::Arguments {
            message: format!("{first}: expected a file, found an address"),
            hint: "pass --allow-urls to download images".to_owned(),
        });
    }
    let options = Options::from_vars(|name| std::env::var(name).ok());
    if let Some(Offline::Variable(name)) = options.offline {
        return Err(CliError::Arguments {
            message: format!("{first}: not downloaded, since {name} forbids it"),
            hint: format!("unset {name}"),
        });
    }
    Ok(Some(ImageClient::new(&options)?))
}
