//! Transposition of rows.

use rayon::prelude::*;

use super::HostRows;

/// Columns that are read at a time: a cache line of them.
const COLUMNS: usize = 16;

/// Transposes each of `groups` groups of equally many rows. Runs on all threads.
pub(super) fn transpose(groups: usize, rows: &HostRows, out: &mut HostRows) {
    let (width, count) = (rows.width, rows.len() / groups.max(1));
    let group = (count * width).max(1);
    let out = out.shaped(groups * width, count);
    let pairs = out.par_chunks_mut(group).zip(rows.values.par_chunks(group));
    pairs.for_each(|(out, rows)| {
        let blocks = out.par_chunks_mut((count * COLUMNS).max(1)).enumerate();
        blocks.for_each(|(block, out)| {
            let first = block * COLUMNS;
            for (number, row) in rows.chunks_exact(width).enumerate() {
                let values = row[first..].iter().zip(out.chunks_exact_mut(count));
                values.for_each(|(value, column)| column[number] = *value);
            }
        });
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_group_is_transposed() {
        for (groups, count, width) in [(1, 1, 1), (2, 3, 5), (3, 17, 33), (1, 40, 16), (2, 0, 4)] {
            let values: Vec<f32> = (0..groups * count * width).map(|i| i as f32).collect();
            let rows = HostRows { width, values };
            let mut out = HostRows::default();
            transpose(groups, &rows, &mut out);
            assert_eq!(out.values.len(), rows.values.len());
            for (at, found) in out.values.iter().enumerate() {
                let (line, row) = (at / count, at % count);
                let (group, column) = (line / width, line % width);
                assert_eq!(*found, rows.row(group * count + row)[column], "{groups} {count}");
            }
        }
    }
}
