//! One revision of a repository: which files it needs, and where the cache has them.

use std::path::{Path, PathBuf};

use hf_hub::{Cache, CacheRepo, Repo, RepoType};

use super::ModelKind;
use super::formats::{Format, shards};
use crate::error::HubError;
use crate::models::download::{Client, RemoteFile, sync_folder};
use crate::models::{Options, Progress};
use crate::{Error, Result, limits};

pub(super) const CONFIG: &str = "config.json";
/// Image preprocessing as transformers 5 writes it.
pub(super) const PROCESSOR: &str = "processor_config.json";
/// Image preprocessing as older versions write it. A repository may have both files;
/// `clip::preprocess` decides between them.
pub(super) const PREPROCESSOR: &str = "preprocessor_config.json";
/// The optional files of sentence-transformers.
const SENTENCE_PARTS: [&str; 2] = ["sentence_bert_config.json", "1_Pooling/config.json"];
pub(super) const TOKENIZER: &str = "tokenizer.json";
/// The files of a tokenizer without [`TOKENIZER`].
const TOKENIZER_PARTS: [&str; 2] = ["vocab.json", "merges.txt"];

/// One revision of a repository, on the hub and in the cache.
pub(super) struct Snapshot<'a> {
    kind: ModelKind,
    options: &'a Options,
    repo: Repo,
    cache: CacheRepo,
}

impl<'a> Snapshot<'a> {
    pub(super) fn new(kind: ModelKind, repo: &str, revision: &str, options: &'a Options) -> Self {
        let repo = Repo::with_revision(repo.to_owned(), RepoType::Model, revision.to_owned());
        let cache = Cache::new(options.cache.clone()).repo(repo.clone());
        Snapshot { kind, options, repo, cache }
    }

    /// Returns the folder in the cache if it has all files, with weights in `format`.
    pub(super) fn cached(&self, format: Format) -> Option<PathBuf> {
        let folder = match self.cache.get(CONFIG) {
            Some(config) => config.parent()?.to_owned(),
            // The revision may be a commit, which has no ref.
            None => self.cache.pointer_path(self.repo.revision()),
        };
        let has = |file: &str| folder.join(file).is_file();
        let has_shards = || {
            let shards = shards(&folder.join(format.index), format).ok()?;
            Some(shards.iter().all(|shard| has(shard)))
        };
        let complete = has(CONFIG)
            && (self.kind == ModelKind::Sentence || has(PROCESSOR) || has(PREPROCESSOR))
            && (has(TOKENIZER) || TOKENIZER_PARTS.into_iter().all(has))
            && (has(format.whole) || has_shards().unwrap_or(false));
        complete.then_some(folder)
    }

    /// Downloads the missing files, the weights last. Returns `None` if the repository has no
    /// weights in `format`.
    pub(super) fn fetch(
        &self,
        format: Format,
        client: &Client<'_>,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Option<PathBuf>> {
        let config = self.required(client, CONFIG, &self.repo.url_revision())?;
        // All other requests are by commit, so the files are of the same revision.
        let commit = config.commit.clone();
        let optional = |file: &'static str| {
            let remote = client.metadata(&self.url(&commit, file))?;
            Ok(remote.map(|remote| (file, remote)))
        };
        let Some(weights) = first(&[format.whole, format.index], optional)? else {
            return Ok(None);
        };
        let mut files = vec![(CONFIG, config)];
        match self.kind {
            ModelKind::Image => {
                files.extend(optional(PROCESSOR)?);
                match (optional(PREPROCESSOR)?, files.len()) {
                    (None, 1) => return Err(self.absent(PREPROCESSOR, &commit)),
                    (preprocessor, _) => files.extend(preprocessor),
                }
            }
            ModelKind::Sentence => {
                for part in SENTENCE_PARTS {
                    files.extend(optional(part)?);
                }
            }
        }
        match client.metadata(&self.url(&commit, TOKENIZER))? {
            Some(remote) => files.push((TOKENIZER, remote)),
            None => {
                for part in TOKENIZER_PARTS {
                    files.push((part, self.required(client, part, &commit)?));
                }
            }
        }
        files.push(weights);
        let mut fetch_file = |file: &str, remote: &RemoteFile| {
            self.fetch_file(client, &commit, file, remote, progress)
        };
        for (file, remote) in &files {
            fetch_file(file, remote)?;
        }
        let folder = self.cache.pointer_path(&commit);
        if files.iter().any(|(file, _)| *file == format.index) {
            for shard in shards(&folder.join(format.index), format)? {
                let remote = self.required(client, &shard, &commit)?;
                fetch_file(&shard, &remote)?;
            }
        }
        self.cache.create_ref(&commit).map_err(Error::io("write", &folder))?;
        Ok(Some(folder))
    }

    fn url(&self, revision: &str, file: &str) -> String {
        let endpoint = self.options.endpoint.trim_end_matches('/');
        format!("{endpoint}/{}/resolve/{revision}/{file}", self.repo.url())
    }

    fn required(&self, client: &Client<'_>, file: &str, revision: &str) -> Result<RemoteFile> {
        let remote = client.metadata(&self.url(revision, file))?;
        remote.ok_or_else(|| self.absent(file, revision))
    }

    fn absent(&self, file: &str, revision: &str) -> Error {
        Error::Hub(HubError::NotFound { url: self.url(revision, file) })
    }

    /// Downloads one file and links it into the snapshot.
    fn fetch_file(
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

/// Returns the first of `files` that `lookup` finds.
fn first<T>(
    files: &[&'static str],
    lookup: impl Fn(&'static str) -> Result<Option<T>>,
) -> Result<Option<T>> {
    files.iter().find_map(|file| lookup(file).transpose()).transpose()
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
