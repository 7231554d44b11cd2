//! From a configuration to open models.

use std::path::{Path, PathBuf};

use super::{Config, Pipeline, Prompts, Settings, Task, ZeroShot};
use crate::caption::{self, Captioner};
use crate::encoder::TextEncoder;
use crate::index::Index;
use crate::models::{ALIASES, Model, ModelSource, Options, Progress, hub};
use crate::nn::Compute;
use crate::sentence::MiniLm;
use crate::{Device, Error, Interrogator, Precision, Result};

/// What the pipeline calls captioners, beside [`caption::NAMES`].
const CAPTIONERS: [(&str, &str); 1] = [("blip227b", "Salesforce/blip2-opt-2.7b")];

impl Pipeline {
    /// Opens what `task` needs and nothing else. `index` is asked for the index
    /// of CLIP over the dictionaries of `config`, where the task ranks; `hub` and
    /// `progress` are for models that the configuration leaves to their names.
    ///
    /// # Errors
    /// Those of the models, of `index`, and of the template.
    pub fn open<E: From<Error>>(
        task: Task,
        config: &Config,
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
            dicts: config.dicts.clone(),
            notice: None,
        };
        if task.ranks() {
            let model = config.clip(hub, progress)?.with_device(settings.device);
            pipeline.notice = model.notice();
            let interrogator = Interrogator::new(&model, index(&model)?)?;
            let tables = interrogator.index().tables().iter();
            let tables = tables.map(|t| (t.name(), t.top().map(|n| n as usize)));
            let recipe = settings.template.recipe(tables, settings.max_flavors)?;
            let recipe = recipe.with_min_score(model.min_score());
            let template = settings.template.clone();
            pipeline.prompts = Some(Prompts { interrogator, recipe, template });
        }
        if task == Task::ClipModel {
            let model = config.clip(hub, progress)?.with_device(settings.device);
            pipeline.notice = model.notice();
            pipeline.zero_shot = Some(ZeroShot::new(&model)?);
        }
        if task.embeds() {
            pipeline.sentences = Some(config.sentences(settings.device, hub, progress)?);
        }
        if task.captions() {
            let captioner = config.captioner(settings.precision, settings.device, hub, progress)?;
            // A wish that cannot be is told before an image is read.
            captioner.caption(&[], &settings.generation)?;
            pipeline.captioner = Some(captioner);
        }
        Ok(pipeline)
    }
}

impl Config {
    /// CLIP: what `clip_path` holds, or what `clip_model` names where that is
    /// empty; `starter` names the embedded model.
    ///
    /// # Errors
    /// Those of [`Model::open`]; [`Error::Mismatch`] for a name that is none.
    pub fn clip(&self, hub: &Options, progress: &mut dyn FnMut(Progress<'_>)) -> Result<Model> {
        let source = match (self.clip_model.as_str(), is_empty(&self.clip_path)) {
            ("starter", _) => ModelSource::Starter,
            (name, true) => self.published(name)?,
            (_, false) if self.clip_path.is_file() => ModelSource::File(self.clip_path.clone()),
            (_, false) => ModelSource::Folder(self.clip_path.clone()),
        };
        let compute = Compute { batch_tokens: self.chunk_size, ..Compute::default() };
        Ok(Model::open(source, hub, progress)?.with_compute(compute))
    }

    /// What OpenAI published under `name`.
    fn published(&self, name: &str) -> Result<ModelSource> {
        let known = ALIASES.iter().filter_map(|(alias, _)| alias.strip_suffix("/openai"));
        match known.clone().any(|known| known == name) {
            true => format!("{name}/openai").parse(),
            false => Err(self.unnamed("clip_model", &known.collect::<Vec<_>>(), name)),
        }
    }

    /// `key` names what it cannot, and no path says where it is.
    fn unnamed(&self, key: &'static str, known: &[&str], found: &str) -> Error {
        let expected = format!("a path, or one of {}", known.join(", "));
        Error::mismatch(&self.file, key, expected, found)
    }

    /// The captioner in `blip_path`, or the one that `blip_model` names where
    /// that is empty.
    ///
    /// # Errors
    /// Those of [`caption::open`] and of [`hub::fetch`]; [`Error::Mismatch`] for a
    /// name that is none.
    pub fn captioner(
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
            return Err(self.unnamed("blip_model", &known, &self.blip_model));
        };
        let folder = hub::fetch(repo, None, hub, progress)?;
        caption::open_on(&folder, precision, device)
    }

    /// The sentence encoder: in `embedding_path`, else under its name in
    /// `embedding_dir`, else, where both are empty, by its name; `starter` names
    /// the embedded one.
    ///
    /// # Errors
    /// Those of [`MiniLm::from_name`]; [`Error::FileMissing`] where neither folder
    /// holds one.
    pub fn sentences(
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
        let mut places = Vec::new();
        if !is_empty(path) {
            places.push(path.clone());
        }
        if !is_empty(folder) {
            places.extend([folder.join(&self.embedding_model), folder.clone()]);
        }
        let holds = |place: &&PathBuf| place.join("config.json").is_file();
        // One of the two is no empty path, so that there is a place.
        let first = || places.first().cloned().unwrap_or_default();
        let missing = || Error::FileMissing { folder: first(), name: "config.json" };
        let folder = places.iter().find(holds).ok_or_else(missing)?;
        Ok(Box::new(MiniLm::open_with(folder, &compute)?))
    }
}

fn is_empty(path: &Path) -> bool {
    path.as_os_str().is_empty()
}
