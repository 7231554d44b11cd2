//! The cache on disk: downloads a file into it and links the file into its snapshot.

use std::path::Path;

use super::snapshot::Snapshot;
use crate::models::Progress;
use crate::models::download::{Client, RemoteFile, sync_folder};
use crate::{Error, Result, limits};

impl Snapshot<'_> {
    /// Downloads one file and links it into the snapshot.
    pub(super) fn fetch_file(
        &self,
        client: &Client<'_>,
        commit: &str,
        file: &str,
        remote: &RemoteFile,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<()> {
        let folder = self.cache.pointer_path(commit);
        let blob = self.cache.blob_path(&remote.etag);
        let blobs = blob.parent().unwrap_or(&folder);
        let path = folder.join(file);
        let parent = path.parent().unwrap_or(&folder);
        for folder in [parent, blobs] {
            std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        }
        let url = self.url(commit, file);
        let is_weights = self.kind.formats().iter().any(|format| file.ends_with(format.ending));
        let limit = match (is_weights, remote.has_digest()) {
            (false, _) => limits::SMALL_FILE,
            (true, true) => limits::DOWNLOAD,
            (true, false) => limits::DOWNLOAD_UNVERIFIED,
        };
        if remote.size > limit {
            let expected = format!("at most {limit} bytes");
            return Err(Error::mismatch(url, "size", expected, remote.size));
        }
        let (total, has_checksum) = (remote.size, remote.has_checksum());
        let mut progress = |done| progress(Progress { file, done, total, has_checksum });
        client.download(&url, remote, blobs, &mut progress)?;
        // From the file's own folder up to the repository's, two levels above the snapshot.
        let up = "../".repeat(file.split('/').count() + 1);
        link(&blob, &Path::new(&up).join("blobs").join(&remote.etag), &path)?;
        sync_folder(parent)
    }
}

/// Links `path` to `blob`: as a symbolic link with the target `relative` on Unix, else as a hard
/// link.
fn link(blob: &Path, relative: &Path, path: &Path) -> Result<()> {
    let target = std::fs::canonicalize(path);
    if target.is_ok_and(|target| std::fs::canonicalize(blob).is_ok_and(|blob| blob == target)) {
        return Ok(());
    }
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            return Err(Error::io("replace", path)(e));
        }
        _ => {}
    }
    #[cfg(unix)]
    let linked = std::os::unix::fs::symlink(relative, path);
    #[cfg(not(unix))]
    let linked = {
        let _ = relative;
        std::fs::hard_link(blob, path)
    };
    linked.map_err(Error::io("link", path))
}
