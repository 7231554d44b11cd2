//! What prompts begin with.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

use interrogate::picture::Picture;
use interrogate::{Error, Result};

use super::Captions;
use crate::args::Prompt;
use crate::batch;
use crate::fault::Fault;
use crate::talk::Talk;

/// What prompts begin with.
pub(crate) enum Beginning {
    /// A caption of each image's own, made as it is looked at.
    Made(Box<Captions>),
    /// A caption of each image's own, made before; the captioner is gone.
    Kept(RefCell<HashMap<PathBuf, Result<String>>>),
    /// The same words, or none.
    Typed(Option<String>),
}

impl Beginning {
    /// What was asked for; in two passes, this is the first.
    pub(crate) fn open(args: &Prompt, images: &[PathBuf], talk: &Talk) -> Result<Self, Fault> {
        let Some(name) = &args.caption_model else {
            return Ok(Beginning::Typed(args.caption.clone()));
        };
        let captions = Captions::open(name, &args.search, talk)?;
        match args.two_pass {
            true => Ok(Self::kept(&captions, images, args.images.batch_size.into(), talk)),
            false => Ok(Beginning::Made(captions.into())),
        }
    }

    fn kept(captions: &Captions, images: &[PathBuf], batch_size: usize, talk: &Talk) -> Self {
        let bar = talk.bar(images.len() as u64, "{bar:40} {pos}/{len} captions, {eta} left");
        let mut kept = HashMap::with_capacity(images.len());
        for batch in images.chunks(batch_size) {
            let seen = batch::look(batch, |pictures| captions.of(pictures));
            let seen = seen.into_iter().map(|caption| caption.map(|caption| caption.text));
            kept.extend(batch.iter().cloned().zip(seen));
            bar.inc(batch.len() as u64);
        }
        bar.finish_and_clear();
        captions.finish(talk);
        Beginning::Kept(RefCell::new(kept))
    }

    /// What `see` says of each image, beside what its prompt begins with.
    pub(crate) fn beside<T>(
        &self,
        paths: &[PathBuf],
        see: impl Fn(&[Picture]) -> Result<Vec<T>>,
    ) -> Vec<Result<(T, Option<String>)>> {
        match self {
            Beginning::Made(captions) => batch::look(paths, |pictures| {
                let made = captions.of(pictures)?.into_iter().map(|caption| Some(caption.text));
                Ok(see(pictures)?.into_iter().zip(made).collect())
            }),
            Beginning::Typed(words) => {
                let seen = batch::look(paths, see).into_iter();
                seen.map(|seen| Ok((seen?, words.clone()))).collect()
            }
            Beginning::Kept(kept) => {
                let seen = batch::look(paths, see).into_iter().zip(paths);
                seen.map(|(seen, path)| Ok((seen?, Some(take(kept, path)?)))).collect()
            }
        }
    }

    /// Says how fast the captions came, where they came as images were looked at.
    pub(crate) fn finish(&self, talk: &Talk) {
        if let Beginning::Made(captions) = self {
            captions.finish(talk);
        }
    }
}

/// The caption of `path`, which every image of the run has, once.
fn take(kept: &RefCell<HashMap<PathBuf, Result<String>>>, path: &Path) -> Result<String> {
    let missing = || Err(Error::Direction { what: "captions", row: 0 });
    kept.borrow_mut().remove(path).unwrap_or_else(missing)
}
