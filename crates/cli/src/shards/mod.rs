//! Shards: one Parquet file for each input, for jobs on many machines.
//!
//! The name of a shard has the digests of its input and of all settings that decide its rows. A
//! shard that exists is finished, so a job can be repeated, and two jobs may have one input: each
//! writes a draft, and both give it the same name.

mod digests;
mod input;
mod settings;
mod success;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use build_index::durable::{create_folder, folder_of};
use interrogate::Error;
use interrogate::index::{Digest, Hasher};
use interrogate::models::is_url;
use serde_json::json;

use crate::args::{self, Part};
use crate::error::CliError;
use crate::file_id::Id;
use crate::files::Files;
use crate::image_name;
use crate::interrupt;
use crate::logger::Logger;
use crate::outcome::Outcome;
use crate::output::{Record, Target, counts};
use crate::run::Run;
use crate::source::{InputKind, Source};
use digests::{Digested, Digests, InputFile};
use input::Input;
pub(crate) use settings::Settings;
use success::Success;

/// The hexadecimal digits of a digest in a name.
const DIGITS: usize = 12;

/// The folder of digests in a folder of shards.
const DIGESTS: &str = ".digests";

/// The inputs of a call and the folder of its shards.
#[derive(Debug)]
pub(crate) struct Shards<'a> {
    folder: &'a Path,
    images: &'a args::Images,
    inputs: Vec<Input>,
    part: Part,
    digests: Digests,
}

impl<'a> Shards<'a> {
    /// Finds the inputs, and creates `folder`. `files` are the other files of the command.
    ///
    /// # Errors
    /// [`CliError::Arguments`] for a path that is no input, and for one in `folder`; those of
    /// [`Files::check`].
    pub(crate) fn open(
        images: &'a args::Images,
        folder: &'a Path,
        part: Option<Part>,
        files: Files,
    ) -> Result<Self, CliError> {
        let inputs = Input::all(images)?;
        files.writing(&folder.join(success::NAME), "the mark of success").check(&[], None)?;
        create_folder(folder)?;
        let own = Id::of(folder).map_err(Error::io("read", folder))?;
        let is_inside = |input: &&Input| {
            let above = folder_of(&input.path);
            let above = if input.kind == InputKind::Folder { &input.path } else { above };
            Id::of(above).is_ok_and(|above| above == own)
        };
        if let Some(input) = inputs.iter().find(is_inside) {
            return Err(CliError::Arguments {
                message: format!("{}: an input in the folder of the shards", input.path.display()),
                hint: "name another folder with --shards".to_owned(),
            });
        }
        let digests = Digests::open(folder.join(DIGESTS))?;
        Ok(Shards { folder, images, inputs, part: part.unwrap_or(Part::ALL), digests })
    }

    /// Returns the options of this process, to which the command adds digests.
    pub(crate) fn settings(&self) -> Settings<'_> {
        Settings::new(&self.digests)
    }

    /// Returns the shards to write.
    pub(crate) fn jobs(&self, settings: &Settings<'_>, logger: &'a Logger) -> Jobs<'_> {
        Jobs {
            shards: self,
            settings: settings.digest(),
            description: settings.to_json(),
            logger,
            next: 0,
            current: None,
            left_out: BTreeSet::new(),
            outcome: Outcome::default(),
            written: 0,
            finished: 0,
            failed: 0,
        }
    }

    /// Returns the images of `input`, and its files.
    fn source(&self, input: &Input) -> Result<(Source, Vec<InputFile>), CliError> {
        let source = Source::collect(&input.images(self.images))?;
        let single = matches!(input.kind, InputKind::Archive | InputKind::Parquet);
        let file = |path: &PathBuf| {
            let below = match input.kind {
                InputKind::Folder => path.strip_prefix(&input.path).unwrap_or(path),
                _ => path,
            };
            let name = if single { String::new() } else { image_name::text(below) };
            let is_address = path.to_str().is_some_and(is_url);
            InputFile { name, path: (!is_address).then(|| path.clone()), required: single }
        };
        let files = source.entries().iter().map(file).collect();
        Ok((source, files))
    }

    /// Returns the name of the shard of `input`.
    fn name(input: &Input, digest: Digest, settings: Digest) -> String {
        let mut hasher = Hasher::default();
        digests::part(&mut hasher, format!("{:?}", input.kind).as_bytes());
        digests::part(&mut hasher, digest.as_bytes());
        let digits = |digest: Digest| digest.to_string()[..DIGITS].to_owned();
        format!("{}-{}-{}.parquet", input.stem, digits(hasher.finish()), digits(settings))
    }

    /// Returns the name of the shard of `input` if that is finished. Reads no input.
    fn finished(&self, input: &Input, settings: Digest) -> Option<String> {
        let (_, files) = self.source(input).ok()?;
        let name = Self::name(input, self.digests.kept(&files)?.digest, settings);
        self.folder.join(&name).is_file().then_some(name)
    }
}

/// The shards of a call that are not finished, one after the other.
pub(crate) struct Jobs<'a> {
    shards: &'a Shards<'a>,
    settings: Digest,
    description: serde_json::Value,
    logger: &'a Logger,
    /// The position of the next input.
    next: usize,
    current: Option<Current>,
    /// Columns of Parquet files that do not pass through.
    left_out: BTreeSet<String>,
    outcome: Outcome,
    /// Shards that were written, that were finished before, and inputs that failed.
    written: usize,
    finished: usize,
    failed: usize,
}

/// The shard that is being written.
struct Current {
    path: PathBuf,
    input: PathBuf,
    files: Vec<InputFile>,
    digested: Digested,
}

