//! One pass over the images of a run: decoded ahead, looked at by batches,
//! answered in order, written meanwhile.

use std::io::{IsTerminal, stdout};

use interrogate::encoder::{Features, ImageEncoder};
use interrogate::index::Index;
use interrogate::picture::{Picture, Pixels};
use interrogate::{Error, Result};

use crate::args::{self, Form};
use crate::fault::{Fault, Outcome};
use crate::files::Files;
use crate::image_name::Name;
use crate::interrupt;
use crate::logger::Logger;
use crate::progress::Progress;
use crate::sink::{self, Answer, Answers, Refused, Sidecars, Standing, Target};
use crate::source::Source;
use crate::stream::{self, Looked};

/// Images decoded beyond the batch that comes next, so that the threads that
/// decode never wait for the model to take one.
const BEYOND: usize = 8;

/// What is looked at and where the answers go.
#[derive(Debug)]
pub(crate) struct Pass {
    source: Source,
    target: Target,
    standing: Standing,
    sidecars: Option<Sidecars>,
    skip_existing: bool,
    at_once: usize,
}

/// A decoded image, and what was made of it where it was decoded.
#[derive(Debug)]
pub(crate) struct Item<P> {
    /// Its place among all images.
    pub(crate) number: usize,
    pub(crate) name: Name,
    pub(crate) looked: P,
}

/// An image and what the model says of it.
#[derive(Debug)]
pub(crate) struct Seen<P, T> {
    pub(crate) name: Name,
    /// What was made of it where it was decoded.
    pub(crate) looked: P,
    pub(crate) seen: T,
}

/// What the model says of each of some images, in their order.
type See<'a, P, T> = dyn FnMut(&[Item<P>]) -> Result<Vec<T>> + 'a;

/// Puts answers for images that were seen, in their order.
type Put<'a, P, T> =
    dyn FnMut(Vec<Seen<P, T>>, &mut Answers) -> std::result::Result<(), Fault> + 'a;

/// Hears of an image that failed.
type Told<'a> = dyn FnMut(&Name, &Error) -> std::result::Result<(), Fault> + 'a;

/// What came of one image.
pub(crate) struct Came<P, T> {
    pub(crate) number: usize,
    pub(crate) name: Name,
    pub(crate) result: Result<(P, T)>,
}

impl Pass {
    /// Finds the images and the place for the answers, before a model is opened
    /// for nothing. `default` is the form where neither the file nor an option
    /// names one; `files` are those that the command reads and writes besides.
    ///
    /// # Errors
    /// Where there is no image, where answers cannot go, and those of [`Files::check`].
    pub(crate) fn open<A: Answer>(
        images: &args::Images,
        output: &args::Output,
        sidecars: Option<&args::Sidecars>,
        default: Form,
        mut files: Files,
    ) -> std::result::Result<Self, Fault> {
        let source = Source::collect(images)?;
        let sidecars = sidecars.filter(|sidecars| sidecars.sidecar);
        if sidecars.is_some() && source.has_archives() {
            return Err(Refused::Sidecar.into());
        }
        if let Some(list) = source.filelist() {
            files = files.reading(list, "the list of images");
        }
        if let Some(path) = &output.output {
            files = files.writing(path, "the answers");
            files = files.writing(&sink::record_of(path), "the record of the run");
        }
        files.check(source.entries(), sidecars.is_some())?;
        let (target, standing) = Target::open::<A>(output, default)?;
        Ok(Pass {
            source,
            target,
            standing,
            skip_existing: sidecars.is_some_and(|sidecars| sidecars.skip_existing),
            sidecars: sidecars.map(|sidecars| Sidecars::new(sidecars, output.overwrite)),
            at_once: images.batch_size.into(),
        })
    }

    /// Says which index is asked.
    ///
    /// # Errors
    /// [`Refused::Options`] where the answers that are gone on with are another's.
    pub(crate) fn asks(&mut self, index: &Index) -> std::result::Result<(), Fault> {
        self.target.asks(index)
    }

    /// At most `images` are looked at together: for answers that take their time, so
    /// that each is written as it comes.
    #[must_use]
    pub(crate) fn by(self, images: usize) -> Self {
        Pass { at_once: self.at_once.min(images), ..self }
    }

    /// How many images there are, where that is known.
    pub(crate) fn len(&self) -> Option<usize> {
        self.source.len()
    }

    /// Looks at all images that are not answered yet and hands over what `see`
    /// says of each, by batches, in order. `look` runs on the threads that
    /// decode; the decoded picture is gone when it returns. Where `see` refuses
    /// a batch it gets its images one by one, so that one bad image fails alone.
    /// Gives whether the run came to its end.
    ///
    /// # Errors
    /// Those of `take`.
    pub(crate) fn batches<P: Send, T>(
        &self,
        look: &(dyn Fn(&Picture) -> Result<P> + Sync),
        see: &mut See<'_, P, T>,
        mut take: impl FnMut(Vec<Came<P, T>>) -> std::result::Result<(), Fault>,
    ) -> std::result::Result<bool, Fault> {
        let _in_hand = interrupt::hold();
        let wanted = |name: &Name| self.wanted(name);
        stream::ahead(&self.source, self.at_once + BEYOND, &wanted, look, |mut stream| {
            loop {
                let mut batch = Vec::with_capacity(self.at_once);
                while batch.len() < self.at_once && !interrupt::asked() {
                    let Some(looked) = stream.next() else { break };
                    batch.push(looked);
                }
                if interrupt::asked() {
                    return Ok(false);
                }
                if batch.is_empty() {
                    return Ok(true);
                }
                match take(batch_of(batch, see)) {
                    Err(Fault::Library(Error::Interrupted)) => return Ok(false),
                    taken => taken?,
                }
            }
        })
    }

