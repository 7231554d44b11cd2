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
use super::{Offline, Options, Progress};
use crate::{Error, Result, input, limits};

const CONFIG: &str = "config.json";
/// The steps before an image tower: what transformers 5 writes, and what it wrote before
/// and may stand beside it. `clip::preprocess` decides between them.
const PROCESSOR: &str = "processor_config.json";
const PREPROCESSOR: &str = "preprocessor_config.json";
/// What sentence-transformers adds to a model, where it has something to say.
const SENTENCE_PARTS: [&str; 2] = ["sentence_bert_config.json", "1_Pooling/config.json"];
const TOKENIZER: &str = "tokenizer.json";
const TOKENIZER_PARTS: [&str; 2] = ["vocab.json", "merges.txt"];

/// How weights are stored: in one file or in shards that an index names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Format {
    whole: &'static str,
    index: &'static str,
    /// How the files' names end.
    ending: &'static str,
}

const SAFETENSORS: Format = Format {
    whole: "model.safetensors",
    index: "model.safetensors.index.json",
    ending: ".safetensors",
};

/// What `torch.save` writes. Its values are read and no code of it runs.
const PICKLES: Format =
    Format { whole: "pytorch_model.bin", index: "pytorch_model.bin.index.json", ending: ".bin" };

/// Repositories whose main branch has weights as a pickle alone, with the pull
/// request that adds them as safetensors (candle-examples, `clip` and `blip`).
const SAFETENSORS_AT: [(&str, &str); 2] = [
    ("Salesforce/blip-image-captioning-large", "refs/pr/18"),
    ("openai/clip-vit-base-patch32", "refs/pr/15"),
];

/// The folder that holds the files of `repo` (`owner/name`): config.json,
/// processor_config.json or preprocessor_config.json or both, tokenizer.json or vocab.json
/// and merges.txt, and the weights, in one file or in shards: as safetensors, or where there
/// are none, as pytorch_model.bin.
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

/// The same for a sentence encoder: without the steps for images, with
/// sentence_bert_config.json and 1_Pooling/config.json where the repository has them, and
/// with weights as safetensors alone.
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

