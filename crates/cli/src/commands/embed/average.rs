//! `interrogate embed average`: the weighted sum of the rows of several files.

use super::check_output;
use crate::args::EmbedAverage;
use crate::fault::{Fault, Outcome};
use crate::files::Files;
use crate::rows::{Error, npy};

/// Writes the weighted sum of the normalized rows of all files, normalized.
pub(super) fn run(args: &EmbedAverage) -> Result<Outcome, Fault> {
    check_output(Files::default(), &args.output, &args.files)?;
    let (weights, files) = (args.weights.len(), args.files.len());
    if weights != 0 && weights != files {
        return Err(Error::Weights { weights, files }.into());
    }
    let weights = if weights == 0 { vec![1.0; files] } else { args.weights.clone() };
    let readers = args.files.iter().map(|path| npy::Reader::open(path));
    let mut readers = readers.collect::<Result<Vec<_>, Error>>()?;
    let (count, dim) = readers.first().map_or((0, 1), |first| (first.count, first.dim));
    if let Some(other) = readers.iter().find(|other| (other.count, other.dim) != (count, dim)) {
        let expected = format!("({count}, {dim}) as in {}", readers[0].path.display());
        let found = format!("({}, {})", other.count, other.dim);
        return Err(Error::Npy { path: other.path.clone(), what: "shape", expected, found }.into());
    }
    let mut writer = npy::Writer::create(&args.output, count, dim)?;
    for row in 0..count {
        let mut sum = vec![0.0; dim];
        for (reader, weight) in readers.iter_mut().zip(&weights) {
            let values = normalized(reader.row()?);
            let values = values.ok_or(Error::Direction { path: reader.path.clone(), row })?;
            sum.iter_mut().zip(values).for_each(|(sum, value)| *sum += weight * value);
        }
        let sum = normalized(sum).ok_or(Error::Direction { path: args.output.clone(), row })?;
        writer.values(&sum.iter().map(|&value| value as f32).collect::<Vec<_>>())?;
    }
    writer.finish()?;
    Ok(Outcome { done: count, ..Outcome::default() })
}

/// Returns the row divided by its length; `None` if that is zero or not finite.
fn normalized(mut row: Vec<f64>) -> Option<Vec<f64>> {
    let length = row.iter().map(|value| value * value).sum::<f64>().sqrt();
    (length.is_finite() && length > 0.0).then_some(())?;
    row.iter_mut().for_each(|value| *value /= length);
    Some(row)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_without_a_direction_is_not_normalized() {
        assert_eq!(normalized(vec![3.0, 4.0]), Some(vec![0.6, 0.8]));
        assert_eq!(normalized(vec![0.0, 0.0]), None);
        assert_eq!(normalized(vec![f64::NAN, 1.0]), None);
        assert_eq!(normalized(vec![f64::INFINITY, 1.0]), None);
    }
}
