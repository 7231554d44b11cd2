//! Captions: which model makes them, and how it is asked.

use interrogate::caption::{self, Caption, Captioner, Generation, NAMES};
use interrogate::models::{ModelSource, hub};
use interrogate::picture::Picture;

use crate::args::{Precision, Prompt, Search};
use crate::fault::Fault;
use crate::opening;
use crate::talk::Talk;

/// An open captioner and what it is asked for.
pub(crate) struct Captions {
    model: Box<dyn Captioner>,
    options: Generation,
}

impl Captions {
    /// Opens the captioner that `name` stands for, fetching it where it is a
    /// hub's, and holds the options against it before an image is read.
    pub(crate) fn open(name: &str, search: &Search, talk: &Talk) -> Result<Self, Fault> {
        let known = NAMES.iter().find(|(known, _)| *known == name);
        let unknown = || Fault::Captioner { name: name.to_owned() };
        let source = known.map_or(name, |(_, repo)| repo).parse().map_err(|_| unknown())?;
        let folder = match source {
            ModelSource::Folder(folder) => folder,
            ModelSource::Hub { repo, revision } => opening::fetching(talk, |options, progress| {
                hub::fetch(&repo, revision.as_deref(), options, progress)
            })?,
            ModelSource::Starter => return Err(unknown()),
        };
        let precision = match search.precision {
            Precision::F32 => caption::Precision::F32,
            Precision::F16 => caption::Precision::F16,
            Precision::Bf16 => caption::Precision::Bf16,
        };
        let options = Generation {
            num_beams: search.num_beams,
            max_new_tokens: search.max_length,
            min_new_tokens: search.min_length,
            ..Generation::default()
        };
        let captions = Captions { model: caption::open(&folder, precision)?, options };
        captions.of(&[])?;
        Ok(captions)
    }

    /// The captions of `pictures`, in their order.
    pub(crate) fn of(&self, pictures: &[Picture]) -> interrogate::Result<Vec<Caption>> {
        self.model.caption(pictures, &self.options)
    }
}

/// What prompts begin with.
pub(crate) enum Beginning {
    /// A caption of each image's own.
    Made(Box<Captions>),
    /// The same words, or none.
    Typed(Option<String>),
}

impl Beginning {
    /// What was asked for.
    pub(crate) fn open(args: &Prompt, talk: &Talk) -> Result<Self, Fault> {
        match &args.caption_model {
            Some(name) => Ok(Beginning::Made(Captions::open(name, &args.search, talk)?.into())),
            None => Ok(Beginning::Typed(args.caption.clone())),
        }
    }

    /// One for each of `pictures`, in their order.
    pub(crate) fn of(&self, pictures: &[Picture]) -> interrogate::Result<Vec<Option<String>>> {
        match self {
            Beginning::Made(it) => Ok(it.of(pictures)?.into_iter().map(|c| Some(c.text)).collect()),
            Beginning::Typed(words) => Ok(vec![words.clone(); pictures.len()]),
        }
    }
}
