//! A model's files from a hub: which they are, and where they lie once fetched.
//!
//! Owns the choice of files and revisions, and the cache's layout, which is
//! hf-hub's and `huggingface_hub`'s: `models--owner--name/` with `blobs/etag`,
//! `snapshots/commit/file` linked to them, and `refs/revision`. The bytes are
//! `transfer`'s.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use hf_hub::{Cache, CacheRepo, Repo, RepoType};
use serde::Deserialize;

use super::transfer::{Client, Remote, sync_folder};
use super::{Options, Progress};
use crate::{Error, Result, input, limits};

const CONFIG: &str = "config.json";
const PREPROCESSOR: &str = "preprocessor_config.json";
const TOKENIZER: &str = "tokenizer.json";
const TOKENIZER_PARTS: [&str; 2] = ["vocab.json", "merges.txt"];
const WEIGHTS: &str = "model.safetensors";
const WEIGHTS_INDEX: &str = "model.safetensors.index.json";

/// Repositories whose main branch has weights as a pickle alone, with the pull
/// request that adds them as safetensors (candle-examples, `clip` and `blip`).
const SAFETENSORS_AT: [(&str, &str); 2] = [
    ("Salesforce/blip-image-captioning-large", "refs/pr/18"),
    ("openai/clip-vit-base-patch32", "refs/pr/15"),
];

