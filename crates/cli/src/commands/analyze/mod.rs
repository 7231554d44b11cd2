//! `interrogate analyze`: the best labels of every table for each image.

mod row;

use std::path::Path;

use interrogate::encoder::{Features, ImageEncoder};
use interrogate::index::{Merged, TableRef};
use interrogate::picture::{Picture, Pixels};
use interrogate::prompt::Pick;
use interrogate::rank::Order;

use super::report::{self, CardResult};
use super::tables::Tables;
use crate::args::{Analyze, Form};
use crate::error::CliError;
use crate::files::Files;
use crate::logger::Logger;
use crate::outcome::Outcome;
use crate::report::{Report, Thumbnail, check_path};
use crate::run::{DecodedImage, Run};
use crate::stream::ImageResult;
pub(crate) use row::Row;

/// The name of the command on the page of a report.
const MODE: &str = "analyze";

/// The best labels of an image, and its thumbnail for a report.
struct Analyzed<'a> {
    picks: Vec<Pick<'a>>,
    thumbnail: Option<Thumbnail>,
}

/// Writes the best labels of each table for each image.
pub(crate) fn run(args: &Analyze, logger: &Logger) -> Result<Outcome, CliError> {
    args.report.as_deref().map(check_path).transpose()?;
    let mut run = Run::open::<Row<'_>>(&args.images, &args.output, None, Form::Text, files(args))?;
    let tables = Tables::open(&args.source, &args.list, false, logger)?;
    tables.record(&mut run)?;
    let (named, folder) =
        (tables.named(&args.table)?, tables.index().map_or(Path::new(""), |i| i.path()));
    let create = |path: &Path| report::create(path, &tables.model, (folder, &named), MODE);
    let mut report = args.report.as_deref().map(create).transpose()?;
    let tower = tables.model.image_encoder()?;
    let outcome = write(run, &*tower, (&named, args.k.get()), report.as_mut(), logger)?;
    if let (Some(report), Some(path)) = (report, &args.report) {
        report::finish(report, path, logger)?;
    }
    Ok(outcome)
}

/// The files of the command besides images and results.
fn files(args: &Analyze) -> Files {
    let mut files = Files::default().source(&args.source);
    for list in &args.list {
        files = files.reading(&list.path, "a list of labels");
    }
    match &args.report {
        Some(path) => files.writing(path, "the report"),
        None => files,
    }
}

/// Writes the `k` best labels of each image to the output and to the report.
fn write(
    run: Run,
    tower: &dyn ImageEncoder,
    (tables, k): (&[TableRef<'_>], usize),
    mut report: Option<&mut Report>,
    logger: &Logger,
) -> Result<Outcome, CliError> {
    let for_report = report.is_some();
    let prepare = |picture: &Picture| {
        let thumbnail = if for_report { Thumbnail::of(picture) } else { None };
        Ok((tower.prepare(picture)?, thumbnail))
    };
    run.write::<Row<'_>, _>(logger, &prepare, |batches, results| {
        for batch in batches {
            let encoded = batch.encode(|images| encode(images, tower));
            for ImageResult { name, result, .. } in encoded.map(|all| rank(all, tables, k))? {
                if let Some(report) = &mut report {
                    report::add(report, &name.text, MODE, result.as_ref().map(Analyzed::card))?;
                }
                match &result {
                    Ok(found) => results.write(&name, &Row::new(&name.text, &found.picks))?,
                    Err(error) => results.failed(&name, error)?,
                }
            }
            results.commit()?;
        }
        Ok(())
    })
}

type Prepared = (Pixels, Option<Thumbnail>);

fn encode(
    images: &[DecodedImage<Prepared>],
    tower: &dyn ImageEncoder,
) -> interrogate::Result<Vec<(Features, Option<Thumbnail>)>> {
    let pixels: Vec<_> = images.iter().map(|image| &image.prepared.0).collect();
    let thumbnails = images.iter().map(|image| image.prepared.1.clone());
    Ok(tower.encode_prepared(&pixels)?.into_iter().zip(thumbnails).collect())
}

/// Ranks each table for all images.
fn rank<'a>(
    images: Vec<(Features, Option<Thumbnail>)>,
    tables: &[TableRef<'a>],
    k: usize,
) -> interrogate::Result<Vec<Analyzed<'a>>> {
    let (features, thumbnails): (Vec<_>, Vec<_>) = images.into_iter().unzip();
    let all = picks(&features, tables, k)?.into_iter().zip(thumbnails);
    Ok(all.map(|(picks, thumbnail)| Analyzed { picks, thumbnail }).collect())
}

/// Returns the `k` best labels of each table for each image.
pub(crate) fn picks<'a>(
    features: &[Features],
    tables: &[TableRef<'a>],
    k: usize,
) -> interrogate::Result<Vec<Vec<Pick<'a>>>> {
    let mut all = vec![Vec::new(); features.len()];
    for &table in tables {
        let ranked = Merged::new(vec![table])?.rank_many(features, k, Order::Best)?;
        for (picks, matches) in all.iter_mut().zip(ranked) {
            picks.push(Pick { table: table.name(), matches });
        }
    }
    Ok(all)
}

impl Analyzed<'_> {
    fn card(&self) -> CardResult<'_> {
        let thumbnail = self.thumbnail.as_ref();
        CardResult { caption: None, prompt: None, thumbnail, picks: &self.picks }
    }
}
