//! Pillow's `Image.resize` of eight-bit RGB, to the bit: weights as integers of 22
//! bits, sums in 32, rounded and cut off at 0 and 255 after each pass
//! (python-pillow/Pillow, src/libImaging/Resample.c).
//!
//! Weights are computed for as many pixels at once as [`limits::RESIZE_WEIGHTS`] holds,
//! so that a side of 178 million pixels takes no more than a short one.

use std::ops::Range;

use super::{Filter, Window, vertical_first};
use crate::limits;
use crate::picture::Picture;

/// Bits of a weight behind the point.
const BITS: u32 = 22;

/// One half, which rounds.
const HALF: i32 = 1 << (BITS - 1);

/// Values of eight RGB pixels: a multiple of three, and of every vector's lanes.
const LANES: usize = 24;

/// Values of a row that the vertical pass sums at once: they stay in the first cache.
const BLOCK: usize = 3072;

pub(super) fn resize(picture: &Picture, columns: Window, rows: Window, filter: Filter) -> Vec<u8> {
    let (width, all) = (picture.width as usize, picture.height as usize);
    if filter == Filter::Nearest {
        return nearest(picture, columns, rows);
    }
    if vertical_first(columns, rows) {
        let needed = columns.needed(filter);
        let flat = vertical(&picture.rgb, width, needed.clone(), 0, rows, filter);
        horizontal(&flat, needed.len(), 0..rows.len as usize, needed.start, columns, filter)
    } else {
        let needed = rows.needed(filter);
        debug_assert!(needed.end <= all);
        let narrow = horizontal(&picture.rgb, width, needed.clone(), 0, columns, filter);
        let first = needed.start;
        vertical(&narrow, columns.len as usize, 0..columns.len as usize, first, rows, filter)
    }
}

/// The neighbours of one pixel of the result, and their weights.
struct Taps {
    filter: Filter,
    centre: f64,
    /// 1 / the factor of reduction.
    step: f64,
    first: usize,
    len: usize,
    /// What the weights add up to before they are divided by it.
    sum: f64,
}

impl Taps {
    fn raw(&self, tap: usize) -> f64 {
        let at = (self.first + tap) as f64;
        self.filter.weight((at - self.centre + 0.5) * self.step)
    }

    /// The weights of `taps`, as integers.
    fn weights(&self, taps: Range<usize>) -> impl Iterator<Item = i32> + '_ {
        taps.map(|tap| {
            let weight = match self.sum {
                0.0 => self.raw(tap),
                sum => self.raw(tap) / sum,
            };
            let fixed = weight * f64::from(1 << BITS);
            (if weight < 0.0 { fixed - 0.5 } else { fixed + 0.5 }) as i32
        })
    }
}

impl Window {
    /// What pixel `at` of the window is made of.
    fn taps(self, filter: Filter, at: usize) -> Taps {
        // Pillow takes the length as f32.
        let scale = f64::from(self.from as f32) / self.to as f64;
        let widened = scale.max(1.0);
        let support = filter.support() * widened;
        let centre = ((self.start + at as u64) as f64 + 0.5) * scale;
        let from = self.from as usize;
        // A float becomes an integer towards zero, and what is negative zero.
        let first = ((centre - support + 0.5) as usize).min(from - 1);
        let end = ((centre + support + 0.5) as usize).clamp(first + 1, from);
        let mut taps =
            Taps { filter, centre, step: 1.0 / widened, first, len: end - first, sum: 0.0 };
        taps.sum = (0..taps.len).map(|tap| taps.raw(tap)).fold(0.0, |sum, weight| sum + weight);
        taps
    }

    /// The pixels of the side that the window is made of.
    fn needed(self, filter: Filter) -> Range<usize> {
        if u64::from(self.from) == self.to {
            let start = self.start as usize;
            return start..start + self.len as usize;
        }
        let last = self.taps(filter, self.len as usize - 1);
        self.taps(filter, 0).first..last.first + last.len
    }
}

