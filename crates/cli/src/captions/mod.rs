//! The caption model and the captions of prompts.

mod source;
mod throughput;

use std::cell::RefCell;
use std::path::PathBuf;

use interrogate::Device;
use interrogate::caption::{self, Caption, Captioner, GenerationConfig, Sampling};
use interrogate::models::captioner_folder;
use interrogate::picture::{Pixels, Preprocess};

use crate::args::{CaptionTask, EarlyStopping, Search};
use crate::error::CliError;
use crate::logger::Logger;
use crate::opening;
use crate::run::Batch;
pub(crate) use source::CaptionSource;
use throughput::Throughput;

/// An open captioner and its generation config.
pub(crate) struct CaptionModel {
    model: Box<dyn Captioner>,
    options: GenerationConfig,
    throughput: RefCell<Throughput>,
}

/// Changes of the generation config for single images.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Overrides {
    pub(crate) num_beams: Option<usize>,
    pub(crate) max_length: Option<usize>,
}

impl CaptionModel {
    /// Opens the captioner `name`, downloads it if it is on a hub, and checks the options
    /// against it before an image is read.
    pub(crate) fn open(
        name: &str,
        search: &Search,
        device: Device,
        logger: &Logger,
    ) -> Result<Self, CliError> {
        device.check()?; // before anything is fetched
        let folder = Self::folder(name, logger)?;
        let model = caption::open_on(&folder, search.caption_precision, device)?;
        let captioner = CaptionModel {
            options: options(search, model.defaults()),
            model,
            throughput: RefCell::new(Throughput::new(logger)),
        };
        captioner.generate(0, &[], Overrides::default())?; // checks the options
        Ok(captioner)
    }

    /// Returns the folder of the captioner `name`, and downloads it if it is on a hub.
    pub(crate) fn folder(name: &str, logger: &Logger) -> Result<PathBuf, CliError> {
        let fetched = opening::fetching(logger, |options, progress| {
            captioner_folder(name, options, progress)
        });
        Ok(fetched?)
    }

    /// Returns the preprocessing of the model's input.
    pub(crate) fn preprocess(&self) -> &Preprocess {
        self.model.preprocess()
    }

    /// Captions a batch of preprocessed images, as [`Batch::encode`] does.
    pub(crate) fn caption_batch(&self, batch: Batch<Pixels>) -> Batch<Caption> {
        batch.encode(|images| {
            let pixels = images.iter().map(|image| (image.number, &image.prepared));
            self.caption(&pixels.collect::<Vec<_>>())
        })
    }

    /// Captions preprocessed images, each with its number, in order.
    pub(crate) fn caption(&self, images: &[(usize, &Pixels)]) -> interrogate::Result<Vec<Caption>> {
        self.caption_as(images, Overrides::default())
    }

    /// Like [`caption`](Self::caption), with the generation config changed by `overrides`.
    pub(crate) fn caption_as(
        &self,
        images: &[(usize, &Pixels)],
        overrides: Overrides,
    ) -> interrogate::Result<Vec<Caption>> {
        let mut captions = Vec::with_capacity(images.len());
        // Sampling is seeded by the image's number. The model numbers the images of a call
        // consecutively, so a gap in the numbers needs another call.
        let sampling = self.options.sampling.is_some();
        for run in images.chunk_by(|(a, _), (b, _)| !sampling || a + 1 == *b) {
            let pixels: Vec<&Pixels> = run.iter().map(|(_, pixels)| *pixels).collect();
            let first = run.first().map_or(0, |(first, _)| *first);
            captions.extend(self.generate(first, &pixels, overrides)?);
        }
        Ok(captions)
    }

    fn generate(
        &self,
        first: usize,
        pixels: &[&Pixels],
        overrides: Overrides,
    ) -> interrogate::Result<Vec<Caption>> {
        let mut options = self.options.clone();
        options.num_beams = overrides.num_beams.unwrap_or(options.num_beams);
        options.max_new_tokens = overrides.max_length.unwrap_or(options.max_new_tokens);
        if let Some(sampling) = &mut options.sampling {
            sampling.first_image = first;
        }
        let mut throughput = self.throughput.borrow_mut();
        throughput.start(pixels.len());
        let captions = self.model.caption_prepared(pixels, &options, &mut |p| throughput.step(p));
        throughput.stop();
        captions
    }

    /// Logs the number of captions and their speed.
    pub(crate) fn log_speed(&self, logger: &Logger) {
        self.throughput.borrow().log(logger);
    }
}

/// Returns the generation config of the options, with the model's `defaults`.
fn options(search: &Search, defaults: GenerationConfig) -> GenerationConfig {
    let &Search { temperature, top_p, seed, .. } = search;
    let sampled = temperature.is_some() || top_p.is_some() || seed.is_some();
    GenerationConfig {
        num_beams: search.num_beams.unwrap_or(defaults.num_beams),
        max_new_tokens: search.max_length.unwrap_or(defaults.max_new_tokens),
        min_new_tokens: search.min_length.unwrap_or(defaults.min_new_tokens),
        length_penalty: search.length_penalty,
        early_stopping: match search.early_stopping {
            None => defaults.early_stopping,
            Some(EarlyStopping::Likely) => caption::EarlyStopping::Likely,
            Some(EarlyStopping::Full) => caption::EarlyStopping::Full,
            Some(EarlyStopping::Never) => caption::EarlyStopping::Never,
        },
        no_repeat_ngram_size: search.no_repeat_ngram_size.unwrap_or(defaults.no_repeat_ngram_size),
        repetition_penalty: search.repetition_penalty,
        sampling: sampled.then(|| Sampling {
            temperature: temperature.unwrap_or(1.0),
            top_p: top_p.unwrap_or(1.0),
            seed: seed.unwrap_or(0),
            first_image: 0,
        }),
        prompt: search.caption_prefix.clone().unwrap_or_default(),
        task: match search.caption_task {
            CaptionTask::Caption => caption::CaptionTask::Caption,
            CaptionTask::Detailed => caption::CaptionTask::Detailed,
            CaptionTask::MoreDetailed => caption::CaptionTask::MoreDetailed,
        },
    }
}