impl Kind {
    /// The formats of weights that are read, the preferred one first.
    fn formats(self) -> &'static [Format] {
        match self {
            Kind::Pictures => &[SAFETENSORS, PICKLES],
            Kind::Sentences => &[SAFETENSORS],
        }
    }
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
    // Where a pull request has safetensors, the main branch's pickle is not used.
    let formats = if snapshots.len() > 1 { &[SAFETENSORS] } else { kind.formats() };
    let tries = || {
        let of = |format| snapshots.iter().map(move |snapshot| (snapshot, format));
        formats.iter().copied().flat_map(of)
    };
    if let Some(folder) = tries().find_map(|(snapshot, format)| snapshot.cached(format)) {
        return Ok(folder);
    }
    if let Some(why) = options.offline {
        let revision = revision.map_or_else(String::new, |revision| format!("@{revision}"));
        let variable = match why {
            Offline::Variable(name) => Some(name),
            Offline::Recorded => None,
        };
        return Err(Error::HubOffline { repo: format!("{repo}{revision}"), variable });
    }
    let client = Client::new(options)?;
    for (snapshot, format) in tries() {
        if let Some(folder) = snapshot.fetch(format, &client, progress)? {
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

    /// The folder in the cache, where it has all files, the weights in `format`.
    fn cached(&self, format: Format) -> Option<PathBuf> {
        let folder = match self.cache.get(CONFIG) {
            Some(config) => config.parent()?.to_owned(),
            // A commit stands for itself.
            None => self.cache.pointer_path(self.repo.revision()),
        };
        let has = |file: &str| folder.join(file).is_file();
        let shards = || {
            let shards = shards(&folder.join(format.index), format).ok()?;
            Some(shards.iter().all(|shard| has(shard)))
        };
        let whole = has(CONFIG)
            && (self.kind == Kind::Sentences || has(PROCESSOR) || has(PREPROCESSOR))
            && (has(TOKENIZER) || TOKENIZER_PARTS.into_iter().all(has))
            && (has(format.whole) || shards().unwrap_or(false));
        whole.then_some(folder)
    }

    /// Fetches what is missing, the weights last; `None` where there are none in `format`.
    fn fetch(
        &self,
        format: Format,
        client: &Client<'_>,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Option<PathBuf>> {
        let config = self.required(client, CONFIG, &self.repo.url_revision())?;
        // From here on by commit, so that the files are of one moment.
        let commit = config.commit.clone();
        let optional = |file: &'static str| {
            let remote = client.look(&self.url(&commit, file))?;
            Ok(remote.map(|remote| (file, remote)))
        };
        let Some(weights) = first(&[format.whole, format.index], optional)? else {
            return Ok(None);
        };
        let mut files = vec![(CONFIG, config)];
        match self.kind {
            Kind::Pictures => {
                files.extend(optional(PROCESSOR)?);
                match (optional(PREPROCESSOR)?, files.len()) {
                    (None, 1) => return Err(self.absent(PREPROCESSOR, &commit)),
                    (steps, _) => files.extend(steps),
                }
            }
            Kind::Sentences => {
                for part in SENTENCE_PARTS {
                    files.extend(optional(part)?);
                }
            }
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
        if files.iter().any(|(file, _)| *file == format.index) {
            for shard in shards(&folder.join(format.index), format)? {
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
        let remote = client.look(&self.url(revision, file))?;
        remote.ok_or_else(|| self.absent(file, revision))
    }

    fn absent(&self, file: &str, revision: &str) -> Error {
        Error::HubAbsent { url: self.url(revision, file) }
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
        let at = folder.join(file);
        let parent = at.parent().unwrap_or(&folder);
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
            return Err(Error::mismatch(
                url,
                "size",
                format!("at most {limit} bytes"),
                remote.size,
            ));
        }
        let mut progress = Progress::of(file, remote, progress);
        client.fetch(&url, remote, blobs, &mut progress)?;
        // From the file's own folder up to the repository's, which has two levels of them.
        let up = "../".repeat(file.split('/').count() + 1);
        link(&blob, &Path::new(&up).join("blobs").join(&remote.etag), &at)?;
        sync_folder(parent)
    }
}

/// The first of `files` that `look` finds.
fn first<T>(
    files: &[&'static str],
    look: impl Fn(&'static str) -> Result<Option<T>>,
) -> Result<Option<T>> {
    files.iter().find_map(|file| look(file).transpose()).transpose()
}

/// The names of the shards that an index of weights lists, each a plain name that ends as
/// the format's do.
fn shards(index: &Path, format: Format) -> Result<BTreeSet<String>> {
    let text = input::read(index, limits::SMALL_FILE)?;
    let parsed: WeightsIndex = serde_json::from_slice(&text)
        .map_err(|source| Error::Json { path: index.to_owned(), source })?;
    let shards: BTreeSet<String> = parsed.weight_map.into_values().collect();
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    match shards.iter().find(|name| !name.ends_with(format.ending) || !name.bytes().all(plain)) {
        Some(name) => {
            let expected = format!("the name of a {} file", format.ending);
            Err(Error::mismatch(index, "shard", expected, name))
        }
        None => Ok(shards),
    }
}

/// Links `at` to the blob, which lies at `relative` from there, as a symbolic link where
/// those exist.
fn link(blob: &Path, relative: &Path, at: &Path) -> Result<()> {
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
    let linked = std::os::unix::fs::symlink(relative, at);
    #[cfg(not(unix))]
    let linked = {
        let _ = relative;
        std::fs::hard_link(blob, at)
    };
    linked.map_err(Error::io("link", at))
}

#[cfg(test)]
mod tests;
