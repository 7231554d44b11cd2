//! Opens the models of a configuration.

use std::path::Path;

use super::models::sentence_folder;
use super::{Config, Models, Pipeline, PromptModels, Settings, Task, ZeroShot};
use crate::caption::{self, Captioner};
use crate::encoder::TextEncoder;
use crate::index::Index;
use crate::models::{self, Model, ModelSource, Options, Progress, hub};
use crate::nn::Compute;
use crate::sentence::MiniLm;
use crate::{Device, Error, Interrogator, Precision, Result};

/// The pipeline's own names of captioners, besides [`caption::NAMES`].
const CAPTIONERS: [(&str, &str); 1] = [("blip227b", "Salesforce/blip2-opt-2.7b")];

impl Pipeline {
    /// Opens only those of `models` that `task` needs. If the task ranks, calls `index` for
    /// the index of the CLIP model over the dictionaries of `models`. `hub` and `progress` are
    /// for models that are given by name.
    ///
    /// # Errors
    /// Those of the models, of `index` and of the template.
    pub fn open<E: From<Error>>(
        task: Task,
        models: &dyn Models,
        settings: &Settings,
        hub: &Options,
        index: impl FnOnce(&Model) -> Result<Index, E>,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Self, E> {
        let mut pipeline = Pipeline {
            task,
            generation: settings.generation.clone(),
            captioner: None,
            prompts: None,
            sentences: None,
            zero_shot: None,
            dicts: models.dicts().to_owned(),
            notice: None,
        };
        if task.ranks() {
            let model = models.clip(hub, progress)?.with_device(settings.device);
            pipeline.notice = model.notice();
            let interrogator = Interrogator::new(&model, index(&model)?)?;
            let tables = interrogator.index().tables().iter();
            let tables = tables.map(|t| (t.name(), t.top().map(|n| n as usize)));
            let recipe = settings.template.recipe(tables, settings.max_flavors)?;
            let recipe = recipe.with_min_score(model.min_score());
            let template = settings.template.clone();
            pipeline.prompts = Some(PromptModels { interrogator, recipe, template });
        }
        if task == Task::ClipModel {
            let model = models.clip(hub, progress)?.with_device(settings.device);
            pipeline.notice = model.notice();
            pipeline.zero_shot = Some(ZeroShot::new(&model)?);
        }
        if task.embeds() {
            pipeline.sentences = Some(models.sentences(settings.device, hub, progress)?);
        }
        if task.captions() {
            let captioner = models.captioner(settings.precision, settings.device, hub, progress)?;
            // An unsupported generation config fails here, before an image is read.
            captioner.caption(&[], &settings.generation)?;
            pipeline.captioner = Some(captioner);
        }
        Ok(pipeline)
    }
}

impl Models for Config {
    /// Opens CLIP from `clip_path`, or by the name `clip_model` if that is empty. The name
    /// `starter` is that model. [`Error::Mismatch`] for an unknown name.
    fn clip(&self, hub: &Options, progress: &mut dyn FnMut(Progress<'_>)) -> Result<Model> {
        let source = match (self.clip_model.as_str(), is_empty(&self.clip_path)) {
            ("starter", _) => ModelSource::Starter,
            (name, true) => self.published(name)?,
            (_, false) if self.clip_path.is_file() => ModelSource::File(self.clip_path.clone()),
            (_, false) => ModelSource::Folder(self.clip_path.clone()),
        };
        let compute = Compute { batch_tokens: self.chunk_size, ..Compute::default() };
        Ok(Model::open(source, hub, progress)?.with_compute(compute))
    }

    /// Opens the captioner from `blip_path`, or by the name `blip_model` if that is empty.
    /// [`Error::Mismatch`] for an unknown name.
    fn captioner(
        &self,
        precision: Precision,
        device: Device,
        hub: &Options,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Box<dyn Captioner>> {
        if !is_empty(&self.blip_path) {
            return caption::open_on(&self.blip_path, precision, device);
        }
        let names = || CAPTIONERS.iter().chain(caption::NAMES.iter());
        let Some((_, repo)) = names().find(|(name, _)| *name == self.blip_model) else {
            let known: Vec<&str> = names().map(|(name, _)| *name).collect();
            return Err(self.unknown_name("blip_model", &known, &self.blip_model));
        };
        let folder = hub::fetch(repo, None, hub, progress)?;
        caption::open_on(&folder, precision, device)
    }

    /// Opens the sentence encoder: from `embedding_path`, else from its folder in
    /// `embedding_dir`, else, if both are empty, by its name. The name `starter` is the
    /// starter's encoder. An error if neither folder contains one.
    fn sentences(
        &self,
        device: Device,
        hub: &Options,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Box<dyn TextEncoder>> {
        let (path, folder) = (&self.embedding_path, &self.embedding_dir);
        let compute = Compute { device, ..Compute::default() };
        let empty = is_empty(path) && is_empty(folder);
        if empty || self.embedding_model == "starter" {
            let sentences = MiniLm::from_name(&self.embedding_model, &compute, hub, progress)?;
            return Ok(Box::new(sentences));
        }
        let mut folders = Vec::new();
        if !is_empty(path) {
            folders.push(path.clone());
        }
        if !is_empty(folder) {
            folders.extend([folder.join(&self.embedding_model), folder.clone()]);
        }
        Ok(Box::new(MiniLm::open_with(sentence_folder(&folders)?, &compute)?))
    }

    fn dicts(&self) -> &Path {
        &self.dicts
    }
}

impl Config {
    /// Returns the source of OpenAI's model `name`.
    fn published(&self, name: &str) -> Result<ModelSource> {
        let known = models::known().iter().filter(|model| model.tag() == "openai");
        let mut known: Vec<&str> = known.map(|model| model.architecture()).collect();
        if known.contains(&name) {
            format!("open_clip:{name}/openai").parse()
        } else {
            known.sort_unstable();
            Err(self.unknown_name("clip_model", &known, name))
        }
    }

    /// Returns the error for an unknown name without a path.
    fn unknown_name(&self, key: &'static str, known: &[&str], found: &str) -> Error {
        let expected = format!("a path, or one of {}", known.join(", "));
        Error::mismatch(&self.file, key, expected, found)
    }
}

fn is_empty(path: &Path) -> bool {
    path.as_os_str().is_empty()
}