    /// [`batches`](Self::batches), written: `answer` puts an answer for each
    /// image that was seen, in order; failures go to both outputs.
    ///
    /// # Errors
    /// What cannot be written, and those of `answer`.
    pub(crate) fn each<A: Answer, P: Send, T>(
        self,
        logger: &Logger,
        look: &(dyn Fn(&Picture) -> Result<P> + Sync),
        see: &mut See<'_, P, T>,
        answer: &mut Put<'_, P, T>,
    ) -> std::result::Result<Outcome, Fault> {
        self.each_told::<A, P, T>(logger, look, see, answer, &mut |_, _| Ok(()))
    }

    /// The same; `failed` hears of each image that failed, in its place.
    ///
    /// # Errors
    /// Those of [`each`](Self::each), and those of `failed`.
    pub(crate) fn each_told<A: Answer, P: Send, T>(
        mut self,
        logger: &Logger,
        look: &(dyn Fn(&Picture) -> Result<P> + Sync),
        see: &mut See<'_, P, T>,
        answer: &mut Put<'_, P, T>,
        failed: &mut Told<'_>,
    ) -> std::result::Result<Outcome, Fault> {
        let sidecars = self.sidecars.take();
        interrupt::farewell(format!("interrupted: {}", self.how_to_go_on()));
        let _in_hand = interrupt::hold();
        self.target.notes().into_iter().for_each(|note| logger.note(note));
        let mut answers =
            Answers::new::<A>(self.target.form, self.len() == Some(1), sidecars.is_some());
        let writer = self.target.start(&self.standing, sidecars.unwrap_or_default(), logger)?;
        let mut outcome = Outcome { done: self.standing.done(), ..Outcome::default() };
        outcome.failed = self.standing.failed();
        let mut progress = self.progress(logger);
        let ended = self.batches(look, see, |came| {
            let (done, lost) = in_order(came, logger, &mut answers, answer, failed)?;
            (outcome.done, outcome.failed) = (outcome.done + done, outcome.failed + lost);
            progress.step(done, lost);
            match writer.write(answers.take()) {
                true => Ok(()),
                false => Err(Fault::Stopped),
            }
        });
        let said = progress.finish();
        match ended {
            Ok(whole) => {
                let sidecars = writer.finish(whole)?;
                outcome.interrupted = !whole;
                // Their images were counted as answered before.
                outcome.done = outcome.done.saturating_sub(sidecars.failed);
                outcome.failed += sidecars.failed;
                self.report(logger, &said, outcome, &sidecars);
                Ok(outcome)
            }
            // Why it stopped is the writer's to say.
            Err(Fault::Stopped) => Err(writer.finish(false).err().unwrap_or(Fault::Stopped)),
            Err(fault) => {
                writer.finish(false)?;
                Err(fault)
            }
        }
    }

    fn wanted(&self, name: &Name) -> bool {
        let has_sidecar = || name.file.as_deref().is_some_and(|file| sink::beside(file).exists());
        let skipped = self.skip_existing && has_sidecar();
        !skipped && !self.standing.holds(&name.text)
    }

    fn progress(&self, logger: &Logger) -> Progress {
        let many = self.len().is_none_or(|images| images > self.at_once);
        // Lines that a person sees come are progress enough.
        let watched = many && (self.target.path.is_some() || !stdout().is_terminal());
        Progress::new(logger, self.len(), self.standing.done() + self.standing.failed(), watched)
    }

    /// Says what was done, and how to go on where it was not all.
    fn report(&self, logger: &Logger, said: &str, outcome: Outcome, sidecars: &Sidecars) {
        let Outcome { done, failed, interrupted } = outcome;
        if failed > 0 {
            let before = match self.standing.failed() {
                0 => String::new(),
                before => format!(", {before} of them before: --retry-failed tries them again"),
            };
            logger.note(format_args!("{failed} of {} images failed{before}", done + failed));
        }
        if let Some(said) = sidecars.said() {
            logger.note(said);
        }
        if let Some(path) = &self.target.path {
            let before = self.standing.done() + self.standing.failed();
            let before = if before > 0 { format!(", {before} before") } else { String::new() };
            logger.note(format_args!("{}: {said}{before}", path.display()));
        }
        self.tell_skipped(logger);
        if interrupted {
            logger.lines(format_args!("interrupted: {}", self.how_to_go_on()));
        }
    }

