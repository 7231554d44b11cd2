//! Pillow's `Image.resize` of eight-bit RGB, bit for bit: weights are integers of 22 bits,
//! sums have 32 bits, and values are rounded and clipped to 0..=255 after each pass
//! (python-pillow/Pillow, src/libImaging/Resample.c).
//!
//! At most [`limits::RESIZE_WEIGHTS`] weights are in memory at once, so that a side of 178
//! million pixels needs no more than a short one.

mod kernel;
mod nearest;
mod sums;

use std::ops::Range;

use super::{Filter, Window, vertical_first};
use crate::limits;
use crate::picture::Picture;
use kernel::{Kernel, WeightTable, neighbor_ranges};
use sums::{HALF, dot, round};

/// Values of a row that the vertical pass sums at once; the sums stay in the L1 cache.
const BLOCK: usize = 3072;

pub(super) fn resize(picture: &Picture, columns: Window, rows: Window, filter: Filter) -> Vec<u8> {
    let (width, all) = (picture.width as usize, picture.height as usize);
    if filter == Filter::Nearest {
        return nearest::resize(picture, columns, rows);
    }
    if vertical_first(columns, rows) {
        let needed = columns.source_range(filter);
        let flat = vertical(&picture.rgb, width, needed.clone(), 0, rows, filter);
        horizontal(&flat, needed.len(), 0..rows.len as usize, needed.start, columns, filter)
    } else {
        let needed = rows.source_range(filter);
        debug_assert!(needed.end <= all);
        let narrow = horizontal(&picture.rgb, width, needed.clone(), 0, columns, filter);
        let first = needed.start;
        vertical(&narrow, columns.len as usize, 0..columns.len as usize, first, rows, filter)
    }
}

/// The horizontal pass: computes the columns of `window` for `rows` of `source`. `offset` is
/// the picture's column number of the first column of `source`.
fn horizontal(
    source: &[u8],
    width: usize,
    rows: Range<usize>,
    offset: usize,
    window: Window,
    filter: Filter,
) -> Vec<u8> {
    let (line, len) = (3 * width, window.len as usize);
    let mut out = vec![0; rows.len() * len * 3];
    if u64::from(window.from) == window.to {
        let first = 3 * (window.start as usize - offset);
        for (y, to) in rows.zip(out.chunks_exact_mut(3 * len)) {
            to.copy_from_slice(&source[y * line + first..][..3 * len]);
        }
        return out;
    }
    let fits = |kernel: &Kernel| 3 * kernel.len.next_multiple_of(8) <= limits::RESIZE_WEIGHTS;
    let mut done = 0;
    while done < len {
        let mut kernel = window.kernel(filter, done);
        if !fits(&kernel) {
            wide_pixel(source, line, rows.clone(), offset, &kernel, |row, pixel| {
                out[3 * (row * len + done)..][..3].copy_from_slice(&pixel);
            });
            done += 1;
            continue;
        }
        let (mut table, start) = (WeightTable::default(), done);
        while fits(&kernel)
            && table.weights.len() + 3 * kernel.len.next_multiple_of(8) <= limits::RESIZE_WEIGHTS
        {
            table.push(&kernel, 0..kernel.len);
            done += 1;
            if done == len {
                break;
            }
            kernel = window.kernel(filter, done);
        }
        for (y, to) in rows.clone().zip(out.chunks_exact_mut(3 * len)) {
            sums::weigh_row(&source[y * line..], offset, &table, &mut to[3 * start..3 * done]);
        }
    }
    out
}

/// Computes one pixel of each row, if its neighbors are too many for a table, and passes
/// the row's number and the pixel to `store`.
fn wide_pixel(
    source: &[u8],
    line: usize,
    rows: Range<usize>,
    offset: usize,
    kernel: &Kernel,
    mut store: impl FnMut(usize, [u8; 3]),
) {
    let mut sums = vec![[HALF; 3]; rows.len()];
    for part in neighbor_ranges(kernel.len) {
        let mut table = WeightTable::default();
        table.push(kernel, part);
        for (y, sums) in rows.clone().zip(&mut sums) {
            let (first, weights) = &table.pixels[0];
            let more = dot(&source[y * line..], first - offset, &table.weights[weights.clone()]);
            (0..3).for_each(|channel| sums[channel] = sums[channel].wrapping_add(more[channel]));
        }
    }
    sums.into_iter().enumerate().for_each(|(row, sums)| store(row, sums.map(round)));
}

/// The vertical pass: computes the rows of `window` for `columns` of `source`. `offset` is
/// the picture's row number of the first row of `source`.
fn vertical(
    source: &[u8],
    width: usize,
    columns: Range<usize>,
    offset: usize,
    window: Window,
    filter: Filter,
) -> Vec<u8> {
    let (line, len) = (3 * width, 3 * columns.len());
    let mut out = vec![0; window.len as usize * len];
    for (y, to) in out.chunks_exact_mut(len).enumerate() {
        if u64::from(window.from) == window.to {
            let row = window.start as usize + y - offset;
            to.copy_from_slice(&source[row * line + 3 * columns.start..][..len]);
            continue;
        }
        let kernel = window.kernel(filter, y);
        let mut weights = Vec::new();
        let short = neighbor_ranges(kernel.len).count() == 1;
        if short {
            weights.extend(kernel.weights(0..kernel.len));
        }
        for (number, block) in to.chunks_mut(BLOCK).enumerate() {
            let mut sums = [HALF; BLOCK];
            let column = 3 * columns.start + number * BLOCK;
            for part in neighbor_ranges(kernel.len) {
                if !short {
                    weights.clear();
                    weights.extend(kernel.weights(part.clone()));
                }
                let first = (kernel.first + part.start - offset) * line + column;
                sums::add_weighted(&mut sums[..block.len()], &source[first..], line, &weights);
            }
            block.iter_mut().zip(sums).for_each(|(value, sum)| *value = round(sum));
        }
    }
    out
}