/// The folder that holds the files of `repo` (`owner/name`): config.json,
/// preprocessor_config.json, tokenizer.json or vocab.json and merges.txt, and
/// the weights as safetensors, in one file or in shards.
///
/// Without a `revision` it is the main branch, or where that has no
/// safetensors, the pull request known to add them. What is in the cache
/// already costs no request, and a branch that has moved on since is not
/// noticed. A transfer that broke off is gone on with, by the next call as well.
///
/// # Errors
/// [`Error::HubAbsent`] where the repository or a file of it does not exist,
/// [`Error::HubDenied`] where a token is needed, [`Error::HubWeights`] where
/// there are no safetensors, [`Error::Hub`], [`Error::HubStatus`] and
/// [`Error::HubAnswer`] for trouble on the way, [`Error::HubSize`] and
/// [`Error::HubDigest`] for a file that is not the one the hub announced,
/// [`Error::HubOffline`] where nothing may be downloaded, [`Error::Mismatch`] for a file
/// that is too large, [`Error::Io`] for trouble with the cache.
pub fn fetch(
    repo: &str,
    revision: Option<&str>,
    options: &Options,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<PathBuf> {
    fetch_of(Kind::Pictures, repo, revision, options, progress)
}

/// The same for a model that sees texts alone, and so has no
/// preprocessor_config.json.
///
/// # Errors
/// Those of [`fetch`].
pub fn fetch_sentences(
    repo: &str,
    revision: Option<&str>,
    options: &Options,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<PathBuf> {
    fetch_of(Kind::Sentences, repo, revision, options, progress)
}

/// What a repository's model looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Pictures,
    Sentences,
}

fn fetch_of(
    kind: Kind,
    repo: &str,
    revision: Option<&str>,
    options: &Options,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<PathBuf> {
    let known = SAFETENSORS_AT.iter().filter(|(name, _)| *name == repo).map(|(_, at)| *at);
    let revisions: Vec<&str> = match revision {
        Some(revision) => vec![revision],
        None => std::iter::once("main").chain(known).collect(),
    };
    let snapshots: Vec<Snapshot> =
        revisions.iter().map(|revision| Snapshot::new(kind, repo, revision, options)).collect();
    if let Some(folder) = snapshots.iter().find_map(Snapshot::cached) {
        return Ok(folder);
    }
    if let Some(why) = options.offline {
        let revision = revision.map_or_else(String::new, |revision| format!("@{revision}"));
        return Err(Error::HubOffline { repo: format!("{repo}{revision}"), why });
    }
    let client = Client::new(options)?;
    for snapshot in &snapshots {
        if let Some(folder) = snapshot.fetch(&client, progress)? {
            return Ok(folder);
        }
    }
    Err(Error::HubWeights { repo: repo.to_owned(), revision: revisions.join(", ") })
}

/// One revision of a repository, there and here.
struct Snapshot<'a> {
    kind: Kind,
    options: &'a Options,
    repo: Repo,
    cache: CacheRepo,
}

#[derive(Deserialize)]
struct WeightsIndex {
    weight_map: BTreeMap<String, String>,
}

impl<'a> Snapshot<'a> {
    fn new(kind: Kind, repo: &str, revision: &str, options: &'a Options) -> Self {
        let repo = Repo::with_revision(repo.to_owned(), RepoType::Model, revision.to_owned());
        let cache = Cache::new(options.cache.clone()).repo(repo.clone());
        Snapshot { kind, options, repo, cache }
    }

    /// The folder in the cache, where it has all files.
    fn cached(&self) -> Option<PathBuf> {
        let folder = match self.cache.get(CONFIG) {
            Some(config) => config.parent()?.to_owned(),
            // A commit stands for itself.
            None => self.cache.pointer_path(self.repo.revision()),
        };
        let has = |file: &str| folder.join(file).is_file();
        let shards = || {
            let shards = shards(&folder.join(WEIGHTS_INDEX)).ok()?;
            Some(shards.iter().all(|shard| has(shard)))
        };
        let whole = has(CONFIG)
            && (self.kind == Kind::Sentences || has(PREPROCESSOR))
            && (has(TOKENIZER) || TOKENIZER_PARTS.into_iter().all(has))
            && (has(WEIGHTS) || shards().unwrap_or(false));
        whole.then_some(folder)
    }

    /// Fetches what is missing, the weights last; `None` where there are no
    /// safetensors.
    fn fetch(
        &self,
        client: &Client<'_>,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Option<PathBuf>> {
        let config = self.required(client, CONFIG, &self.repo.url_revision())?;
        // From here on by commit, so that the files are of one moment.
        let commit = config.commit.clone();
        let weights = match client.look(&self.url(&commit, WEIGHTS))? {
            Some(remote) => (WEIGHTS, remote),
            None => match client.look(&self.url(&commit, WEIGHTS_INDEX))? {
                Some(remote) => (WEIGHTS_INDEX, remote),
                None => return Ok(None),
            },
        };
        let mut files = vec![(CONFIG, config)];
        if self.kind == Kind::Pictures {
            files.push((PREPROCESSOR, self.required(client, PREPROCESSOR, &commit)?));
        }
        match client.look(&self.url(&commit, TOKENIZER))? {
            Some(remote) => files.push((TOKENIZER, remote)),
            None => {
                for part in TOKENIZER_PARTS {
                    files.push((part, self.required(client, part, &commit)?));
                }
            }
        }
        files.push(weights);
        let mut place =
            |file: &str, remote: &Remote| self.place(client, &commit, file, remote, progress);
        for (file, remote) in &files {
            place(file, remote)?;
        }
        let folder = self.cache.pointer_path(&commit);
        if files.iter().any(|(file, _)| *file == WEIGHTS_INDEX) {
            for shard in shards(&folder.join(WEIGHTS_INDEX))? {
                let remote = self.required(client, &shard, &commit)?;
                place(&shard, &remote)?;
            }
        }
        self.cache.create_ref(&commit).map_err(Error::io("write", &folder))?;
        Ok(Some(folder))
    }

    fn url(&self, revision: &str, file: &str) -> String {
        let endpoint = self.options.endpoint.trim_end_matches('/');
        format!("{endpoint}/{}/resolve/{revision}/{file}", self.repo.url())
    }

    fn required(&self, client: &Client<'_>, file: &str, revision: &str) -> Result<Remote> {
        let url = self.url(revision, file);
        client.look(&url)?.ok_or(Error::HubAbsent { url })
    }

    /// Fetches one file and links it into the snapshot.
    fn place(
        &self,
        client: &Client<'_>,
        commit: &str,
        file: &str,
        remote: &Remote,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<()> {
        let folder = self.cache.pointer_path(commit);
        let blob = self.cache.blob_path(&remote.etag);
        let blobs = blob.parent().unwrap_or(&folder);
        for folder in [&folder, blobs] {
            std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        }
        let url = self.url(commit, file);
        let limit = match (file.ends_with(".safetensors"), remote.has_digest()) {
            (false, _) => limits::SMALL_FILE,
            (true, true) => limits::DOWNLOAD,
            (true, false) => limits::DOWNLOAD_UNVERIFIED,
        };
        if remote.size > limit {
            return Err(Error::mismatch(
                url,
                "size",
                format!("at most {limit} bytes"),
                remote.size,
            ));
        }
        let mut progress = Progress::of(file, remote, progress);
        client.fetch(&url, remote, blobs, &mut progress)?;
        link(&blob, &remote.etag, &folder.join(file))?;
        sync_folder(&folder)
    }
}

/// The names of the shards that an index of weights lists, each a plain name.
fn shards(index: &Path) -> Result<BTreeSet<String>> {
    let text = input::read(index, limits::SMALL_FILE)?;
    let parsed: WeightsIndex = serde_json::from_slice(&text)
        .map_err(|source| Error::Json { path: index.to_owned(), source })?;
    let shards: BTreeSet<String> = parsed.weight_map.into_values().collect();
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    match shards.iter().find(|name| !name.ends_with(".safetensors") || !name.bytes().all(plain)) {
        Some(name) => Err(Error::mismatch(index, "shard", "the name of a safetensors file", name)),
        None => Ok(shards),
    }
}

/// Links `at` to the blob, as a relative symbolic link where those exist.
fn link(blob: &Path, etag: &str, at: &Path) -> Result<()> {
    if std::fs::canonicalize(at).is_ok_and(|to| std::fs::canonicalize(blob).is_ok_and(|b| b == to))
    {
        return Ok(());
    }
    match std::fs::remove_file(at) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            return Err(Error::io("replace", at)(e));
        }
        _ => {}
    }
    #[cfg(unix)]
    let linked = std::os::unix::fs::symlink(Path::new("../../blobs").join(etag), at);
    #[cfg(not(unix))]
    let linked = {
        let _ = etag;
        std::fs::hard_link(blob, at)
    };
    linked.map_err(Error::io("link", at))
}

#[cfg(test)]
mod tests;
