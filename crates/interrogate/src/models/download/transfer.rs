//! Transfers a file's bytes into a partial file, verifies them, and renames the file.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use sha2::{Digest, Sha256};

use super::remote_file::{RemoteFile, hex};
use super::retry::{Failure, retry};
use super::{Client, header};
use crate::error::HubError;
use crate::models::min_speed::SpeedMonitor;
use crate::{Error, Result, output};

/// Size of the read buffer in bytes.
const CHUNK: usize = 1 << 18;

impl Client<'_> {
    /// Downloads the file at `url` to `blobs`/etag, verified, and returns that path. Resumes from
    /// `blobs`/etag.incomplete; if the process is killed, nothing has the final name. Waits for
    /// another process that downloads the same file. `progress` gets the number of bytes so far.
    pub(in crate::models) fn download(
        &self,
        url: &str,
        remote: &RemoteFile,
        blobs: &Path,
        progress: &mut dyn FnMut(u64),
    ) -> Result<PathBuf> {
        let blob = blobs.join(&remote.etag);
        let exists = || std::fs::metadata(&blob).is_ok_and(|blob| blob.len() == remote.size);
        if exists() {
            return Ok(blob);
        }
        let part_path = blobs.join(format!("{}.incomplete", remote.etag));
        let mut part = output::open(&part_path)?;
        part.lock().map_err(Error::io("lock", &part_path))?;
        if exists() {
            // Another process has finished meanwhile; this part is a new, empty file.
            let _ = std::fs::remove_file(&part_path);
            return Ok(blob);
        }
        retry(self.options.retries, || {
            self.download_once(url, remote, (&mut part, &part_path), progress)
        })?;
        if let Err(error) = verify_digest(url, remote, &mut part, &part_path) {
            // Its content is wrong, so the next attempt must not resume it.
            part.set_len(0).map_err(Error::io("empty", &part_path))?;
            return Err(error);
        }
        part.sync_all().map_err(Error::io("write", &part_path))?;
        std::fs::rename(&part_path, &blob).map_err(Error::io("rename", &part_path))?;
        sync_folder(blobs)?;
        Ok(blob)
    }

    /// Appends to `part` what is missing of the file, in one request.
    fn download_once(
        &self,
        url: &str,
        remote: &RemoteFile,
        (part, path): (&mut File, &Path),
        progress: &mut dyn FnMut(u64),
    ) -> Result<(), Failure> {
        let disk = |error| Failure::Permanent(Error::io("write", path)(error));
        let mut done = part.seek(SeekFrom::End(0)).map_err(disk)?;
        if done > remote.size {
            done = truncate(part).map_err(disk)?;
        }
        if done == remote.size {
            progress(done);
            return Ok(());
        }
        let response = self.get(&remote.url, done).map_err(|e| Failure::connection(url, e))?;
        let range = header(response.headers(), "content-range").unwrap_or_default();
        match response.status().as_u16() {
            206 if range.starts_with(&format!("bytes {done}-")) => {}
            // The server ignores the range and sends the whole file.
            200 => done = truncate(part).map_err(disk)?,
            206 | 416 => {
                truncate(part).map_err(disk)?;
                let what = "content-range";
                return Err(Failure::Transient(Error::Hub(HubError::Answer {
                    url: url.to_owned(),
                    what,
                })));
            }
            _ => return Err(self.refusal(url, &response)),
        }
        let mut body = response.into_body().into_reader();
        let mut chunk = vec![0; CHUNK];
        let mut monitor = SpeedMonitor::new(self.options.min_speed, Instant::now());
        loop {
            let n = match body.read(&mut chunk) {
                Ok(0) => break,
                Ok(n) => n,
                Err(e) => return Err(Failure::connection(url, e.into())),
            };
            if done + n as u64 > remote.size {
                truncate(part).map_err(disk)?;
                return Err(Failure::Permanent(size_error(url, remote, done + n as u64)));
            }
            part.write_all(&chunk[..n]).map_err(disk)?;
            done += n as u64;
            progress(done);
            self.options.check_cancelled().map_err(Failure::Permanent)?;
            if monitor.is_too_slow(n as u64, Instant::now()) && done < remote.size {
                let least = self.options.min_speed.bytes_per_second;
                let message = format!("fewer than {least} bytes a second");
                let slow = io::Error::new(io::ErrorKind::TimedOut, message);
                return Err(Failure::connection(url, slow.into()));
            }
        }
        if done < remote.size {
            return Err(Failure::Transient(size_error(url, remote, done)));
        }
        Ok(())
    }
}

/// Empties a partial file; returns its length, 0.
fn truncate(part: &mut File) -> io::Result<u64> {
    part.set_len(0)?;
    part.seek(SeekFrom::Start(0))
}

/// Verifies the file's SHA-256 if the hub gives one, as it does for large files.
fn verify_digest(url: &str, remote: &RemoteFile, part: &mut File, path: &Path) -> Result<()> {
    if !remote.has_digest() {
        return Ok(());
    }
    let mut sum = Sha256::new();
    let mut chunk = vec![0; CHUNK];
    part.seek(SeekFrom::Start(0)).map_err(Error::io("read", path))?;
    loop {
        match part.read(&mut chunk).map_err(Error::io("read", path))? {
            0 => break,
            n => sum.update(&chunk[..n]),
        }
    }
    let found = hex(&sum.finalize());
    if found.eq_ignore_ascii_case(&remote.etag) {
        return Ok(());
    }
    let expected = remote.etag.clone();
    Err(Error::Hub(HubError::Digest { url: url.to_owned(), expected, found }))
}

/// Syncs a folder, so that a rename in it survives a power loss.
pub(in crate::models) fn sync_folder(folder: &Path) -> Result<()> {
    if cfg!(unix) {
        let open = File::open(folder).map_err(Error::io("open", folder))?;
        open.sync_all().map_err(Error::io("write", folder))?;
    }
    Ok(())
}

fn size_error(url: &str, remote: &RemoteFile, found: u64) -> Error {
    Error::Hub(HubError::Size { url: url.to_owned(), expected: remote.size, found })
}
