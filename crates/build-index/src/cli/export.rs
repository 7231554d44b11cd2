//! `build-index export`: writes an index's tables as clip-interrogator's caches.

use build_index::terminal::Logger;
use build_index::{Export, Result, cache_names, open_all};
use half::f16;
use half::slice::HalfFloatSliceExt;
use interrogate::Compute;
use interrogate::index::Index;

use super::args;
use super::model::{self, ModelName};

/// Writes the caches, and logs which rows were not in the index.
pub(super) fn run(args: &args::Export) -> Result<()> {
    let logger = Logger::new(args.quiet);
    let dictionaries = open_all(&args.dictionaries)?;
    let index = Index::open(&args.index)?;
    let built_with = &index.manifest().model().id;
    // A model of a folder, which no one else knows, has a single name.
    let names = cache_names(args.name.as_ref().unwrap_or(built_with));
    let name = names.first().map_or("model", String::as_str);
    // The model is opened only where the index leaves labels out.
    let encode = |labels: &[&str]| {
        let typed = args.model.as_deref().map(ModelName::Typed);
        let name = typed.unwrap_or(ModelName::Recorded(built_with));
        let device = args.device.resolve(&logger);
        let compute = Compute { device, ..Compute::default() };
        let model = model::open(name, args.text_cleaning, compute, &logger)?;
        index.check_model(&model.id, &model.fingerprint)?;
        let rows = model.encoder.encode(labels)?;
        let mut halves = vec![f16::ZERO; rows.as_slice().len()];
        halves.convert_from_f32_slice(rows.as_slice());
        Ok(halves)
    };
    let exported = Export::new(&index, &dictionaries, name).write(&args.output, encode)?;
    for file in &exported.files {
        logger.note(format_args!("cache    {}", file.display()));
    }
    logger.note(format_args!(
        "rows     {}: {} of lines that repeat a label, {} encoded anew for lines that the index leaves out",
        exported.rows, exported.repeated, exported.encoded
    ));
    Ok(())
}
