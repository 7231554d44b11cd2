//! `build-index export`: an index's tables as clip-interrogator's caches.

use std::io::Write;

use build_index::{Export, Result, cache_names, open_all};
use half::f16;
use half::slice::HalfFloatSliceExt;
use interrogate::Compute;
use interrogate::index::Index;

use super::args::{self, Volume};
use super::model::{self, Name};

/// Writes the caches and says what of them was not in the index.
pub(super) fn run(args: &args::Export, err: &mut dyn Write) -> Result<()> {
    let dictionaries = open_all(&args.dictionaries)?;
    let index = Index::open(&args.index)?;
    let built_with = &index.manifest().model().id;
    // The names of a model that is no repository's are its own alone.
    let names = cache_names(args.name.as_ref().unwrap_or(built_with));
    let name = names.first().map_or("model", String::as_str);
    let volume = if args.quiet { Volume::Quiet } else { Volume::Normal };
    // A model is opened where the index leaves labels out, and not before.
    let encode = |labels: &[&str]| {
        let typed = args.model.as_deref().map(Name::Typed);
        let name = typed.unwrap_or(Name::Recorded(built_with));
        let compute = Compute { device: args.device, ..Compute::default() };
        let model = model::open(name, args.text_cleaning, compute, volume)?;
        index.check_model(&model.id, &model.fingerprint)?;
        let rows = model.encoder.encode(labels)?;
        let mut halves = vec![f16::ZERO; rows.as_slice().len()];
        halves.convert_from_f32_slice(rows.as_slice());
        Ok(halves)
    };
    let exported = Export::new(&index, &dictionaries, name).write(&args.output, encode)?;
    if volume != Volume::Quiet {
        // Who does not listen is not told.
        let _ =
            exported.files.iter().try_for_each(|file| writeln!(err, "cache    {}", file.display()));
        let _ = writeln!(
            err,
            "rows     {}: {} of lines that repeat a label, {} encoded anew for lines that the index leaves out",
            exported.rows, exported.repeated, exported.encoded
        );
    }
    Ok(())
}
