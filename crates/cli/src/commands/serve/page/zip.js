// A ZIP archive without compression. Format: PKWARE APPNOTE 6.3, sections 4.3.7, 4.3.12, 4.3.16.

export const MOST_FILES = 65_534; // more would need ZIP64

const TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let value = n;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});

export const crc32 = (bytes) => {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = TABLE[(crc ^ byte) & 0xff] ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
};

// Little-endian fields: [bytes of the field, value].
const record = (fields) => {
  const bytes = new Uint8Array(fields.reduce((sum, [width]) => sum + width, 0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const [width, value] of fields) {
    if (width === 2) view.setUint16(at, value, true);
    else view.setUint32(at, value, true);
    at += width;
  }
  return bytes;
};

const UTF8_NAMES = 0x0800;
const FIRST_DATE = 0x0021; // 1980-01-01, so that the same files give the same archive

// `files`: [[name, text], ...]
export const zipOf = (files) => {
  if (files.length > MOST_FILES) throw new RangeError(`${files.length} files: at most ${MOST_FILES} fit`);
  const encoder = new TextEncoder();
  const parts = [];
  const directory = [];
  let offset = 0;
  for (const [path, text] of files) {
    const name = encoder.encode(path);
    const data = encoder.encode(text);
    // version needed, flags, method (0: stored), time, date, CRC, both sizes, lengths of name and extra field
    const common = [
      [2, 20], [2, UTF8_NAMES], [2, 0], [2, 0], [2, FIRST_DATE],
      [4, crc32(data)], [4, data.length], [4, data.length], [2, name.length], [2, 0],
    ];
    parts.push(record([[4, 0x04034b50], ...common]), name, data);
    // then: length of the comment, disk, internal and external attributes, offset
    directory.push(
      record([[4, 0x02014b50], [2, 20], ...common, [2, 0], [2, 0], [2, 0], [4, 0], [4, offset]]),
      name,
    );
    offset += 30 + name.length + data.length;
  }
  const length = directory.reduce((sum, part) => sum + part.length, 0);
  const end = record([
    [4, 0x06054b50], [2, 0], [2, 0], [2, files.length], [2, files.length], [4, length], [4, offset], [2, 0],
  ]);
  return new Blob([...parts, ...directory, end], { type: "application/zip" });
};