/// Weights of some neighbouring pixels of the result, each three times for the three
/// channels and filled up to whole [`LANES`].
#[derive(Default)]
struct Table {
    weights: Vec<i32>,
    /// For each pixel its first neighbour and its part of `weights`.
    pixels: Vec<(usize, Range<usize>)>,
}

impl Table {
    fn push(&mut self, taps: &Taps, part: Range<usize>) {
        let (start, first) = (self.weights.len(), taps.first + part.start);
        self.weights.extend(taps.weights(part).flat_map(|weight| [weight; 3]));
        self.weights.resize(start + (self.weights.len() - start).next_multiple_of(LANES), 0);
        self.pixels.push((first, start..self.weights.len()));
    }
}

/// The columns of a window for `rows` of a source whose first column is number `offset`
/// of the picture's.
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
    let fits = |taps: &Taps| 3 * taps.len.next_multiple_of(8) <= limits::RESIZE_WEIGHTS;
    let mut done = 0;
    while done < len {
        let mut taps = window.taps(filter, done);
        if !fits(&taps) {
            long(source, line, rows.clone(), offset, &taps, |row, pixel| {
                out[3 * (row * len + done)..][..3].copy_from_slice(&pixel);
            });
            done += 1;
            continue;
        }
        let (mut table, start) = (Table::default(), done);
        while fits(&taps)
            && table.weights.len() + 3 * taps.len.next_multiple_of(8) <= limits::RESIZE_WEIGHTS
        {
            table.push(&taps, 0..taps.len);
            done += 1;
            if done == len {
                break;
            }
            taps = window.taps(filter, done);
        }
        for (y, to) in rows.clone().zip(out.chunks_exact_mut(3 * len)) {
            simd::row(&source[y * line..], offset, &table, &mut to[3 * start..3 * done]);
        }
    }
    out
}

/// One pixel of each row whose neighbours are too many for a table.
fn long(
    source: &[u8],
    line: usize,
    rows: Range<usize>,
    offset: usize,
    taps: &Taps,
    mut put: impl FnMut(usize, [u8; 3]),
) {
    let mut sums = vec![[HALF; 3]; rows.len()];
    for part in parts(taps.len) {
        let mut table = Table::default();
        table.push(taps, part);
        for (y, sums) in rows.clone().zip(&mut sums) {
            let (first, weights) = &table.pixels[0];
            let more = dot(&source[y * line..], first - offset, &table.weights[weights.clone()]);
            (0..3).for_each(|channel| sums[channel] = sums[channel].wrapping_add(more[channel]));
        }
    }
    sums.into_iter().enumerate().for_each(|(row, sums)| put(row, sums.map(clip)));
}

/// Neighbours whose weights are computed at once.
fn parts(len: usize) -> impl Iterator<Item = Range<usize>> {
    let most = limits::RESIZE_WEIGHTS / 3 - LANES;
    (0..len).step_by(most).map(move |start| start..len.min(start + most))
}

/// Rows of a window for `columns` of a source whose first row is number `offset` of the
/// picture's.
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
        let taps = window.taps(filter, y);
        let mut weights = Vec::new();
        let short = parts(taps.len).count() == 1;
        if short {
            weights.extend(taps.weights(0..taps.len));
        }
        for (number, block) in to.chunks_mut(BLOCK).enumerate() {
            let mut sums = [HALF; BLOCK];
            let column = 3 * columns.start + number * BLOCK;
            for part in parts(taps.len) {
                if !short {
                    weights.clear();
                    weights.extend(taps.weights(part.clone()));
                }
                let first = (taps.first + part.start - offset) * line + column;
                simd::add(&mut sums[..block.len()], &source[first..], line, &weights);
            }
            block.iter_mut().zip(sums).for_each(|(value, sum)| *value = clip(sum));
        }
    }
    out
}

fn clip(sum: i32) -> u8 {
    (sum >> BITS).clamp(0, 255) as u8
}

