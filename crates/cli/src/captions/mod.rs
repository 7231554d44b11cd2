//! Captions: which model makes them, and how it is asked.

mod beginning;
mod pace;

use std::cell::RefCell;

use interrogate::Device;
use interrogate::caption::{self, Caption, Captioner, GenerationConfig, NAMES, Sampling};
use interrogate::models::{ModelSource, hub};
use interrogate::picture::{Pixels, Preprocess};

use crate::args::{EarlyStopping, Search};
use crate::error::CliError;
use crate::logger::Logger;
use crate::opening;
pub(crate) use beginning::Beginning;
use pace::Pace;

/// An open captioner and what it is asked for.
pub(crate) struct Captions {
    model: Box<dyn Captioner>,
    options: GenerationConfig,
    pace: RefCell<Pace>,
}

impl Captions {
    /// Opens the captioner that `name` stands for, fetching it where it is a
    /// hub's, and holds the options against it before an image is read.
    pub(crate) fn open(
        name: &str,
        search: &Search,
        device: Device,
        logger: &Logger,
    ) -> Result<Self, CliError> {
        device.check()?; // before anything is fetched
        let known = NAMES.iter().find(|(known, _)| *known == name);
        let unknown = || CliError::UnknownCaptioner { name: name.to_owned() };
        let source = known.map_or(name, |(_, repo)| repo).parse().map_err(|_| unknown())?;
        let folder = match source {
            ModelSource::Folder(folder) => folder,
            ModelSource::Hub { repo, revision } => {
                opening::fetching(logger, |options, progress| {
                    hub::fetch(&repo, revision.as_deref(), options, progress)
                })?
            }
            ModelSource::Starter | ModelSource::File(_) => return Err(unknown()),
        };
        let captions = Captions {
            model: caption::open_on(&folder, search.caption_precision, device)?,
            options: options(search),
            pace: RefCell::new(Pace::new(logger)),
        };
        captions.together(0, &[])?;
        Ok(captions)
    }

    /// How a picture is prepared for it.
    pub(crate) fn preprocess(&self) -> &Preprocess {
        self.model.preprocess()
    }

    /// The captions of pictures that are prepared, each with its number among
    /// all, in their order.
    pub(crate) fn of(&self, pictures: &[(usize, &Pixels)]) -> interrogate::Result<Vec<Caption>> {
        let mut captions = Vec::with_capacity(pictures.len());
        // Each image draws by its place among all, not in its batch: where some
        // are missing between them, they are no one batch.
        let drawn = self.options.sampling.is_some();
        for run in pictures.chunk_by(|(a, _), (b, _)| !drawn || a + 1 == *b) {
            let pixels: Vec<&Pixels> = run.iter().map(|(_, pixels)| *pixels).collect();
            captions.extend(self.together(run.first().map_or(0, |(first, _)| *first), &pixels)?);
        }
        Ok(captions)
    }

    fn together(&self, first: usize, pixels: &[&Pixels]) -> interrogate::Result<Vec<Caption>> {
        let mut options = self.options.clone();
        if let Some(sampling) = &mut options.sampling {
            sampling.first_image = first;
        }
        let mut pace = self.pace.borrow_mut();
        pace.start(pixels.len());
        let captions = self.model.caption_prepared(pixels, &options, &mut |p| pace.step(p));
        pace.stop();
        captions
    }

    /// Says how many there were and how fast they came.
    pub(crate) fn finish(&self, logger: &Logger) {
        self.pace.borrow().finish(logger);
    }
}

fn options(search: &Search) -> GenerationConfig {
    let &Search { temperature, top_p, seed, .. } = search;
    let drawn = temperature.is_some() || top_p.is_some() || seed.is_some();
    GenerationConfig {
        num_beams: search.num_beams,
        max_new_tokens: search.max_length,
        min_new_tokens: search.min_length,
        length_penalty: search.length_penalty,
        early_stopping: match search.early_stopping {
            EarlyStopping::Likely => caption::EarlyStopping::Likely,
            EarlyStopping::Full => caption::EarlyStopping::Full,
            EarlyStopping::Never => caption::EarlyStopping::Never,
        },
        no_repeat_ngram_size: search.no_repeat_ngram_size,
        repetition_penalty: search.repetition_penalty,
        sampling: drawn.then(|| Sampling {
            temperature: temperature.unwrap_or(1.0),
            top_p: top_p.unwrap_or(1.0),
            seed: seed.unwrap_or(0),
            first_image: 0,
        }),
        prompt: search.caption_prefix.clone().unwrap_or_default(),
    }
}
