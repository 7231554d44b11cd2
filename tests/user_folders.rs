//! A program's view of the user's folders: temporary ones. Every test that starts a program uses
//! this, so that no test reads or writes the folders of the user who runs it.

use std::path::Path;
use std::process::Command;

/// Sets the variables of the user's folders to folders below `root/user`, and a hub that cannot
/// be reached.
pub(crate) fn isolate<'c>(command: &'c mut Command, root: &Path) -> &'c mut Command {
    let user = root.join("user");
    for (name, folder) in [
        ("HOME", "home"),
        ("USERPROFILE", "home"),
        ("APPDATA", "data"),
        ("XDG_DATA_HOME", "data"),
        ("XDG_CONFIG_HOME", "config"),
        ("XDG_CACHE_HOME", "cache"),
    ] {
        command.env(name, user.join(folder));
    }
    for name in ["HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"] {
        command.env_remove(name);
    }
    command.env("HF_HOME", root.join("hf")).env("HF_ENDPOINT", "http://127.0.0.1:9")
}
