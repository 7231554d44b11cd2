//! Decodes a JPEG at 1/2, 1/4 or 1/8 of its size, as Pillow's `Image.draft` does.
//!
//! Owns the Huffman decoding and a transform to fewer pixels; libjpeg's draft equals the mean over
//! squares of pixels, before rounding, so no pixel of the full size is computed. Colors are
//! chosen by the module above.
//!
//! Only what photos have is decoded: eight bits, baseline or progressive, one, three or four
//! components, 4:4:4, 4:2:2 and 4:2:0. For everything else, and for anything invalid, the answer
//! is `None`: the caller decodes the image in full, so its errors are those of the full decoder.

mod bits;
mod coefficients;
mod color;
mod frame;
mod huffman;
mod idct;
mod scan;

use std::num::NonZeroU32;

use super::color_space::{ColorSpace, color_space};
use super::{EOI, FILL, SOI, SOS, STUFFED};
use crate::limits;
use crate::picture::decode::encoded_image::{DecodeError, EncodedImage, Rgb};
use bits::{Bits, Input};
use coefficients::{Quantization, ZIGZAG};
use frame::{Coding, Frame};
use huffman::Table;
use scan::Scan;

/// Scans of a progressive image. Encoders write ten or so.
const SCANS: usize = 100;

const DHT: u8 = 0xc4;
const DQT: u8 = 0xdb;
const DRI: u8 = 0xdd;

/// Decodes the image as long as both sides keep at least `side` pixels; `None` if the image must
/// be decoded in full.
pub(super) fn decode(
    image: &mut EncodedImage,
    side: NonZeroU32,
) -> Result<Option<Rgb>, DecodeError> {
    let bytes = image.bytes;
    let Some((frame, mut decoder, rest)) = Decoder::start(bytes, side.get()) else {
        return Ok(None);
    };
    let [width, height] = frame.whole;
    let pixels = u64::from(width) * u64::from(height);
    let memory = frame.memory().max(3 * pixels); // of this decoder or the full one
    if pixels > limits::PICTURE_PIXELS || memory > limits::PICTURE_BYTES {
        return Ok(None);
    }
    image.reserve(width, height, memory)?;
    let Some(planes) = decoder.finish(&frame, rest) else { return Ok(None) };
    let color = color_space(bytes).unwrap_or(ColorSpace::Raw);
    let [width, height] = frame.size.map(|side| side as u32);
    let rgb = color::to_rgb(&frame, &planes, color);
    Ok(rgb.map(|rgb| Rgb { width, height, rgb }))
}

/// The tables and the planes.
#[derive(Default)]
struct Decoder {
    quantization: [Option<Quantization>; 4],
    /// DC and AC.
    huffman: [[Option<Table>; 4]; 2],
    restart: Option<u32>,
    /// Of each component: the quantization table of its first scan.
    latched: Vec<Option<Quantization>>,
    planes: Vec<Vec<u8>>,
    /// Of each component of a progressive image, by block.
    coefficients: Vec<Vec<[i16; 64]>>,
}

impl Decoder {
    /// Reads the tables up to the frame header. Returns also the file after it.
    fn start(bytes: &[u8], side: u32) -> Option<(Frame, Self, &[u8])> {
        let mut decoder = Decoder::default();
        let mut rest = bytes.strip_prefix(&[0xff, SOI])?;
        loop {
            let (marker, data, after) = next_segment(rest)?;
            rest = after;
            let coding = match marker {
                0xc0 | 0xc1 => Coding::Sequential,
                0xc2 => Coding::Progressive,
                _ => {
                    decoder.table(marker, data)?;
                    continue;
                }
            };
            return Some((Frame::parse(coding, data, side)?, decoder, rest));
        }
    }

    /// Decodes the scans after the frame header.
    fn finish(&mut self, frame: &Frame, mut rest: &[u8]) -> Option<Vec<Vec<u8>>> {
        self.latched = vec![None; frame.components.len()];
        for component in &frame.components {
            let blocks = component.padded[0] * component.padded[1];
            self.planes.push(vec![0; blocks * component.side * component.side]);
            let progressive = frame.coding == Coding::Progressive;
            self.coefficients.push(vec![[0; 64]; if progressive { blocks } else { 0 }]);
        }
        let mut scans = 0;
        loop {
            let (marker, data, after) = next_segment(rest)?;
            rest = after;
            match marker {
                EOI => break,
                SOS if scans < SCANS => {
                    scans += 1;
                    let (scan, mut input) = (Scan::parse(data, frame)?, Input::new(rest));
                    let mut bits = Bits::new(&mut input);
                    match frame.coding {
                        Coding::Sequential => self.sequential(frame, &scan, &mut bits)?,
                        Coding::Progressive => self.progressive(frame, &scan, &mut bits)?,
                    }
                    rest = input.rest();
                }
                SOS => return None,
                _ => self.table(marker, data)?,
            }
        }
        if frame.coding == Coding::Progressive {
            self.transform(frame)?;
        }
        // Without a scan, a component would be gray.
        self.latched.iter().all(Option::is_some).then(|| std::mem::take(&mut self.planes))
    }

