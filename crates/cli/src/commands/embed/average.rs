//! `interrogate embed average`: the weighted sum of the rows of several files.

use super::check_output;
use crate::args::{self, EmbedAverage};
use crate::commands::unit_row;
use crate::error::CliError;
use crate::files::Files;
use crate::outcome::Outcome;
use crate::output::{OutputError, npy};

/// Writes the weighted sum of the normalized rows of all files, normalized.
pub(super) fn run(args: &EmbedAverage) -> Result<Outcome, CliError> {
    check_output(Files::default(), Some(&args.output), &args.files)?;
    let (weights, files) = (args.weights.len(), args.files.len());
    if weights != 0 && weights != files {
        return Err(CliError::Weights { weights, files });
    }
    let weights = if weights == 0 { vec![1.0; files] } else { args.weights.clone() };
    let readers = args.files.iter().map(|path| npy::Reader::open(path));
    let mut readers = readers.collect::<Result<Vec<_>, OutputError>>()?;
    let (count, dim) = readers.first().map_or((0, 1), |first| (first.rows, first.dim));
    if let Some(other) = readers.iter().find(|other| (other.rows, other.dim) != (count, dim)) {
        let expected = format!("({count}, {dim}) as in {}", readers[0].path.display());
        let found = format!("({}, {})", other.rows, other.dim);
        return Err(OutputError::npy(&other.path, "shape", expected, found).into());
    }
    let mut writer = npy::Writer::create(args::file(Some(&args.output)), (count, dim))?;
    for row in 0..count {
        let mut sum = vec![0.0; dim];
        for (reader, weight) in readers.iter_mut().zip(&weights) {
            let values = unit_row::read(reader, row)?;
            sum.iter_mut().zip(values).for_each(|(sum, value)| *sum += weight * value);
        }
        let sum = unit_row::normalized(sum)
            .ok_or(CliError::ZeroRow { path: args.output.clone(), row })?;
        writer.write(&sum.iter().map(|&value| value as f32).collect::<Vec<_>>())?;
    }
    writer.finish()?;
    Ok(Outcome { done: count, ..Outcome::default() })
}