impl Jobs<'_> {
    /// Returns the run of the next input without a shard; `None` after the last one, and after an
    /// interrupt. An input that cannot be read is logged and counted as failed.
    ///
    /// # Errors
    /// Where the mark of an earlier call cannot be removed.
    pub(crate) fn next<R: Record>(&mut self) -> Result<Option<Run>, CliError> {
        let _in_hand = interrupt::Work::begin();
        while let Some(input) = self.shards.inputs.get(self.next) {
            if interrupt::interrupted() {
                self.outcome.interrupted = true;
                return Ok(None);
            }
            self.next += 1;
            if !self.shards.part.has(self.next - 1) {
                continue;
            }
            match self.open::<R>(input) {
                Ok(None) => {}
                Ok(run) => {
                    success::remove(self.shards.folder)?;
                    return Ok(run);
                }
                Err(CliError::Library(Error::Interrupted)) => {
                    self.outcome.interrupted = true;
                    return Ok(None);
                }
                Err(error) => {
                    self.failed += 1;
                    self.logger.error(&error, error.hint());
                }
            }
        }
        Ok(None)
    }

    /// Returns the run of `input`; `None` if its shard is finished.
    fn open<R: Record>(&mut self, input: &Input) -> Result<Option<Run>, CliError> {
        let (source, files) = self.shards.source(input)?;
        let digested = self.shards.digests.of(&files)?;
        let name = Shards::name(input, digested.digest, self.settings);
        let path = self.shards.folder.join(name);
        if let Some((rows, failed)) = counts(&path) {
            self.finished += 1;
            self.outcome.done += rows.saturating_sub(failed);
            self.outcome.failed += failed;
            return Ok(None);
        }
        let (source, fields, left_out) = source.with_fields()?;
        let new: Vec<_> = left_out.into_iter().filter(|it| !self.left_out.contains(it)).collect();
        if !new.is_empty() {
            let path = input.path.display();
            self.logger.note(format_args!("{path}: columns left out: {}", new.join(", ")));
            self.left_out.extend(new);
        }
        let description = json!({
            "input": image_name::text(&input.path),
            "input_digest": digested.digest,
            "settings_digest": self.settings,
            "settings": self.description,
        });
        let target = Target::shard::<R>(&path, fields, description.to_string());
        self.current = Some(Current { path, input: input.path.clone(), files, digested });
        Ok(Some(Run::shard(source, target, self.shards.images.batch_size.into())))
    }

    /// Writes the shard of `first`, and all that follow, with `write`.
    ///
    /// # Errors
    /// Those of `write`.
    pub(crate) fn write<R: Record>(
        &mut self,
        first: Run,
        mut write: impl FnMut(Run) -> Result<Outcome, CliError>,
    ) -> Result<(), CliError> {
        let mut job = Some(first);
        while let Some(run) = job {
            let Outcome { done, failed, interrupted } = write(run)?;
            self.outcome.interrupted |= interrupted;
            if self.outcome.interrupted {
                break;
            }
            if self.is_unchanged()? {
                self.written += 1;
                self.outcome.done += done;
                self.outcome.failed += failed;
            }
            job = self.next::<R>()?;
        }
        Ok(())
    }

    /// Returns whether the input of the shard is what it was before. The shard of another is
    /// removed.
    fn is_unchanged(&mut self) -> Result<bool, CliError> {
        let Some(Current { path, input, files, digested }) = self.current.take() else {
            return Ok(true);
        };
        if digests::state(&files) == digested.state {
            return Ok(true);
        }
        fs::remove_file(&path).map_err(Error::io("remove", &path))?;
        let error = Error::mismatch(input, "input", "no change while it is read", "one");
        self.logger.error(&error, Some("run the same command again".to_owned()));
        self.failed += 1;
        Ok(false)
    }

    /// Writes the mark of success if the shards of all inputs are finished, also those of other
    /// parts, and logs what was done.
    ///
    /// # Errors
    /// [`CliError::Shards`] if an input failed; where the mark cannot be written.
    pub(crate) fn finish(self) -> Result<Outcome, CliError> {
        let Jobs { shards, settings, logger, written, finished, failed, .. } = self;
        let folder = shards.folder.display();
        let plural = |n: usize| if n == 1 { "" } else { "s" };
        logger.note(format_args!(
            "{folder}: {written} shard{} written, {finished} finished before",
            plural(written)
        ));
        if self.outcome.interrupted {
            return Ok(self.outcome);
        }
        if failed > 0 {
            return Err(CliError::Shards { failed, inputs: failed + written + finished });
        }
        let names: Option<Vec<String>> =
            shards.inputs.iter().map(|input| shards.finished(input, settings)).collect();
        if let Some(mut names) = names {
            names.sort();
            let settings = &settings.to_string()[..DIGITS];
            Success { settings, shards: &names }.write(shards.folder)?;
            let others = others(shards.folder, &names);
            if others > 0 {
                logger.note(format_args!(
                    "{folder}: {others} other shard{}, of other settings or inputs; _SUCCESS \
                     names those of this call",
                    plural(others)
                ));
            }
        } else {
            logger.note(format_args!("{folder}: no _SUCCESS yet: other parts are not finished"));
        }
        Ok(self.outcome)
    }
}

/// Returns the number of Parquet files in `folder` whose names are not in `names`, which is sorted.
fn others(folder: &Path, names: &[String]) -> usize {
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    let files = files.filter_map(|file| file.file_name().into_string().ok());
    files.filter(|name| name.ends_with(".parquet") && names.binary_search(name).is_err()).count()
}
