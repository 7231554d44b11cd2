//! Handmade pickles and archives: what is read, and every error.

use std::io::{Cursor, Write};
use std::path::PathBuf;

use proptest::prelude::*;
use zip::write::{SimpleFileOptions, ZipWriter};

use super::*;
use crate::error::WeightsError;
use crate::limits::PICKLE;

/// A zip file of these entries, uncompressed.
fn zipped(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let plain = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, bytes) in entries {
        zip.start_file(*name, plain).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn read(bytes: &[u8]) -> Result<BTreeMap<String, StoredTensor>> {
    tensors(&PathBuf::from("a.pt"), bytes)
}

/// A pickle of protocol 2 around `body`.
fn pickle(body: &[u8]) -> Vec<u8> {
    [b"\x80\x02", body, b"."].concat()
}

fn text(text: &str) -> Vec<u8> {
    [b"X", &(text.len() as u32).to_le_bytes()[..], text.as_bytes()].concat()
}

/// A tensor over `data/0`, which has `len` f32 values.
fn tensor(len: u8, offset: u8, sizes: &[u8], strides: &[u8]) -> Vec<u8> {
    let tuple = |values: &[u8]| {
        let ints: Vec<u8> = values.iter().flat_map(|&value| [b'K', value]).collect();
        [b"(", &ints[..], b"t"].concat()
    };
    [
        b"ctorch._utils\n_rebuild_tensor_v2\n(("[..].to_vec(),
        text("storage"),
        b"ctorch\nFloatStorage\n".to_vec(),
        text("0"),
        text("cpu"),
        vec![b'K', len, b't', b'Q', b'K', offset],
        tuple(sizes),
        tuple(strides),
        b"\x89ccollections\nOrderedDict\n)RtR".to_vec(),
    ]
    .concat()
}

/// The state dict `{"w": tensor}`.
fn state(tensor: &[u8]) -> Vec<u8> {
    pickle(&[b"}(", &text("w")[..], tensor, b"u"].concat())
}

const SIX: [u8; 24] = [0; 24];

fn archive(pickle: &[u8]) -> Vec<u8> {
    zipped(&[("m/data.pkl", pickle), ("m/data/0", &SIX), ("m/byteorder", b"little")])
}

fn error_of(bytes: &[u8]) -> String {
    read(bytes).unwrap_err().to_string()
}

#[test]
fn state_dict_keys_name_the_tensors() {
    let found = read(&archive(&state(&tensor(6, 0, &[2, 3], &[3, 1])))).unwrap();
    let stored = &found["w"];
    assert_eq!((&stored.shape[..], stored.range.len()), (&[2, 3][..], 24));
    assert!(stored.strides.is_none() && stored.checksum.is_some());
    let found = read(&archive(&state(&tensor(6, 1, &[2, 2], &[1, 2])))).unwrap();
    assert_eq!((found["w"].range.len(), found["w"].strides.as_deref()), (16, Some(&[1, 2][..])));
}

/// Each tensor may be copied, so the size counts for every view of one storage.
#[test]
fn total_size_of_tensors_that_share_a_storage_is_limited() {
    let all = |count: usize| {
        let one = |n: usize| [text(&format!("w{n}")), tensor(6, 0, &[6], &[1])].concat();
        let named: Vec<u8> = (0..count).flat_map(one).collect();
        archive(&pickle(&[b"}(", &named[..], b"u"].concat()))
    };
    assert_eq!(read(&all(4)).unwrap().len(), 4);
    // The pickle is as large as the tensors here; in a 33 MB file it hardly counts.
    let storage = vec![0; 200 * 4];
    let many = |count: usize| {
        let one = |n: usize| [text(&format!("w{n}")), tensor(200, 0, &[200], &[1])].concat();
        let named: Vec<u8> = (0..count).flat_map(one).collect();
        let pickle = pickle(&[b"}(", &named[..], b"u"].concat());
        zipped(&[("m/data.pkl", &pickle), ("m/data/0", &storage)])
    };
    assert!(read(&many(3)).is_ok());
    let found = error_of(&many(99));
    assert!(found.starts_with("a.pt: shared storages: expected at most "), "{found}");
    assert!(found.ends_with(", found 79200"), "{found}");
}

#[test]
fn module_attributes_name_the_tensors() {
    let inner = [b"c__torch__.a.b\nInner\n)\x81}(", &text("w")[..], &tensor(6, 0, &[6], &[1])];
    let inner = [&inner.concat()[..], &text("training"), b"\x88ub"].concat();
    let outer = [b"c__torch__\nOuter\n)\x81}(", &text("layer")[..], &inner, b"ub"].concat();
    let found = read(&archive(&pickle(&outer))).unwrap();
    assert_eq!(found.keys().collect::<Vec<_>>(), ["layer.w"]);
}

#[test]
fn only_the_state_dict_of_a_checkpoint_is_read() {
    let weights = [b"}(", &text("module.w")[..], &tensor(6, 0, &[6], &[1]), b"u"].concat();
    let whole = [b"}(", &text("epoch")[..], b"K\x07", &text("state_dict"), &weights, b"u"].concat();
    let found = read(&archive(&pickle(&whole))).unwrap();
    assert_eq!(found.keys().collect::<Vec<_>>(), ["w"]);
}

/// No code runs: a global that is not on the allowlist is refused at its offset.
#[test]
fn globals_off_the_allowlist_are_refused() {
    let call = [b"cposix\nsystem\n", &text("touch /tmp/x")[..], b"\x85R"].concat();
    let message = "a.pt: data.pkl at byte 2: expected an allowed global, found ";
    assert_eq!(error_of(&archive(&pickle(&call))), format!("{message}posix.system"));
    for name in ["os\nsystem", "builtins\neval", "torch\nload", "torch._utils\n_rebuild_x"] {
        let call = [b"c", name.as_bytes(), b"\n)R"].concat();
        let found = name.replace('\n', ".");
        assert_eq!(error_of(&archive(&pickle(&call))), format!("{message}{found}"));
    }
    let error = read(&archive(&pickle(&call))).unwrap_err();
    assert!(error.hint().unwrap().contains("none of its code runs"));
}

#[test]
fn unsupported_opcodes_are_refused() {
    let message = "a.pt: data.pkl at byte 3: expected a supported opcode, found ";
    for (opcode, name) in [
        (b'i', "the opcode INST"),
        (b'o', "the opcode OBJ"),
        (0x93, "the opcode STACK_GLOBAL"),
        (0x82, "the opcode EXT1"),
        (b'B', "the opcode BINBYTES"),
        (0xff, "the byte 0xff"),
    ] {
        assert_eq!(error_of(&archive(&pickle(&[b'N', opcode]))), format!("{message}{name}"));
    }
    let four = b"\x80\x04\x95".to_vec();
    let message = "a.pt: data.pkl at byte 0: expected protocol 2, found protocol 4";
    assert_eq!(error_of(&archive(&four)), message);
}

#[test]
fn malformed_pickle_is_refused_at_its_offset() {
    for (body, message) in [
        (&b""[..], "byte 2: expected a value, found an empty stack"),
        (b"(.", "byte 3: expected a value, found an empty stack"),
        (b"X\xff\xff\xff\x7fabc", "byte 2: expected 2147483647 more bytes, found 4 before the end"),
        (b"X\x02\0\0\0\xff\xfe", "byte 2: expected text, found invalid UTF-8"),
        (b"h\x07", "byte 2: expected a memoized value, found none in slot 7"),
        (b"NR", "byte 3: expected a value, found an empty stack"),
        (b"N)R", "byte 4: expected a global and a tuple, found something else"),
        (b"t", "byte 2: expected values, found too few on the stack"),
        (b"\x86", "byte 2: expected values, found too few on the stack"),
        (b"N(\x85", "byte 4: expected values, found too few on the stack"),
        (b"NNa", "byte 4: expected a list, found something else"),
        (b"}(Nu", "byte 5: expected a dict and pairs, found something else"),
        (b"NNb", "byte 4: expected a module or a dict, found something else"),
        (b"NQ", "byte 3: expected a storage tuple, found something else"),
        (
            b"c__torch__\nA\nN\x85\x81",
            "byte 17: expected a module's class without arguments, found something else",
        ),
        (b"\x8a\x09", "byte 2: expected a number of at most 8 bytes, found 9 bytes"),
        (b"ctorch", "byte 2: expected a line of text, found none"),
        (b"q\x01", "byte 2: expected a value, found an empty stack"),
    ] {
        assert_eq!(
            error_of(&archive(&pickle(body))),
            format!("a.pt: data.pkl at {message}"),
            "{body:?}"
        );
    }
}

#[test]
fn tensor_outside_its_storage_is_refused() {
    for (len, offset, sizes, strides, message) in [
        (
            7,
            0,
            &[2, 3][..],
            &[3, 1][..],
            "storage: expected 7 values of 4 bytes for w, found 24 bytes",
        ),
        (
            6,
            1,
            &[2, 3],
            &[3, 1],
            "tensor: expected sizes and strides within 6 values for w, found [2, 3] by [3, 1] from 1",
        ),
        (
            6,
            0,
            &[2, 3],
            &[4, 1],
            "tensor: expected sizes and strides within 6 values for w, found [2, 3] by [4, 1] from 0",
        ),
        (6, 0, &[200, 200], &[0, 0], "tensor: expected at most 6 values for w, found [200, 200]"),
    ] {
        let found = error_of(&archive(&state(&tensor(len, offset, sizes, strides))));
        assert_eq!(found, format!("a.pt: {message}"));
    }
    let wrong = state(&tensor(6, 0, &[2], &[3, 1]));
    assert!(
        error_of(&archive(&wrong)).contains("expected a storage, an offset, sizes and strides")
    );
}

#[test]
fn incomplete_archives_are_refused() {
    let good = state(&tensor(6, 0, &[6], &[1]));
    for (entries, message) in [
        (&[("m/data/0", &SIX[..])][..], "archive: expected one folder with a data.pkl, found none"),
        (
            &[("a/data.pkl", &good[..]), ("b/data.pkl", &good)],
            "archive: expected one folder with a data.pkl, found several",
        ),
        (&[("m/data.pkl", &good)], "entry: expected data/0, uncompressed, found none"),
        (
            &[("m/data.pkl", &good), ("m/data/0", &SIX), ("m/byteorder", b"big")],
            "byteorder: expected little, found another order",
        ),
        (&[("m/data.pkl", &pickle(b"}"))], "data.pkl: expected tensors by name, found none"),
    ] {
        assert_eq!(error_of(&zipped(entries)), format!("a.pt: {message}"));
    }
    let huge = vec![b'N'; PICKLE + 1];
    let message = "a.pt: data.pkl: expected at most 4194304 bytes, found 4194305";
    assert_eq!(error_of(&zipped(&[("m/data.pkl", &huge)])), message);
    let many = error_of(&archive(&pickle(&vec![b'N'; (1 << 18) + 1])));
    assert_eq!(many, "a.pt: data.pkl at byte 262146: expected at most 262144 values, found more");
}

/// Nested dicts that each hold the next one twice: a few bytes make 2^60 names.
#[test]
fn number_of_names_is_limited() {
    let mut body = b"}q\x00".to_vec();
    for level in 0u8..60 {
        let shared = [b'h', level];
        let pairs = [&text("a")[..], &shared, &text("b"), &shared].concat();
        body.extend([b"}(", &pairs[..], b"u", &[b'q', level + 1]].concat());
    }
    let message = "a.pt: data.pkl: expected at most 65536 names, 32 levels and 8388608 bytes of \
                   names, found more";
    assert_eq!(error_of(&archive(&pickle(&body))), message);
    // A dict that holds itself.
    let itself = [b"}q\x00", &text("a")[..], b"h\x00s"].concat();
    assert_eq!(error_of(&archive(&pickle(&itself))), message);
}

/// A key of one megabyte in 3,000 names: 3 GB of names.
#[test]
fn total_length_of_names_is_limited() {
    let mut inner = b"}(".to_vec();
    inner.extend(text("k0"));
    inner.extend([&tensor(6, 0, &[6], &[1])[..], b"q\x00"].concat());
    (1..3000).for_each(|n| inner.extend([&text(&format!("k{n}"))[..], b"h\x00"].concat()));
    inner.push(b'u');
    let body = [b"}(", &text(&"x".repeat(1 << 20))[..], &inner, b"u"].concat();
    assert!(error_of(&archive(&pickle(&body))).ends_with("8388608 bytes of names, found more"));
}

/// Each tensor takes five bytes of the pickle.
#[test]
fn number_of_tensors_is_limited() {
    let first = tensor(6, 0, &[6], &[1]);
    let (head, call) = first.split_at(first.len() - 1);
    let mut body = [b"}(", &text("w")[..], head, b"q\x00", call].concat();
    body.extend(b"ctorch._utils\n_rebuild_tensor_v2\nq\x01(");
    (0..1 << 16).for_each(|_| body.extend(b"h\x01h\x00R"));
    assert!(error_of(&archive(&pickle(&body))).ends_with("at most 65536 tensors, found more"));
}

#[test]
fn duplicate_entry_is_refused() {
    let mut file = zipped(&[("m/data/0", &SIX[..]), ("m/data/1", &SIX)]);
    let at = file.iter().enumerate().rfind(|(_, byte)| **byte == b'1').unwrap().0;
    file[at] = b'0';
    assert_eq!(error_of(&file), "a.pt: archive: expected unique entries, found m/data/0 twice");
}

#[test]
fn bare_pickle_of_torch_before_1_6_is_reported() {
    let old = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.";
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), old).unwrap();
    let error = crate::weights::Weights::open(file.path()).unwrap_err();
    assert!(matches!(error, Error::Weights(WeightsError::BarePickle { .. })), "{error}");
}

