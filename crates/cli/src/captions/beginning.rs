//! What prompts begin with.

use std::cell::RefCell;
use std::collections::HashMap;

use interrogate::error::RowsError;
use interrogate::picture::{Pixels, Preprocess};
use interrogate::{Error, Result};

use super::Captions;
use crate::args::Prompt;
use crate::error::CliError;
use crate::logger::Logger;
use crate::pass::Pass;

/// What is said of a first pass that was stopped.
const STOPPED: &str = "interrupted while captions were made, which --two-pass holds in memory alone: the same command \
begins them anew, with --resume what FILE holds stays. Without --two-pass prompts come as they are made, and --resume \
goes on behind the last one";

/// What prompts begin with.
pub(crate) enum Beginning {
    /// A caption of each image's own, made as it is looked at.
    Made(Box<Captions>),
    /// A caption of each image's own, by its number, made before; the captioner
    /// is gone.
    Kept(RefCell<HashMap<usize, Result<String>>>),
    /// The same words, or none.
    Typed(Option<String>),
}

impl Beginning {
    /// What was asked for; in two passes, this is the first. `None` where that
    /// was interrupted.
    pub(crate) fn open(
        args: &Prompt,
        pass: &Pass,
        logger: &Logger,
    ) -> Result<Option<Self>, CliError> {
        let Some(name) = &args.caption_model else {
            return Ok(Some(Beginning::Typed(args.caption.clone())));
        };
        let captions = Captions::open(name, &args.search, args.source.model.device, logger)?;
        match args.two_pass {
            true => Self::kept(&captions, pass, logger),
            false => Ok(Some(Beginning::Made(captions.into()))),
        }
    }

    fn kept(captions: &Captions, pass: &Pass, logger: &Logger) -> Result<Option<Self>, CliError> {
        let template = match pass.len() {
            Some(_) => "{bar:40} {pos}/{len} captions, {eta} left",
            None => "{spinner} {pos} captions",
        };
        let bar = logger.bar(pass.len().unwrap_or_default() as u64, template);
        let mut kept = HashMap::new();
        let preprocess = captions.preprocess();
        let whole = pass.batches(
            &|picture| preprocess.prepare(picture),
            &mut |items| {
                let pixels = items.iter().map(|item| (item.number, &item.looked));
                captions.of(&pixels.collect::<Vec<_>>())
            },
            |came| {
                bar.inc(came.len() as u64);
                kept.extend(
                    came.into_iter()
                        .map(|came| (came.number, came.result.map(|(_, caption)| caption.text))),
                );
                Ok(())
            },
        )?;
        bar.finish_and_clear();
        captions.finish(logger);
        if !whole {
            logger.note(STOPPED);
        }
        Ok(whole.then(|| Beginning::Kept(RefCell::new(kept))))
    }

    /// How a picture is prepared for a captioner, where one is asked.
    pub(crate) fn preprocess(&self) -> Option<&Preprocess> {
        match self {
            Beginning::Made(captions) => Some(captions.preprocess()),
            _ => None,
        }
    }

    /// What the prompts of these images begin with, each given with its number
    /// and as [`preprocess`](Self::preprocess) prepared it, in their order.
    pub(crate) fn of(&self, images: &[(usize, Option<&Pixels>)]) -> Result<Vec<Option<String>>> {
        match self {
            Beginning::Made(captions) => {
                let pixels =
                    images.iter().filter_map(|(number, pixels)| Some((*number, (*pixels)?)));
                let made = captions.of(&pixels.collect::<Vec<_>>())?;
                Ok(made.into_iter().map(|caption| Some(caption.text)).collect())
            }
            Beginning::Typed(words) => Ok(vec![words.clone(); images.len()]),
            Beginning::Kept(kept) => take(&mut kept.borrow_mut(), images),
        }
    }

    /// Says how fast the captions came, where they came as images were looked at.
    pub(crate) fn finish(&self, logger: &Logger) {
        if let Beginning::Made(captions) = self {
            captions.finish(logger);
        }
    }
}

/// The captions of these images, which every image of the run has, once. Where
/// one has failed, none is taken but from an image that is asked for alone.
fn take(
    kept: &mut HashMap<usize, Result<String>>,
    images: &[(usize, Option<&Pixels>)],
) -> Result<Vec<Option<String>>> {
    let missing = || Error::Rows(RowsError::Direction { what: "captions", row: 0 });
    if images.len() > 1 && images.iter().any(|(number, _)| !matches!(kept.get(number), Some(Ok(_))))
    {
        return Err(missing());
    }
    let mut one = |number| kept.remove(number).unwrap_or_else(|| Err(missing())).map(Some);
    images.iter().map(|(number, _)| one(number)).collect()
}
