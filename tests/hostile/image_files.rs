//! Image files of any width and height with almost no data after the header.

/// A chunk of a PNG with its CRC-32.
pub(crate) fn chunk(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let body = [kind, content].concat();
    let length = (content.len() as u32).to_be_bytes();
    [&length, &body[..], &crc32(&body).to_be_bytes()].concat()
}

/// A zlib stream of `count` zeros, about a thousandth of their size. It is one block of fixed
/// codes: a literal 0, then copies of 258 bytes (RFC 1951, section 3.2.6).
pub(crate) fn zeros(count: usize) -> Vec<u8> {
    let mut bits = vec![true, true, false]; // the last block, fixed codes
    bits.extend([false, false, true, true, false, false, false, false]); // literal 0
    for _ in 0..count / 258 {
        // Length 258 (285 is 11000101), distance 1 (five zeros).
        bits.extend([true, true, false, false, false, true, false, true]);
        bits.extend([false; 5]);
    }
    bits.extend([false; 7]); // end of block
    let byte = |bits: &[bool]| bits.iter().rev().fold(0, |byte, &bit| byte << 1 | u8::from(bit));
    let mut zeros = vec![0x78, 0x9c];
    zeros.extend(bits.chunks(8).map(byte));
    // The Adler-32 of zeros: the low half is 1, the high half their count.
    let sum = (count / 258 * 258 + 1) as u32 % 65_521;
    zeros.extend((sum << 16 | 1).to_be_bytes());
    zeros
}

/// CRC-32 (ISO 3309), bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    let bit = |crc: u32, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), bit))
}

/// A PNG of `depth` bits a channel and color type `color` (2 RGB, 6 RGBA).
pub(crate) fn png(width: u32, height: u32, depth: u8, color: u8) -> Vec<u8> {
    let header =
        [&width.to_be_bytes()[..], &height.to_be_bytes(), &[depth, color, 0, 0, 0]].concat();
    // An empty deflate stream.
    let pixels = [0x78, 0x9c, 0x03, 0, 0, 0, 0, 1];
    let parts = [chunk(b"IHDR", &header), chunk(b"IDAT", &pixels), chunk(b"IEND", b"")].concat();
    [b"\x89PNG\r\n\x1a\n", &parts[..]].concat()
}

/// A GIF of a screen and frames (left, top, width, height) in two colors, each with the
/// data of four pixels.
pub(crate) fn gif(width: u16, height: u16, frames: &[(u16, u16, u16, u16)]) -> Vec<u8> {
    let mut gif = b"GIF89a".to_vec();
    gif.extend([width.to_le_bytes(), height.to_le_bytes()].concat());
    gif.extend([0x80, 0, 0, 0, 0, 0, 255, 255, 255]);
    for &(left, top, width, height) in frames {
        gif.push(b',');
        [left, top, width, height].iter().for_each(|side| gif.extend(side.to_le_bytes()));
        // No table of its own; codes of 2 bits: clear, 0, 0, 0, 0 (3 bits), end.
        gif.extend([0, 2, 3, 0x04, 0x00, 0x05, 0]);
    }
    gif.push(b';');
    gif
}

/// A bitmap of 24 bits per pixel.
pub(crate) fn bmp(width: u32, height: u32) -> Vec<u8> {
    let mut bmp = b"BM\x3a\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0".to_vec();
    bmp.extend([width.to_le_bytes(), height.to_le_bytes()].concat());
    bmp.extend(b"\x01\0\x18\0");
    bmp.resize(58, 0);
    bmp
}

/// A baseline JPEG of one gray component, whose scan is empty.
pub(crate) fn jpeg(width: u16, height: u16) -> Vec<u8> {
    let mut jpeg = b"\xff\xd8\xff\xdb\0\x43\0".to_vec();
    jpeg.extend([1; 64]);
    jpeg.extend(b"\xff\xc0\0\x0b\x08");
    jpeg.extend([height.to_be_bytes(), width.to_be_bytes()].concat());
    jpeg.extend(b"\x01\x01\x11\0");
    // A table of one code each, for both kinds of coefficients.
    for kind in [0x00, 0x10] {
        jpeg.extend([0xff, 0xc4, 0, 20, kind, 1]);
        jpeg.extend([0; 15]);
        jpeg.push(0);
    }
    jpeg.extend(b"\xff\xda\0\x08\x01\x01\0\0\x3f\0\xff\xd9");
    jpeg
}

/// A TIFF of one strip, uncompressed gray.
pub(crate) fn tiff(width: u32, height: u32) -> Vec<u8> {
    let entries: [(u16, u16, u32); 9] = [
        (256, 4, width),
        (257, 4, height),
        (258, 3, 8),
        (259, 3, 1),
        (262, 3, 1),
        (273, 4, 8),
        (277, 3, 1),
        (278, 4, height),
        (279, 4, 1),
    ];
    let mut tiff = b"II*\0\x08\0\0\0".to_vec();
    tiff.extend((entries.len() as u16).to_le_bytes());
    for (tag, kind, value) in entries {
        tiff.extend([tag.to_le_bytes(), kind.to_le_bytes()].concat());
        tiff.extend([1u32.to_le_bytes(), value.to_le_bytes()].concat());
    }
    tiff.extend([0; 4]);
    tiff
}

/// A lossless WebP.
pub(crate) fn webp(width: u32, height: u32) -> Vec<u8> {
    let sides = (width - 1) | (height - 1) << 14;
    let body = [&[0x2f][..], &sides.to_le_bytes(), &[0; 3]].concat();
    let mut webp = b"RIFF".to_vec();
    webp.extend((4 + 8 + body.len() as u32).to_le_bytes());
    webp.extend(b"WEBPVP8L");
    webp.extend((body.len() as u32).to_le_bytes());
    webp.extend(body);
    webp
}
