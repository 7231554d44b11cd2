//! Runs one of seven tasks over a folder of images: captions, prompts or their embeddings.
//!
//! [`Task`] names the tasks, [`Config`] reads the configuration file, [`NamedModels`] stands in
//! for one, and [`Pipeline`] opens the models of a task and runs it over batches of images. The
//! caller builds the index.

mod config;
mod images;
mod models;
mod open;
mod output;
mod task;
#[cfg(test)]
mod tests;
mod zero_shot;

use std::path::{Path, PathBuf};

use rayon::prelude::*;

pub use config::{Config, KEYS, Overrides};
pub use images::{images, stems};
pub use models::{Models, NamedModels};
pub use output::{BatchResult, TaskOutput};
pub use task::Task;
pub use zero_shot::{SCALE, ZERO_SHOT};

use crate::caption::{Captioner, GenerationConfig};
use crate::encoder::TextEncoder;
use crate::error::PipelineError;
use crate::picture::{self, Budget, LoadStage, Picture, Pixels};
use crate::prompt::{Prompt, Recipe, Template};
use crate::{Device, Error, Interrogator, Precision, Result, limits};
use zero_shot::ZeroShot;

/// Settings of a run besides the configuration file.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Largest number of flavors in a prompt.
    pub max_flavors: usize,
    /// The captioner's generation config.
    pub generation: GenerationConfig,
    /// The precision of the captioner's weights.
    pub precision: Precision,
    /// The device that the models compute on.
    pub device: Device,
    /// The template of a prompt.
    pub template: Template,
}

/// A task and its open models.
///
/// ```no_run
/// use interrogate::index::Index;
/// use interrogate::models::Options;
/// use interrogate::pipeline::{Config, Overrides, Pipeline, Settings, Task, images};
/// use interrogate::prompt::README_FORM;
/// use interrogate::{Device, Error, Precision};
/// use std::path::Path;
///
/// let config = Config::open(Path::new("config.json"), Overrides::default())?;
/// let settings = Settings {
///     max_flavors: 32,
///     generation: Default::default(),
///     precision: Precision::F32,
///     device: Device::Cpu,
///     template: README_FORM.parse()?,
/// };
/// let hub = Options::new("models"); // a cache for models that are given by name
/// let index = |_: &_| Index::open(Path::new("index")); // built for the CLIP model before
/// let pipeline = Pipeline::open::<Error>(
///     Task::ClipInterrogator,
///     &config,
///     &settings,
///     &hub,
///     index,
///     &mut |_| {},
/// )?;
/// for batch in images(Path::new("data"), &mut |_| {})?.chunks(32) {
///     let result = pipeline.batch(batch)?;
///     println!("{:?} {:?}", result.ids, result.output);
/// }
/// # Ok::<(), Error>(())
/// ```
pub struct Pipeline {
    task: Task,
    generation: GenerationConfig,
    captioner: Option<Box<dyn Captioner>>,
    prompts: Option<PromptModels>,
    sentences: Option<Box<dyn TextEncoder>>,
    zero_shot: Option<ZeroShot>,
    dicts: PathBuf,
    notice: Option<&'static str>,
}

/// The models and settings of prompts.
struct PromptModels {
    interrogator: Interrogator,
    recipe: Recipe,
    template: Template,
}

