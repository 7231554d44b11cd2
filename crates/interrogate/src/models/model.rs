//! An open model: its name, its fingerprint and its two encoders.

use super::{ModelSource, Options, Progress, hub, source};
use crate::clip::{Checkpoint, TextCleaning};
use crate::encoder::{Counter, Features, ImageEncoder, TextEncoder};
#[cfg(doc)]
use crate::error::{HubError, IndexError, ModelError};
use crate::index::{Digest, Index};
use crate::nn::{Compute, Precision};
use crate::rank::Sigmoid;
use crate::starter::{self, Starter};
use crate::{Device, Error, Result};

/// An open model. Opening reads no weights; each encoder loads its own.
///
/// ```no_run
/// use interrogate::models::{Model, ModelSource, Options};
///
/// let source: ModelSource = "openai/clip-vit-base-patch32".parse()?;
/// let options = Options::from_vars(|name| std::env::var(name).ok());
/// let model = Model::open(source, &options, &mut |progress| {
///     eprintln!("{}: {} of {} bytes", progress.file, progress.done, progress.total);
/// })?;
/// let images = model.image_encoder()?;
/// assert_eq!(images.dim(), 512);
/// # Ok::<(), interrogate::Error>(())
/// ```
#[derive(Debug)]
pub struct Model {
    source: ModelSource,
    kind: Kind,
    cleaning: TextCleaning,
    compute: Compute,
}

/// The name of the setting in errors.
const TEXT_CLEANING: &str = "text cleaning";

/// The number of candidates of a chain for a model that computes each prompt anew: with SigLIP
/// all 64 positions, with the starter all tokens, since its attention is not causal. A causal
/// text tower computes the few tokens of a candidate.
const WHOLE_TEXT_CANDIDATES: usize = 128;

/// The kind of model.
#[derive(Debug)]
enum Kind {
    Clip(Box<Checkpoint>),
    Starter(Starter),
}

impl Model {
    /// Opens the model `source`, after downloading the files that are missing from the cache.
    /// `progress` is called for each chunk. If the process is killed, the next call resumes.
    ///
    /// # Errors
    /// Those of [`hub::fetch_clip`], [`Checkpoint::open`] and [`Starter::open`].
    pub fn open(
        source: ModelSource,
        options: &Options,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Self> {
        let clip = |path: &_| Checkpoint::open(path).map(|it| Kind::Clip(Box::new(it)));
        let kind = match &source {
            ModelSource::Starter => Kind::Starter(Starter::open(options.starter.as_deref())?),
            ModelSource::Folder(path) | ModelSource::File(path) => clip(path)?,
            ModelSource::Hub { repo, revision } => {
                clip(&hub::fetch_clip(repo, revision.as_deref(), options, progress)?)?
            }
        };
        let cleaning = TextCleaning::default();
        Ok(Model { source, kind, cleaning, compute: Compute::default() })
    }

    /// Sets the text cleaning.
    ///
    /// # Errors
    /// [`Error::Mismatch`] for the starter, which is not a CLIP, unless `cleaning` is `Auto`.
    pub fn with_cleaning(self, cleaning: TextCleaning) -> Result<Self> {
        let kind = match self.kind {
            Kind::Clip(checkpoint) => Kind::Clip(Box::new(checkpoint.cleaning(cleaning))),
            Kind::Starter(starter) if cleaning == TextCleaning::Auto => Kind::Starter(starter),
            Kind::Starter(_) => {
                return Err(Error::mismatch("starter", "--text-cleaning", "auto", cleaning));
            }
        };
        Ok(Model { kind, cleaning, ..self })
    }

    /// Checks that `index` was built with this model and text cleaning.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if only the text cleaning differs, [`IndexError::Model`] if the model
    /// does; those of [`fingerprint`](Self::fingerprint).
    pub fn check(&self, index: &Index) -> Result<()> {
        let Err(mismatch) = index.check_model(&self.id(), &self.fingerprint()?) else {
            return Ok(());
        };
        let found = match &self.kind {
            Kind::Clip(clip) => clip.cleaning_of(&index.manifest().model().fingerprint)?,
            Kind::Starter(_) => None,
        };
        Err(match found {
            Some(found) => Error::mismatch(index.path(), TEXT_CLEANING, self.cleaning, found),
            None => mismatch,
        })
    }

    /// Opens a model whose name is recorded in a file, such as an index's manifest. Such a model
    /// is never downloaded.
    ///
    /// # Errors
    /// [`HubError::Offline`] for a hub id that is not in the cache,
    /// [`ModelError::Unknown`], and those of [`open`](Self::open).
    pub fn open_recorded(id: &str, options: &Options) -> Result<Self> {
        // On Windows, opening such a path connects to the host that it names.
        if cfg!(windows) && (id.starts_with("//") || id.starts_with(r"\\")) {
            return Err(source::unknown(id));
        }
        Self::open(id.parse()?, &options.recorded(), &mut |_| {})
    }

    /// Sets the precision and device of the encoders. The starter's image encoder always
    /// computes in f32.
    pub fn with_compute(self, compute: Compute) -> Self {
        Model { compute, ..self }
    }

    /// Sets the device of the encoders.
    pub fn with_device(self, device: Device) -> Self {
        Model { compute: Compute { device, ..self.compute }, ..self }
    }

    /// Returns the precision and device of the encoders.
    pub fn compute(&self) -> &Compute {
        &self.compute
    }

    /// Returns the precision of the encoders: that of [`compute`](Self::compute), or the default
    /// of its device for this model.
    pub fn precision(&self) -> Precision {
        match &self.kind {
            Kind::Clip(checkpoint) => checkpoint.precision(&self.compute),
            // The starter's weights are f16.
            Kind::Starter(_) => self.compute.precision_for(true),
        }
    }

    /// Returns the model's name, which parses to the same [`ModelSource`].
    pub fn id(&self) -> String {
        self.source.to_string()
    }

    /// Returns a folder name for the model: [`ModelSource::slug`].
    pub fn slug(&self) -> String {
        self.source.slug()
    }

    /// Computes the model's fingerprint: the SHA-256 in hex of weights, tokenizer, text cleaning,
    /// preprocessing and configuration. Reads all weights.
    ///
    /// # Errors
    /// [`crate::Error::Io`] if a file cannot be read.
    pub fn fingerprint(&self) -> Result<String> {
        match &self.kind {
            Kind::Clip(checkpoint) => checkpoint.fingerprint(),
            Kind::Starter(starter) => Ok(starter.fingerprint()),
        }
    }

    /// Loads the text encoder.
    ///
    /// # Errors
    /// Those of [`Checkpoint::text_encoder`] and [`Starter::text_encoder`].
    pub fn text_encoder(&self) -> Result<Box<dyn TextEncoder>> {
        Ok(match &self.kind {
            Kind::Clip(checkpoint) => Box::new(checkpoint.text_encoder_with(&self.compute)?),
            Kind::Starter(starter) => Box::new(starter.text_encoder_with(&self.compute)?),
        })
    }

    /// Opens the tokenizer of the text encoder, without weights.
    ///
    /// # Errors
    /// Those of [`Checkpoint::counter`] and [`Starter::counter`].
    pub fn counter(&self) -> Result<Box<dyn Counter>> {
        Ok(match &self.kind {
            Kind::Clip(checkpoint) => Box::new(checkpoint.counter()?),
            Kind::Starter(starter) => Box::new(starter.counter()?),
        })
    }

    /// Loads the image encoder.
    ///
    /// # Errors
    /// Those of [`Checkpoint::image_encoder`] and [`Starter::image_encoder`].
    pub fn image_encoder(&self) -> Result<Box<dyn ImageEncoder>> {
        Ok(match &self.kind {
            Kind::Clip(checkpoint) => Box::new(checkpoint.image_encoder_with(&self.compute)?),
            Kind::Starter(starter) => Box::new(starter.image_encoder_with(&self.compute)?),
        })
    }

    /// Returns a one-sentence notice for users of this model, if any.
    pub fn notice(&self) -> Option<&'static str> {
        match &self.kind {
            Kind::Clip(_) => None,
            Kind::Starter(_) => Some(starter::NOTICE),
        }
    }