proptest! {
    /// Random bytes in data.pkl: an error or tensors, never a panic.
    #[test]
    fn random_pickles_never_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&archive(&pickle(&body)));
    }

    /// The same for random sequences of supported opcodes.
    #[test]
    fn random_programs_never_panic(picks in prop::collection::vec(0usize..22, 0..120)) {
        let words: [&[u8]; 22] = [
            b"N", b"K\x01", b"}", b"]", b")", b"(", b"t", b"u", b"s", b"a", b"e", b"R", b"Q",
            b"b", b"\x81", b"\x85", b"\x87", b"q\x00", b"h\x00", b"X\x01\0\0\0w",
            b"c__torch__\nM\n", b"ctorch._utils\n_rebuild_tensor_v2\n",
        ];
        let body: Vec<u8> = picks.into_iter().flat_map(|pick| words[pick].to_vec()).collect();
        let _ = read(&archive(&pickle(&body)));
    }

    /// An archive with one byte changed: an error or other tensors, never a panic.
    #[test]
    fn changed_byte_never_panics(at in 0..1000usize, value: u8) {
        let mut bytes = archive(&state(&tensor(6, 0, &[2, 3], &[3, 1])));
        let at = at % bytes.len();
        bytes[at] = value;
        let _ = read(&bytes);
    }
}
