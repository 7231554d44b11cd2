//! A model, opened: its name, its fingerprint and its two encoders.

use super::{ModelSource, Options, Progress, hub, source};
use crate::clip::{Checkpoint, TextCleaning};
use crate::encoder::{Counter, ImageEncoder, TextEncoder};
use crate::index::Index;
use crate::nn::Compute;
#[cfg(starter)]
use crate::starter::{self, Starter};
use crate::{Device, Error, Result};

/// A model whose files are at hand; weights are read when an encoder is asked
/// for, and that encoder's alone.
#[derive(Debug)]
pub struct Model {
    source: ModelSource,
    kind: Kind,
    cleaning: TextCleaning,
    compute: Compute,
}

/// What errors call it.
const TEXT_CLEANING: &str = "text cleaning";

/// What the files are.
#[derive(Debug)]
enum Kind {
    Clip(Box<Checkpoint>),
    #[cfg(starter)]
    Starter(Starter),
}

impl Model {
    /// Finds the model's files, and fetches those that a hub has and the cache
    /// has not; `progress` hears of every piece that arrives. Killed at any
    /// point it leaves a cache from which the next call goes on.
    ///
    /// # Errors
    /// Those of [`hub::fetch`]; [`crate::Error::StarterLeftOut`] without the
    /// feature `starter`; those of [`Checkpoint::open`].
    pub fn open(
        source: ModelSource,
        options: &Options,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Self> {
        let clip = |path: &_| Checkpoint::open(path).map(|it| Kind::Clip(Box::new(it)));
        let kind = match &source {
            ModelSource::Starter => starter()?,
            ModelSource::Folder(path) | ModelSource::File(path) => clip(path)?,
            ModelSource::Hub { repo, revision } => {
                clip(&hub::fetch(repo, revision.as_deref(), options, progress)?)?
            }
        };
        let cleaning = TextCleaning::default();
        Ok(Model { source, kind, cleaning, compute: Compute::default() })
    }

    /// The same model, its texts to be cleaned as `cleaning` says.
    ///
    /// # Errors
    /// [`Error::Mismatch`] for another cleaning than `auto` of the starter, which is
    /// no CLIP.
    pub fn cleaning(self, cleaning: TextCleaning) -> Result<Self> {
        let kind = match self.kind {
            Kind::Clip(checkpoint) => Kind::Clip(Box::new(checkpoint.cleaning(cleaning))),
            #[cfg(starter)]
            Kind::Starter(starter) if cleaning == TextCleaning::Auto => Kind::Starter(starter),
            #[cfg(starter)]
            Kind::Starter(_) => {
                return Err(Error::mismatch("starter", "--text-cleaning", "auto", cleaning));
            }
        };
        Ok(Model { kind, cleaning, ..self })
    }

    /// Refuses an index of another model, or of other text cleaning.
    ///
    /// # Errors
    /// [`Error::Mismatch`] where the text cleaning alone differs,
    /// [`Error::IndexModel`] where more does; those of
    /// [`fingerprint`](Self::fingerprint).
    pub fn check(&self, index: &Index) -> Result<()> {
        let Err(refusal) = index.check_model(&self.id(), &self.fingerprint()?) else {
            return Ok(());
        };
        let found = match &self.kind {
            Kind::Clip(clip) => clip.cleaning_of(&index.manifest().model().fingerprint)?,
            #[cfg(starter)]
            Kind::Starter(_) => None,
        };
        Err(match found {
            Some(found) => Error::mismatch(index.path(), TEXT_CLEANING, self.cleaning, found),
            None => refusal,
        })
    }

    /// Opens the model that a file names, such as an index's manifest, and not whoever
    /// runs the program: it is never downloaded.
    ///
    /// # Errors
    /// [`crate::Error::HubOffline`] where it is a hub's and not in the cache,
    /// [`crate::Error::ModelUnknown`], and those of [`open`](Self::open).
    pub fn open_recorded(id: &str, options: &Options) -> Result<Self> {
        // There, to look at such a path is to speak to the machine that it names.
        if cfg!(windows) && (id.starts_with("//") || id.starts_with(r"\\")) {
            return Err(source::unknown(id));
        }
        Self::open(id.parse()?, &options.recorded(), &mut |_| {})
    }

    /// The same model, its encoders to be run as `compute` says. The starter's
    /// side for pictures is f32 whatever it says.
    pub fn computing(self, compute: Compute) -> Self {
        Model { compute, ..self }
    }

    /// The same model, its encoders to be run on `device`.
    pub fn on(self, device: Device) -> Self {
        Model { compute: Compute { device, ..self.compute }, ..self }
    }

    /// How its encoders are run.
    pub fn compute(&self) -> &Compute {
        &self.compute
    }

    /// What the model is called: text that opens it again.
    pub fn id(&self) -> String {
        self.source.to_string()
    }

    /// A name for a folder of its own: [`ModelSource::slug`].
    pub fn slug(&self) -> String {
        self.source.slug()
    }

    /// What tells it from any other model: SHA-256 in hex over weights,
    /// tokenizer, text cleaning, preprocessing and configuration. Reads all of the weights.
    ///
    /// # Errors
    /// [`crate::Error::Io`] where a file cannot be read.
    pub fn fingerprint(&self) -> Result<String> {
        match &self.kind {
            Kind::Clip(checkpoint) => checkpoint.fingerprint(),
            #[cfg(starter)]
            Kind::Starter(starter) => Ok(starter.fingerprint()),
        }
    }

    /// Loads the encoder of texts.
    ///
    /// # Errors
    /// Those of [`Checkpoint::text_encoder`].
    pub fn text_encoder(&self) -> Result<Box<dyn TextEncoder>> {
        Ok(match &self.kind {
            Kind::Clip(checkpoint) => Box::new(checkpoint.text_encoder_with(&self.compute)?),
            #[cfg(starter)]
            Kind::Starter(starter) => Box::new(starter.text_encoder_with(&self.compute)?),
        })
    }

    /// Opens the tokenizer of its texts, without any weights.
    ///
    /// # Errors
    /// Those of [`Checkpoint::counter`].
    pub fn counter(&self) -> Result<Box<dyn Counter>> {
        Ok(match &self.kind {
            Kind::Clip(checkpoint) => Box::new(checkpoint.counter()?),
            #[cfg(starter)]
            Kind::Starter(starter) => Box::new(starter.counter()?),
        })
    }

    /// Loads the encoder of pictures.
    ///
    /// # Errors
    /// Those of [`Checkpoint::image_encoder`].
    pub fn image_encoder(&self) -> Result<Box<dyn ImageEncoder>> {
        Ok(match &self.kind {
            Kind::Clip(checkpoint) => Box::new(checkpoint.image_encoder_with(&self.compute)?),
            #[cfg(starter)]
            Kind::Starter(starter) => Box::new(starter.image_encoder_with(&self.compute)?),
        })
    }

    /// What whoever uses this model should know of it, in a sentence.
    pub fn notice(&self) -> Option<&'static str> {
        match &self.kind {
            Kind::Clip(_) => None,
            #[cfg(starter)]
            Kind::Starter(_) => Some(starter::NOTICE),
        }
    }

    /// The lowest score that a prompt should repeat, where there is one below
    /// which the model's ranking is not to be trusted.
    pub fn min_score(&self) -> Option<f32> {
        match &self.kind {
            Kind::Clip(_) => None,
            #[cfg(starter)]
            Kind::Starter(_) => Some(starter::MIN_SCORE),
        }
    }
}

#[cfg(starter)]
fn starter() -> Result<Kind> {
    Ok(Kind::Starter(Starter::open()))
}

#[cfg(not(starter))]
fn starter() -> Result<Kind> {
    Err(Error::StarterLeftOut)
}
