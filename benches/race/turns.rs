//! Timing of one side, and values in files.

use std::path::Path;
use std::time::Instant;

use interrogate::encoder::Features;

use crate::Result;

/// Runs `work` `warm` times untimed and `runs` times timed, at least once. Returns the
/// milliseconds of each timed run and the last result.
pub(crate) fn time<T>(
    (warm, runs): (usize, usize),
    mut work: impl FnMut() -> Result<T>,
) -> Result<(Vec<f64>, T)> {
    for _ in 0..warm {
        work()?;
    }
    let mut once = || {
        let start = Instant::now();
        let done = work()?;
        Ok::<_, Box<dyn std::error::Error>>((start.elapsed().as_secs_f64() * 1e3, done))
    };
    let (first, mut last) = once()?;
    let mut spent = vec![first];
    for _ in 1..runs {
        let (ms, done) = once()?;
        spent.push(ms);
        last = done;
    }
    Ok((spent, last))
}

/// Reads little-endian f32 values.
pub(crate) fn read(path: &Path) -> Result<Vec<f32>> {
    let bytes = std::fs::read(path)?;
    Ok(bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
}

/// Writes little-endian f32 values if `path` names a file.
pub(crate) fn write(path: Option<&Path>, values: &[f32]) -> Result<()> {
    let bytes = || values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
    Ok(path.map_or(Ok(()), |path| std::fs::write(path, bytes()))?)
}

/// The rows of a file as features.
pub(crate) fn features(path: &Path, dim: usize) -> Result<Vec<Features>> {
    let values = read(path)?;
    let rows = values.chunks_exact(dim).map(|row| Features::new(row.to_vec()));
    Ok(rows.collect::<interrogate::Result<_>>()?)
}