impl Pipeline {
    /// Returns what users of the CLIP model should know, in one sentence.
    pub fn notice(&self) -> Option<&'static str> {
        self.notice
    }

    /// Runs the task over one batch of images. An image that cannot be decoded is in
    /// [`BatchResult::failed`]; the others continue. Images are decoded on all threads within
    /// [`limits::DECODING`] bytes; the preprocessed pixels of the whole batch are in memory.
    /// [`Task::TestDict`] decodes no image and has the same output for any.
    ///
    /// # Errors
    /// Those of the models; the batch then has no result.
    pub fn batch(&self, paths: &[PathBuf]) -> Result<BatchResult> {
        if self.task == Task::TestDict {
            let mediums = images::mediums(&self.dicts)?;
            return Ok(BatchResult::without_images(TaskOutput::Labels(mediums)));
        }
        let budget = Budget::new(limits::DECODING);
        let prepared: Vec<_> = paths.par_iter().map(|path| self.prepare(path, &budget)).collect();
        let (mut images, mut ids, mut failed) = (Vec::new(), Vec::new(), Vec::new());
        for (path, prepared) in paths.iter().zip(prepared) {
            match prepared {
                Ok(image) => {
                    images.push(image);
                    ids.push(images::stem(path));
                }
                Err(error) => failed.push((path.clone(), error)),
            }
        }
        Ok(BatchResult { ids, output: self.compute_output(&images)?, failed })
    }

    /// Decodes the image at `path` and preprocesses it for each model of the task.
    fn prepare(&self, path: &Path, budget: &Budget) -> Result<PreparedImage> {
        let mut reservation = budget.reserve_file(path);
        let bytes = picture::read(path)?;
        let reserve = |bytes| reservation.advance(LoadStage::Decoded, bytes);
        let picture = Picture::decode_reserving(&bytes, path, reserve)?;
        let caption = self.captioner.as_ref().map(|c| c.preprocess().prepare(&picture));
        let tower = match (&self.prompts, &self.zero_shot) {
            (Some(prompts), _) => Some(prompts.interrogator.tower().prepare(&picture)),
            (_, Some(zero_shot)) => Some(zero_shot.prepare(&picture)),
            _ => None,
        };
        Ok(PreparedImage {
            size: (picture.width(), picture.height()),
            caption: caption.transpose()?,
            tower: tower.transpose()?,
        })
    }

    fn compute_output(&self, images: &[PreparedImage]) -> Result<TaskOutput> {
        match self.task {
            Task::TestDict => Ok(TaskOutput::Labels(Vec::new())),
            Task::TestData => {
                Ok(TaskOutput::Sizes(images.iter().map(|image| image.size).collect()))
            }
            Task::ClipModel => match &self.zero_shot {
                Some(zero_shot) => {
                    Ok(TaskOutput::Scores(zero_shot.probabilities(&tower_pixels(images))?))
                }
                None => Err(self.missing_model("CLIP")),
            },
            Task::Blip2 => Ok(TaskOutput::Prompts(self.captions(images)?)),
            Task::Blip2Embedding => self.embed(self.captions(images)?),
            Task::ClipInterrogator => Ok(TaskOutput::Prompts(self.prompts(images)?)),
            Task::ClipInterrogatorEmbedding => self.embed(self.prompts(images)?),
        }
    }

    fn captions(&self, images: &[PreparedImage]) -> Result<Vec<String>> {
        let captioner = self.captioner.as_ref().ok_or_else(|| self.missing_model("a captioner"))?;
        let pixels: Vec<&Pixels> = images.iter().filter_map(|i| i.caption.as_ref()).collect();
        let captions = captioner.caption_prepared(&pixels, &self.generation, &mut |_| {})?;
        Ok(captions.into_iter().map(|caption| caption.text).collect())
    }

    fn prompts(&self, images: &[PreparedImage]) -> Result<Vec<String>> {
        let captions = self.captions(images)?;
        let captions: Vec<_> = captions.iter().map(|text| Some(text.as_str())).collect();
        let PromptModels { interrogator, recipe, template } =
            self.prompts.as_ref().ok_or_else(|| self.missing_model("an index"))?;
        let features = interrogator.tower().encode_prepared(&tower_pixels(images))?;
        let prompts = interrogator.prompts(&features, &captions, recipe)?;
        let render = |prompt: &Prompt<'_>| template.render(prompt, recipe.min_score);
        Ok(prompts.iter().map(render).collect())
    }

    fn embed(&self, prompts: Vec<String>) -> Result<TaskOutput> {
        let sentences =
            self.sentences.as_ref().ok_or_else(|| self.missing_model("a sentence encoder"))?;
        let texts: Vec<&str> = prompts.iter().map(String::as_str).collect();
        let values = sentences.encode(&texts)?.as_slice().to_vec();
        Ok(TaskOutput::Embeddings { prompts, dim: sentences.dim(), values })
    }

    /// Returns the error for a model that is not open. It does not occur: `open` opens every
    /// model that the task needs.
    fn missing_model(&self, part: &'static str) -> Error {
        Error::Pipeline(PipelineError::TaskPart { task: self.task.name(), part })
    }
}

/// An image, preprocessed for the models of a task.
struct PreparedImage {
    /// Width and height.
    size: (u32, u32),
    caption: Option<Pixels>,
    tower: Option<Pixels>,
}

/// Returns the pixels of each image for the image tower.
fn tower_pixels(images: &[PreparedImage]) -> Vec<&Pixels> {
    images.iter().filter_map(|image| image.tower.as_ref()).collect()
}
