//! One revision of a repository: which files it needs, and where the cache has them.

use std::path::PathBuf;

use hf_hub::{Cache, CacheRepo, Repo, RepoType};

use super::ModelKind;
use super::formats::{Format, Layout, has_model_type, shards};
use crate::error::HubError;
use crate::models::download::{Client, RemoteFile};
use crate::models::{Options, Progress};
use crate::{Error, Result, clip, tagger};

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
    pub(super) kind: ModelKind,
    pub(super) options: &'a Options,
    repo: Repo,
    pub(super) cache: CacheRepo,
}

/// What a repository lacks, the least important first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Lack {
    /// The revision.
    Revision,
    /// The configuration of the layout.
    Config,
    /// Weights in the format.
    Weights,
    /// Another file.
    File,
}

/// The result of fetching files in one format.
pub(super) enum Fetched {
    /// All files are in this folder.
    Complete(PathBuf),
    /// The repository lacks a file; the error names it.
    Lacks(Lack, Error),
}

/// Files of a repository, by name.
type Files = Vec<(&'static str, RemoteFile)>;

impl<'a> Snapshot<'a> {
    pub(super) fn new(kind: ModelKind, repo: &str, revision: &str, options: &'a Options) -> Self {
        let repo = Repo::with_revision(repo.to_owned(), RepoType::Model, revision.to_owned());
        let cache = Cache::new(options.cache.clone()).repo(repo.clone());
        Snapshot { kind, options, repo, cache }
    }

    /// Returns the folder in the cache if it has all files, with weights in `format`.
    pub(super) fn cached(&self, format: Format) -> Option<PathBuf> {
        let config = format.layout.config();
        let folder = match self.cache.get(config) {
            Some(config) => config.parent()?.to_owned(),
            // The revision may be a commit, which has no ref.
            None => self.cache.pointer_path(self.repo.revision()),
        };
        let has = |file: &str| folder.join(file).is_file();
        let has_tokenizer = || has(TOKENIZER) || TOKENIZER_PARTS.into_iter().all(has);
        let has_shards = || {
            let shards = shards(&folder.join(format.index), format).ok()?;
            Some(shards.iter().all(|shard| has(shard)))
        };
        let has_parts = || match format.layout {
            _ if self.kind == ModelKind::Tagger => has(tagger::TAGS),
            Layout::HuggingFace => {
                (self.kind == ModelKind::Sentence || has(PROCESSOR) || has(PREPROCESSOR))
                    && has_tokenizer()
                    && (self.kind != ModelKind::Clip || has_model_type(&folder.join(config)))
            }
            Layout::OpenClip => {
                let own_tokenizer = clip::check_open_clip_config(&folder.join(config));
                own_tokenizer.is_ok_and(|own| own || has_tokenizer())
            }
        };
        let complete =
            has(config) && (has(format.whole) || has_shards().unwrap_or(false)) && has_parts();
        complete.then_some(folder)
    }

    /// Downloads the missing files, the weights last.
    pub(super) fn fetch(
        &self,
        format: Format,
        client: &Client<'_>,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Fetched> {
        let name = format.layout.config();
        let url = self.url(&self.repo.url_revision(), name);
        let config = match client.metadata(&url) {
            Ok(Some(config)) => config,
            Ok(None) => return Ok(Fetched::Lacks(Lack::Config, not_found(url))),
            Err(error @ Error::Hub(HubError::RevisionNotFound { .. })) => {
                return Ok(Fetched::Lacks(Lack::Revision, error));
            }
            Err(error) => return Err(error),
        };
        // All other requests are by commit, so the files are of the same revision.
        let commit = config.commit.clone();
        let optional = |file: &'static str| {
            let remote = client.metadata(&self.url(&commit, file))?;
            Ok(remote.map(|remote| (file, remote)))
        };
        let absent = |lack, file| Ok(Fetched::Lacks(lack, not_found(self.url(&commit, file))));
        let Some(weights) = first(&[format.whole, format.index], optional)? else {
            return absent(Lack::Weights, format.whole);
        };
        let mut files = vec![(name, config)];
        if self.kind == ModelKind::Clip {
            // An unsupported model is refused before its weights are downloaded.
            let (file, remote) = &files[0];
            self.fetch_file(client, &commit, file, remote, progress)?;
            let path = self.cache.pointer_path(&commit).join(file);
            let open_clip = Layout::OpenClip.config();
            match format.layout {
                Layout::HuggingFace if !has_model_type(&path) && optional(open_clip)?.is_some() => {
                    return absent(Lack::Config, name);
                }
                Layout::HuggingFace => drop(clip::Config::open(&path)?),
                // OpenAI's tokenizer is compiled in.
                Layout::OpenClip if clip::check_open_clip_config(&path)? => {}
                Layout::OpenClip => files.extend(Self::tokenizer(optional)?.unwrap_or_default()),
            }
        }
        if self.kind == ModelKind::Tagger {
            let (file, remote) = &files[0];
            self.fetch_file(client, &commit, file, remote, progress)?;
            tagger::Config::open(&self.cache.pointer_path(&commit).join(file))?;
            match optional(tagger::TAGS)? {
                Some(tags) => files.push(tags),
                None => return absent(Lack::File, tagger::TAGS),
            }
        } else if format.layout == Layout::HuggingFace {
            match self.kind {
                ModelKind::Clip | ModelKind::Caption => {
                    let processors = [optional(PROCESSOR)?, optional(PREPROCESSOR)?];
                    if processors.iter().all(Option::is_none) {
                        return absent(Lack::File, PREPROCESSOR);
                    }
                    files.extend(processors.into_iter().flatten());
                }
                ModelKind::Sentence | ModelKind::Tagger => {
                    for part in SENTENCE_PARTS {
                        files.extend(optional(part)?);
                    }
                }
            }
            match Self::tokenizer(optional)? {
                Ok(tokenizer) => files.extend(tokenizer),
                Err(part) => return absent(Lack::File, part),
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
                let url = self.url(&commit, &shard);
                let remote = client.metadata(&url)?.ok_or_else(|| not_found(url))?;
                fetch_file(&shard, &remote)?;
            }
        }
        self.cache.create_ref(&commit).map_err(Error::io("write", &folder))?;
        Ok(Fetched::Complete(folder))
    }

    /// Looks up the files of the tokenizer; the inner error is the first that is missing.
    fn tokenizer(
        optional: impl Fn(&'static str) -> Result<Option<(&'static str, RemoteFile)>>,
    ) -> Result<Result<Files, &'static str>> {
        if let Some(file) = optional(TOKENIZER)? {
            return Ok(Ok(vec![file]));
        }
        let mut files = Vec::new();
        for part in TOKENIZER_PARTS {
            match optional(part)? {
                Some(file) => files.push(file),
                None => return Ok(Err(part)),
            }
        }
        Ok(Ok(files))
    }

    /// Returns the address of a file.
    pub(super) fn url(&self, revision: &str, file: &str) -> String {
        let endpoint = self.options.endpoint.trim_end_matches('/');
        format!("{endpoint}/{}/resolve/{revision}/{file}", self.repo.url())
    }
}

fn not_found(url: String) -> Error {
    Error::Hub(HubError::NotFound { url })
}

/// Returns the first of `files` that `lookup` finds.
fn first<T>(
    files: &[&'static str],
    lookup: impl Fn(&'static str) -> Result<Option<T>>,
) -> Result<Option<T>> {
    files.iter().find_map(|file| lookup(file).transpose()).transpose()
}