/// The weighted sum of pixels from number `first` of `row` on. Where weights of zero reach
/// beyond the end of what is there, they count for nothing.
#[inline(always)]
fn dot(row: &[u8], first: usize, weights: &[i32]) -> [i32; 3] {
    let there = &row[3 * first..];
    let mut sums = [0i32; LANES];
    let mut add = |pixels: &[u8; LANES], weights: &[i32; LANES]| {
        for lane in 0..LANES {
            let product = i32::from(pixels[lane]).wrapping_mul(weights[lane]);
            sums[lane] = sums[lane].wrapping_add(product);
        }
    };
    let (pixels, rest) = there[..there.len().min(weights.len())].as_chunks::<LANES>();
    let (weights, _) = weights.as_chunks::<LANES>();
    pixels.iter().zip(weights).for_each(|(pixels, weights)| add(pixels, weights));
    if let (false, Some(weights)) = (rest.is_empty(), weights.get(pixels.len())) {
        let mut filled = [0; LANES];
        filled[..rest.len()].copy_from_slice(rest);
        add(&filled, weights);
    }
    let half: [i32; 12] = halved(&sums);
    let quarter: [i32; 6] = halved(&half);
    halved(&quarter)
}

/// The sums of each value of the first half and its counterpart in the second.
#[inline(always)]
fn halved<const N: usize, const M: usize>(values: &[i32; N]) -> [i32; M] {
    std::array::from_fn(|lane| values[lane].wrapping_add(values[lane + M]))
}

#[inline(always)]
fn row(source: &[u8], offset: usize, table: &Table, out: &mut [u8]) {
    for ((first, part), out) in table.pixels.iter().zip(out.as_chunks_mut::<3>().0) {
        let sums = dot(source, first - offset, &table.weights[part.clone()]);
        *out = sums.map(|sum| clip(sum.wrapping_add(HALF)));
    }
}

#[inline(always)]
fn add(sums: &mut [i32], source: &[u8], line: usize, weights: &[i32]) {
    for (row, &weight) in weights.iter().enumerate() {
        for (sum, &value) in sums.iter_mut().zip(&source[row * line..]) {
            *sum = sum.wrapping_add(i32::from(value).wrapping_mul(weight));
        }
    }
}

/// The two inner loops, compiled for vectors of 256 bits where the processor has them.
mod simd {
    use super::Table;

    pub(super) fn row(source: &[u8], offset: usize, table: &Table, out: &mut [u8]) {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has AVX2.
            return unsafe { row_avx2(source, offset, table, out) };
        }
        super::row(source, offset, table, out);
    }

    pub(super) fn add(sums: &mut [i32], source: &[u8], line: usize, weights: &[i32]) {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has AVX2.
            return unsafe { add_avx2(sums, source, line, weights) };
        }
        super::add(sums, source, line, weights);
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn row_avx2(source: &[u8], offset: usize, table: &Table, out: &mut [u8]) {
        super::row(source, offset, table, out);
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn add_avx2(sums: &mut [i32], source: &[u8], line: usize, weights: &[i32]) {
        super::add(sums, source, line, weights);
    }
}

/// Pillow's `NEAREST`: the pixel in which each centre lies.
fn nearest(picture: &Picture, columns: Window, rows: Window) -> Vec<u8> {
    let at = |window: Window| -> Vec<usize> {
        let scale = f64::from(window.from as f32) / window.to as f64;
        // Pillow adds the scale up from pixel to pixel. Beyond what its sizes can be, one
        // product stands for the sums.
        let (skipped, mut centre) = match u32::try_from(window.start) {
            Ok(start) => (start, scale * 0.5),
            Err(_) => (0, (window.start as f64 + 0.5) * scale),
        };
        (0..skipped).for_each(|_| centre += scale);
        let mut next = || {
            let here = (centre as usize).min(window.from as usize - 1);
            centre += scale;
            here
        };
        (0..window.len).map(|_| next()).collect()
    };
    let columns = at(columns);
    let pixel = |y: usize, x: usize| &picture.rgb[3 * (y * picture.width as usize + x)..][..3];
    let rows = at(rows);
    rows.iter().flat_map(|&y| columns.iter().flat_map(move |&x| pixel(y, x).to_vec())).collect()
}