    /// Reads a segment other than those of frames and scans.
    fn table(&mut self, marker: u8, mut data: &[u8]) -> Option<()> {
        match marker {
            DQT => {
                while let Some((&number, rest)) = data.split_first() {
                    let bytes = if number >> 4 == 0 { 1 } else { 2 };
                    let (values, rest) = rest.split_at_checked(64 * bytes)?;
                    let value = |i: usize| {
                        let value = &values[i * bytes..][..bytes];
                        value.iter().fold(0, |sum, &byte| (sum << 8) | i16::from(byte))
                    };
                    let table = self.quantization.get_mut(usize::from(number & 15))?;
                    *table = Some(std::array::from_fn(value));
                    data = rest;
                }
            }
            DHT => {
                while let Some((&[number, ref counts @ ..], rest)) = data.split_first_chunk::<17>()
                {
                    let symbols = counts.iter().map(|&count| usize::from(count)).sum();
                    let (values, rest) = rest.split_at_checked(symbols)?;
                    let tables = self.huffman.get_mut(usize::from(number >> 4))?;
                    *tables.get_mut(usize::from(number & 15))? = Some(Table::new(counts, values)?);
                    data = rest;
                }
            }
            DRI => {
                let interval = u16::from_be_bytes(*data.as_array()?);
                self.restart = (interval > 0).then_some(interval.into());
            }
            // Application data and comments.
            0xe0..=0xef | 0xfe => {}
            _ => return None,
        }
        Some(())
    }

    /// Keeps the quantization tables of a component's first scan. Returns whether it is the first.
    fn latch(&mut self, frame: &Frame, index: usize) -> Option<bool> {
        let first = self.latched[index].is_none();
        if first {
            self.latched[index] = Some(self.quantization[frame.components[index].table]?);
        }
        Some(first)
    }

    /// Decodes a scan of whole blocks.
    fn sequential(&mut self, frame: &Frame, scan: &Scan, bits: &mut Bits<'_, '_>) -> Option<()> {
        if scan.band != [0, 63] || scan.bit != [0, 0] {
            return None;
        }
        for &(index, _) in &scan.components {
            // A second scan would cost as much again.
            if !self.latch(frame, index)? {
                return None;
            }
        }
        let [dc, ac] = &self.huffman;
        let mut tables = Vec::with_capacity(4);
        let mut planes: Vec<&mut [u8]> = Vec::with_capacity(4);
        for (index, plane) in self.planes.iter_mut().enumerate() {
            if let Some(&(_, [d, a])) = scan.components.iter().find(|part| part.0 == index) {
                let component = &frame.components[index];
                let stride = component.padded[0] * component.side;
                let latched = self.latched[index].as_ref()?;
                tables.push(([dc[d].as_ref()?, ac[a].as_ref()?], latched, component.side, stride));
                planes.push(plane);
            }
        }
        let mut block = [0; 64];
        scan.each(frame, self.restart, bits, |bits, state, position, [x, y]| {
            let (tables, quantization, side, stride) = tables[position];
            let last = &mut state.dc[position];
            let only_dc = coefficients::sequential(bits, tables, last, quantization, &mut block)?;
            let out = planes[position].get_mut((y * stride + x) * side..)?;
            idct::write(&block, only_dc, side, out, stride);
            if !only_dc {
                block = [0; 64];
            }
            Some(())
        })
    }

    /// Reads a scan of parts of coefficients.
    fn progressive(&mut self, frame: &Frame, scan: &Scan, bits: &mut Bits<'_, '_>) -> Option<()> {
        let (is_dc, [before, bit]) = (scan.band[0] == 0, scan.bit);
        let alone = scan.components.len() == 1;
        let valid = if is_dc { scan.band[1] == 0 } else { alone };
        if !valid || (before != 0 && before != bit + 1) {
            return None;
        }
        for &(index, _) in &scan.components {
            self.latch(frame, index)?;
        }
        let [dc, ac] = &self.huffman;
        let all = &mut self.coefficients;
        scan.each(frame, self.restart, bits, |bits, state, position, [x, y]| {
            let (index, [d, a]) = scan.components[position];
            let block = all[index].get_mut(y * frame.components[index].padded[0] + x)?;
            let tables = [dc[d].as_ref(), ac[a].as_ref()];
            coefficients::progressive(bits, scan, tables, state, position, block)
        })
    }

    /// Computes the pixels of a progressive image.
    fn transform(&mut self, frame: &Frame) -> Option<()> {
        for (index, component) in frame.components.iter().enumerate() {
            let quantization = self.latched[index].as_ref()?;
            let mut scales = [0; 64];
            for (&position, &scale) in ZIGZAG.iter().zip(quantization) {
                scales[usize::from(position)] = scale;
            }
            let ([across, _], side) = (component.padded, component.side);
            let rows = self.planes[index].chunks_mut(across * side * side);
            for (blocks, plane) in self.coefficients[index].chunks(across).zip(rows) {
                for (x, values) in blocks.iter().enumerate() {
                    let block = std::array::from_fn(|i| values[i].wrapping_mul(scales[i]));
                    let only_dc = values[1..].iter().all(|&value| value == 0);
                    idct::write(&block, only_dc, side, &mut plane[x * side..], across * side);
                }
            }
        }
        Some(())
    }
}

/// Returns the next marker, the data of its segment and the bytes after it. Bytes before the
/// marker are ignored, as libjpeg does.
fn next_segment(mut bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    loop {
        bytes = &bytes[memchr::memchr(FILL, bytes)?..];
        match *bytes {
            [_, STUFFED | FILL, ..] => bytes = &bytes[1..],
            [_, EOI, ref rest @ ..] => return Some((EOI, &[], rest)),
            [_, marker, high, low, ref rest @ ..] => {
                let length = usize::from(u16::from_be_bytes([high, low])).checked_sub(2)?;
                let (data, rest) = rest.split_at_checked(length)?;
                return Some((marker, data, rest));
            }
            _ => return None,
        }
    }
}