    /// Says what of folders and archives was skipped.
    pub(crate) fn tell_skipped(&self, logger: &Logger) {
        if let Some(skipped) = self.source.skipped() {
            logger.note(skipped);
        }
    }

    fn how_to_go_on(&self) -> String {
        match (&self.target.path, self.target.form) {
            (Some(_), Form::Jsonl | Form::Csv) => {
                format!("go on with\n  {}", interrupt::command("--resume"))
            }
            (Some(_), Form::Parquet) => {
                "Parquet is whole or not at all, and nothing was kept; a run into .jsonl or .csv can be gone on with".into()
            }
            _ if self.skip_existing => format!("go on with\n  {}", interrupt::command("")),
            _ => "a run with -o answers.jsonl can be gone on with".into(),
        }
    }
}

/// What `tower` sees in the images that it prepared.
pub(crate) fn features(
    tower: &dyn ImageEncoder,
) -> impl FnMut(&[Item<Pixels>]) -> Result<Vec<Features>> + '_ {
    |items| tower.encode_prepared(&items.iter().map(|item| &item.looked).collect::<Vec<_>>())
}

/// What comes of a batch, in its order.
fn batch_of<P, T>(batch: Vec<Looked<P>>, see: &mut See<'_, P, T>) -> Vec<Came<P, T>> {
    let (mut order, mut items) = (Vec::with_capacity(batch.len()), Vec::new());
    for Looked { number, name, seen } in batch {
        match seen {
            Ok(looked) => {
                order.push(None);
                items.push(Item { number, name, looked });
            }
            Err(error) => order.push(Some(Came { number, name, result: Err(error) })),
        }
    }
    let seen = together(&items, see);
    let mut seen = items.into_iter().zip(seen).map(|(Item { number, name, looked }, seen)| Came {
        number,
        name,
        result: seen.map(|seen| (looked, seen)),
    });
    order.into_iter().filter_map(|failed| failed.or_else(|| seen.next())).collect()
}

/// What `see` says of each, in order; where it refuses them together, it is
/// asked one by one.
fn together<P, T>(items: &[Item<P>], see: &mut See<'_, P, T>) -> Vec<Result<T>> {
    if items.is_empty() {
        return Vec::new();
    }
    match see(items) {
        Ok(seen) if seen.len() == items.len() => seen.into_iter().map(Ok).collect(),
        Ok(seen) => {
            let missing = |_| Err(Error::Direction { what: "features", row: seen.len() });
            items.iter().map(missing).collect()
        }
        Err(error) if items.len() == 1 => vec![Err(error)],
        Err(_) => items.chunks(1).flat_map(|one| together(one, see)).collect(),
    }
}

/// Puts the answers of a batch in order, failures between them, and counts both.
fn in_order<P, T>(
    came: Vec<Came<P, T>>,
    logger: &Logger,
    answers: &mut Answers,
    answer: &mut Put<'_, P, T>,
    failed: &mut Told<'_>,
) -> std::result::Result<(usize, usize), Fault> {
    let (mut done, mut lost, mut seen) = (0, 0, Vec::new());
    for Came { name, result, .. } in came {
        match result {
            Ok((looked, value)) => {
                done += 1;
                seen.push(Seen { name, looked, seen: value });
            }
            Err(error) => {
                // Those before it are answered first: the order is the input's.
                answer(std::mem::take(&mut seen), answers)?;
                lost += 1;
                failed(&name, &error)?;
                answers.put_failed(&name, &error)?;
                logger.error(&error, error.hint());
            }
        }
    }
    answer(seen, answers)?;
    Ok((done, lost))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looked(number: usize, seen: Result<u8>) -> Looked<u8> {
        let name = Name { text: format!("{number}.jpg"), file: None };
        Looked { number, name, seen }
    }

    /// Refuses every batch that holds a nought.
    fn picky(items: &[Item<u8>]) -> Result<Vec<u8>> {
        let refused = || Error::Direction { what: "features", row: 0 };
        items.iter().map(|item| item.looked.checked_sub(1).ok_or_else(refused)).collect()
    }

    #[test]
    fn one_bad_image_fails_alone_and_all_stay_in_order() {
        let lost = Error::mismatch("2.jpg", "size", "an image", "0 bytes");
        let batch =
            vec![looked(0, Ok(9)), looked(1, Ok(0)), looked(2, Err(lost)), looked(3, Ok(7))];
        let came = batch_of(batch, &mut picky);
        let came = came.into_iter().map(|came| (came.number, came.name.text, came.result.ok()));
        let expected = [Some((9, 8)), None, None, Some((7, 6))];
        let expected = expected.into_iter().enumerate().map(|(n, it)| (n, format!("{n}.jpg"), it));
        assert_eq!(came.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    }

    #[test]
    fn an_answer_too_few_is_nobodys() {
        let mut short = |_: &[Item<u8>]| Ok(vec![1]);
        let came = batch_of(vec![looked(0, Ok(1)), looked(1, Ok(1))], &mut short);
        assert!(came.iter().all(|came| came.result.is_err()));
    }
}