    /// Returns the minimum score of a label in a prompt, if the model's ranking is unreliable
    /// below one.
    pub fn min_score(&self) -> Option<f32> {
        match &self.kind {
            Kind::Clip(_) => None,
            Kind::Starter(_) => Some(starter::MIN_SCORE),
        }
    }

    /// Returns the function from a cosine to a probability, if the model was trained with a
    /// sigmoid (SigLIP); other models have the softmax of
    /// [`Rows::softmax`](crate::rank::Rows::softmax).
    ///
    /// # Errors
    /// Those of [`Checkpoint::sigmoid`].
    pub fn sigmoid(&self) -> Result<Option<Sigmoid>> {
        match &self.kind {
            Kind::Clip(checkpoint) => checkpoint.sigmoid(),
            Kind::Starter(_) => Ok(None),
        }
    }

    /// Returns the number of labels that a chain should choose from, if it should be lower than
    /// that of [`PromptOptions::new`](crate::prompt::modes::PromptOptions::new): SigLIP and the
    /// starter compute each prompt anew.
    pub fn chain_candidates(&self) -> Option<usize> {
        match &self.kind {
            Kind::Clip(checkpoint) => checkpoint.is_padded().then_some(WHOLE_TEXT_CANDIDATES),
            Kind::Starter(_) => Some(WHOLE_TEXT_CANDIDATES),
        }
    }

    /// Returns the numbers of the labels with the digest `dictionary`
    /// ([`Digest::of_labels`]) that may score `min_score` or more for one of `features`,
    /// ascending, without encoding a label. All others score less in f32. `None` if the model
    /// has no codes of these labels: only the starter has them, of this repository's flavors.
    ///
    /// # Errors
    /// [`RowsError::Dim`](crate::error::RowsError::Dim) for features of another model, and those
    /// of [`Starter::text_encoder`].
    pub fn candidates(
        &self,
        dictionary: Digest,
        features: &[Features],
        min_score: f32,
    ) -> Result<Option<Vec<usize>>> {
        match &self.kind {
            Kind::Clip(_) => Ok(None),
            Kind::Starter(starter) => {
                let shortlist = starter.shortlist()?;
                if shortlist.dictionary() != dictionary {
                    return Ok(None);
                }
                shortlist.candidates(features, min_score).map(Some)
            }
        }
    }
}
