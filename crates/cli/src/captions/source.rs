//! The captions that prompts begin with.

use std::cell::RefCell;
use std::collections::HashMap;

use interrogate::error::RowsError;
use interrogate::picture::{Pixels, Preprocess};
use interrogate::{Error, Result};

use super::CaptionModel;
use crate::args::Prompt;
use crate::error::CliError;
use crate::logger::Logger;
use crate::run::Run;

/// The note on an interrupted first pass of `--two-pass`.
const INTERRUPTED: &str = "interrupted while captioning: --two-pass keeps captions in memory only, so the same command captions \
all images again; with --resume, the results in FILE are kept. Without --two-pass, each prompt is written when it is ready, \
and --resume continues after the last one";

/// Where the caption of a prompt comes from.
pub(crate) enum CaptionSource {
    /// The caption model, run beside the image encoder.
    Model(Box<CaptionModel>),
    /// The first pass of `--two-pass`: results by image number. The model is closed.
    FirstPass(RefCell<HashMap<usize, Result<String>>>),
    /// `--caption`, the same for every image, or no caption.
    Fixed(Option<String>),
}

impl CaptionSource {
    /// Opens the caption model, and runs the first pass of `--two-pass`. Returns `None` if
    /// that pass is interrupted.
    pub(crate) fn open(
        args: &Prompt,
        run: &Run,
        logger: &Logger,
    ) -> Result<Option<Self>, CliError> {
        let two_passes = args.two_pass || args.memory.low_memory;
        let Some(name) = args.caption_model.as_ref().filter(|_| two_passes) else {
            return Self::in_one_pass(args, logger).map(Some);
        };
        if run.is_read_once() {
            return Err(CliError::Arguments {
                message: "--two-pass reads images twice, and standard input can be read once"
                    .to_owned(),
                hint: "save the archive to a file, or leave out --two-pass".to_owned(),
            });
        }
        let device = args.source.model.device.resolve(logger);
        let model = CaptionModel::open(name, &args.search, device, logger)?;
        Self::first_pass(&model, run, logger)
    }

    /// Opens the caption model, to run beside the image encoder.
    pub(crate) fn in_one_pass(args: &Prompt, logger: &Logger) -> Result<Self, CliError> {
        let Some(name) = &args.caption_model else {
            return Ok(CaptionSource::Fixed(args.caption.clone()));
        };
        let device = args.source.model.device.resolve(logger);
        let model = CaptionModel::open(name, &args.search, device, logger)?;
        Ok(CaptionSource::Model(model.into()))
    }

    fn first_pass(
        model: &CaptionModel,
        run: &Run,
        logger: &Logger,
    ) -> Result<Option<Self>, CliError> {
        let template = match run.len() {
            Some(_) => "{bar:40} {pos}/{len} captions, {eta} left",
            None => "{spinner} {pos} captions",
        };
        let bar = logger.bar(run.len().unwrap_or_default() as u64, template);
        let mut captions = HashMap::new();
        let preprocess = model.preprocess();
        let complete = run.decode(&|picture| preprocess.prepare(picture), |batches| {
            for batch in batches {
                let results = model.caption_batch(batch);
                bar.inc(results.len() as u64);
                captions.extend(
                    results
                        .into_iter()
                        .map(|image| (image.number, image.result.map(|caption| caption.text))),
                );
            }
            Ok(())
        })?;
        bar.finish_and_clear();
        model.log_speed(logger);
        if !complete {
            logger.note(INTERRUPTED);
        }
        Ok(complete.then(|| CaptionSource::FirstPass(RefCell::new(captions))))
    }

    /// Returns the preprocessing of the caption model, if it runs in this pass.
    pub(crate) fn preprocess(&self) -> Option<&Preprocess> {
        match self {
            CaptionSource::Model(model) => Some(model.preprocess()),
            _ => None,
        }
    }

    /// Returns the captions of `images` in order. Each image is its number and, with a
    /// model, its preprocessed pixels.
    pub(crate) fn captions(
        &self,
        images: &[(usize, Option<&Pixels>)],
    ) -> Result<Vec<Option<String>>> {
        match self {
            CaptionSource::Model(model) => {
                let pixels =
                    images.iter().filter_map(|(number, pixels)| Some((*number, (*pixels)?)));
                let captions = model.caption(&pixels.collect::<Vec<_>>())?;
                Ok(captions.into_iter().map(|caption| Some(caption.text)).collect())
            }
            CaptionSource::Fixed(caption) => Ok(vec![caption.clone(); images.len()]),
            CaptionSource::FirstPass(captions) => remove(&mut captions.borrow_mut(), images),
        }
    }

    /// Logs the speed of the caption model, if it ran in this pass.
    pub(crate) fn log_speed(&self, logger: &Logger) {
        if let CaptionSource::Model(model) = self {
            model.log_speed(logger);
        }
    }
}

/// Removes and returns the captions of `images`. If one of several images has no caption,
/// this fails and removes nothing, so that the caller can retry image by image.
fn remove(
    captions: &mut HashMap<usize, Result<String>>,
    images: &[(usize, Option<&Pixels>)],
) -> Result<Vec<Option<String>>> {
    let missing = || Error::Rows(RowsError::Direction { what: "captions", row: 0 });
    let has_caption = |(number, _): &(usize, _)| matches!(captions.get(number), Some(Ok(_)));
    if images.len() > 1 && !images.iter().all(has_caption) {
        return Err(missing());
    }
    let mut one = |number| captions.remove(number).unwrap_or_else(|| Err(missing())).map(Some);
    images.iter().map(|(number, _)| one(number)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixed_caption_is_given_to_every_image() {
        let source = CaptionSource::Fixed(Some("a cat".to_owned()));
        let captions = source.captions(&[(0, None), (1, None)]).unwrap();
        assert_eq!(captions, [Some("a cat".to_owned()), Some("a cat".to_owned())]);
    }

    #[test]
    fn failed_caption_fails_the_batch_and_keeps_the_others_for_a_retry() {
        let error = Error::mismatch("1.jpg", "size", "an image", "0 bytes");
        let results = [(0, Ok("a cat".to_owned())), (1, Err(error)), (2, Ok("a dog".to_owned()))];
        let source = CaptionSource::FirstPass(RefCell::new(results.into_iter().collect()));
        assert!(source.captions(&[(0, None), (1, None)]).is_err());
        assert_eq!(source.captions(&[(0, None)]).unwrap(), [Some("a cat".to_owned())]);
        let error = source.captions(&[(1, None)]).unwrap_err().to_string();
        assert!(error.starts_with("1.jpg: size"), "{error}");
        assert_eq!(source.captions(&[(2, None)]).unwrap(), [Some("a dog".to_owned())]);
    }
}
