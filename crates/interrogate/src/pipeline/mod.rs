//! The pipeline that this project was asked for: a folder of images and a
//! configuration file in, captions, prompts or their embeddings out.
//!
//! Owns the seven tasks by their names ([`Task`]), the configuration file
//! ([`Config`]), and what each task runs over a batch of images ([`Pipeline`]).
//! The models, the ranking and the prompt's form are other rooms'; the index is
//! whoever calls's to build.

mod answers;
mod config;
mod images;
mod open;
mod task;
#[cfg(test)]
mod tests;
mod zero_shot;

use std::path::{Path, PathBuf};

use rayon::prelude::*;

pub use answers::{Answers, Executed};
pub use config::{Config, KEYS, Overrides};
pub use images::{images, stems};
pub use task::Task;
pub use zero_shot::{SCALE, ZERO_SHOT};

use crate::caption::{Captioner, GenerationConfig};
use crate::encoder::TextEncoder;
use crate::picture::{self, Budget, Picture, Pixels, Stage};
use crate::prompt::{Prompt, Recipe, Template};
use crate::{Device, Error, Interrogator, Precision, Result, limits};
use zero_shot::ZeroShot;

/// What a run may be asked for beside the configuration file.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Flavors of a prompt.
    pub max_flavors: usize,
    /// How captions are searched for.
    pub generation: GenerationConfig,
    /// How the captioner's weights are kept.
    pub precision: Precision,
    /// Where its models compute.
    pub device: Device,
    /// The form of a prompt.
    pub template: Template,
}

/// A task with the models that it needs, open.
pub struct Pipeline {
    task: Task,
    generation: GenerationConfig,
    captioner: Option<Box<dyn Captioner>>,
    prompts: Option<Prompts>,
    sentences: Option<Box<dyn TextEncoder>>,
    zero_shot: Option<ZeroShot>,
    dicts: PathBuf,
    notice: Option<&'static str>,
}

/// Ranking, and what a prompt is made of.
struct Prompts {
    interrogator: Interrogator,
    recipe: Recipe,
    template: Template,
}

impl Pipeline {
    /// What whoever uses its model should know of it, in a sentence.
    pub fn notice(&self) -> Option<&'static str> {
        self.notice
    }

    /// The task's answers for the images of one batch, in their order; one that
    /// cannot be decoded is in [`Executed::failed`] and the others go on. Images are
    /// decoded on all threads, within [`limits::DECODING`] bytes; what the models take of
    /// them is in memory for the whole batch. The task [`Task::TestDict`] looks at no
    /// image: its answer is the same for any.
    ///
    /// # Errors
    /// What the models say, which stops the run.
    pub fn batch(&self, paths: &[PathBuf]) -> Result<Executed> {
        if self.task == Task::TestDict {
            return Ok(Executed::of(Answers::Labels(images::mediums(&self.dicts)?)));
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
        Ok(Executed { ids, answers: self.answers(&images)?, failed })
    }

    /// Decodes the image at `path` and prepares it for each model of the task.
    fn prepare(&self, path: &Path, budget: &Budget) -> Result<Prepared> {
        let mut share = budget.share_file(path);
        let bytes = picture::read(path)?;
        let ask = |more| share.enter(Stage::Decoded, more);
        let picture = Picture::decode_asking(&bytes, path, ask)?;
        let caption = self.captioner.as_ref().map(|c| c.preprocess().prepare(&picture));
        let tower = match (&self.prompts, &self.zero_shot) {
            (Some(prompts), _) => Some(prompts.interrogator.tower().prepare(&picture)),
            (_, Some(zero_shot)) => Some(zero_shot.prepare(&picture)),
            _ => None,
        };
        Ok(Prepared {
            size: (picture.width(), picture.height()),
            caption: caption.transpose()?,
            tower: tower.transpose()?,
        })
    }

    fn answers(&self, images: &[Prepared]) -> Result<Answers> {
        match self.task {
            Task::TestDict => Ok(Answers::Labels(Vec::new())),
            Task::TestData => Ok(Answers::Sizes(images.iter().map(|image| image.size).collect())),
            Task::ClipModel => match &self.zero_shot {
                Some(zero_shot) => Ok(Answers::Scores(zero_shot.probabilities(&towers(images))?)),
                None => Err(self.lacks("CLIP")),
            },
            Task::Blip2 => Ok(Answers::Prompts(self.captions(images)?)),
            Task::Blip2Embedding => self.embedded(self.captions(images)?),
            Task::ClipInterrogator => Ok(Answers::Prompts(self.prompts(images)?)),
            Task::ClipInterrogatorEmbedding => self.embedded(self.prompts(images)?),
        }
    }

    fn captions(&self, images: &[Prepared]) -> Result<Vec<String>> {
        let captioner = self.captioner.as_ref().ok_or_else(|| self.lacks("a captioner"))?;
        let pixels: Vec<&Pixels> = images.iter().filter_map(|i| i.caption.as_ref()).collect();
        let captions = captioner.caption_prepared(&pixels, &self.generation, &mut |_| {})?;
        Ok(captions.into_iter().map(|caption| caption.text).collect())
    }

    fn prompts(&self, images: &[Prepared]) -> Result<Vec<String>> {
        let captions = self.captions(images)?;
        let captions: Vec<_> = captions.iter().map(|text| Some(text.as_str())).collect();
        let Prompts { interrogator, recipe, template } =
            self.prompts.as_ref().ok_or_else(|| self.lacks("an index"))?;
        let features = interrogator.tower().encode_prepared(&towers(images))?;
        let prompts = interrogator.prompts(&features, &captions, recipe)?;
        let render = |prompt: &Prompt<'_>| template.render(prompt, recipe.min_score);
        Ok(prompts.iter().map(render).collect())
    }

    fn embedded(&self, prompts: Vec<String>) -> Result<Answers> {
        let sentences = self.sentences.as_ref().ok_or_else(|| self.lacks("a sentence encoder"))?;
        let texts: Vec<&str> = prompts.iter().map(String::as_str).collect();
        let values = sentences.encode(&texts)?.as_slice().to_vec();
        Ok(Answers::Embeddings { prompts, dim: sentences.dim(), values })
    }

    /// Cannot be: `open` brings what the task needs.
    fn lacks(&self, part: &'static str) -> Error {
        Error::TaskPart { task: self.task.name(), part }
    }
}

/// What the models of a task take of one image.
struct Prepared {
    /// Width and height.
    size: (u32, u32),
    caption: Option<Pixels>,
    tower: Option<Pixels>,
}

/// The pixels of each image for the image tower.
fn towers(images: &[Prepared]) -> Vec<&Pixels> {
    images.iter().filter_map(|image| image.tower.as_ref()).collect()
}
