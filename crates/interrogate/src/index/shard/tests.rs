use proptest::prelude::*;
use zerocopy::IntoBytes;

use super::*;

/// A file with this header, padded as by the builder, and `data`.
fn file(header: &str, data: &[u8]) -> Vec<u8> {
    let length = (8 + header.len()).next_multiple_of(64) - 8;
    let mut bytes = (length as u64).to_le_bytes().to_vec();
    bytes.extend(format!("{header:length$}").as_bytes());
    bytes.extend(data);
    bytes
}

fn small() -> Vec<u8> {
    let data: Vec<u8> = [1.0f32, 0.0, 0.0, -1.0, 0.6, 0.8]
        .iter()
        .flat_map(|v| f16::from_f32(*v).to_le_bytes())
        .collect();
    file(r#"{"embeds":{"dtype":"F16","shape":[3,2],"data_offsets":[0,12]}}"#, &data)
}

/// Bytes aligned to eight, as in a memory map; a `Vec<u8>` has no alignment.
#[derive(Debug)]
struct Aligned {
    words: Vec<u64>,
    len: usize,
}

impl Aligned {
    fn new(bytes: &[u8]) -> Self {
        let mut words = vec![0u64; bytes.len().div_ceil(8)];
        words.as_mut_bytes()[..bytes.len()].copy_from_slice(bytes);
        Aligned { words, len: bytes.len() }
    }
}

impl AsRef<[u8]> for Aligned {
    fn as_ref(&self) -> &[u8] {
        &self.words.as_bytes()[..self.len]
    }
}

fn open(bytes: &[u8]) -> Result<Shard<Aligned>> {
    Shard::open(Path::new("s"), Aligned::new(bytes))
}

fn refusal(header: &str, data: usize) -> String {
    open(&file(header, &vec![0; data])).unwrap_err().to_string()
}

#[test]
fn rows_are_read_in_place() {
    let bytes = Aligned::new(&small());
    let shard = Shard::open(Path::new("s"), bytes.as_ref()).unwrap();
    assert_eq!((shard.len(), shard.dim()), (3, 2));
    assert_eq!(shard.rows()[3], f16::NEG_ONE);
    let start = shard.rows().as_ptr() as usize - bytes.words.as_ptr() as usize;
    assert_eq!(start % 64, 0);
}

#[test]
fn a_prefix_of_any_length_opens_the_same_shard() {
    let whole = small();
    let path = Path::new("s");
    for read in (0..=whole.len()).step_by(4) {
        let shard = Shard::open_with_prefix(path, &whole[..read], Aligned::new(&whole)).unwrap();
        assert_eq!(shard.rows(), open(&whole).unwrap().rows(), "{read} bytes");
        // The file was truncated in between.
        for cut in (0..whole.len()).step_by(5) {
            let error = Shard::open_with_prefix(path, &whole[..read], &whole[..cut]).unwrap_err();
            assert!(error.to_string().starts_with("damaged index: s: "), "{read}, {cut}: {error}");
        }
    }
}

#[test]
fn a_file_of_the_safetensors_crate_opens() {
    use safetensors::tensor::TensorView;
    let data = [0u8; 48];
    let view = |dtype, shape: &[usize], bytes: usize| {
        TensorView::new(dtype, shape.to_vec(), &data[..bytes]).unwrap()
    };
    let tensors = [
        ("embeds", view(Dtype::F16, &[3, 4], 24)),
        ("codes", view(Dtype::I8, &[3, 4], 12)),
        ("scales", view(Dtype::F32, &[3], 12)),
        ("slack", view(Dtype::F32, &[3], 12)),
        ("mean", view(Dtype::F32, &[4], 16)),
    ];
    let bytes = safetensors::serialize(tensors, None).unwrap();
    let shard = open(&bytes).unwrap();
    assert_eq!((shard.len(), shard.dim(), shard.rows().len()), (3, 4, 12));
}

#[test]
fn truncation_at_any_offset_is_refused() {
    let whole = small();
    for cut in 0..whole.len() {
        let error = open(&whole[..cut]).unwrap_err().to_string();
        assert!(error.starts_with("damaged index: s: "), "cut at {cut}: {error}");
    }
    let longer = [&whole[..], &[0]].concat();
    assert_eq!(
        open(&longer).unwrap_err().to_string(),
        "damaged index: s: size: expected 12 bytes, found 13"
    );
}

#[test]
fn a_flipped_header_bit_gives_an_error_or_the_same_shape() {
    let whole = small();
    for at in 0..whole.len() - 12 {
        for bit in 0..8 {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << bit;
            if let Ok(shard) = open(&bytes) {
                assert_eq!((shard.len(), shard.dim()), (3, 2), "bit {bit} of byte {at}");
                assert_eq!(shard.rows().len(), 6);
            }
        }
    }
}

#[test]
fn an_unknown_tensor_is_refused_by_name() {
    let error = refusal(
        r#"{"embeds":{"dtype":"F16","shape":[1,1],"data_offsets":[0,2]},"extra":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}}"#,
        3,
    );
    assert!(error.contains("unknown field `extra`"), "{error}");
}

#[test]
fn a_repeated_tensor_is_refused() {
    let one = r#""embeds":{"dtype":"F16","shape":[1,1],"data_offsets":[0,2]}"#;
    let error = refusal(&format!("{{{one},{one}}}"), 2);
    assert!(error.contains("duplicate field `embeds`"), "{error}");
}

#[test]
fn a_wrong_type_or_shape_is_refused() {
    let error = refusal(r#"{"embeds":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}}"#, 8);
    assert_eq!(
        error,
        "damaged index: s: tensor: expected embeds F16 [1, 2], found embeds F32 [1, 2]"
    );
    let error = refusal(r#"{"embeds":{"dtype":"F16","shape":[4],"data_offsets":[0,8]}}"#, 8);
    assert_eq!(error, "damaged index: s: shape of embeds: expected (rows, dim), found [4]");
    let error = refusal(
        r#"{"embeds":{"dtype":"F16","shape":[2,1],"data_offsets":[0,4]},"scales":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#,
        8,
    );
    assert!(error.ends_with("expected scales F32 [2], found scales F32 [1]"), "{error}");
}

#[test]
fn offsets_with_a_gap_an_overlap_or_an_overflow_are_refused() {
    let max = usize::MAX;
    for (shape, from, to) in [
        ("[1,2]".to_owned(), 4, 8),
        ("[1,2]".to_owned(), 0, 8),
        (format!("[{max},2]"), 0, 4),
        (format!("[{},2]", max / 4), 0, max),
        ("[1,2]".to_owned(), max, 3),
        ("[0,0]".to_owned(), max, max),
    ] {
        let header = format!(
            r#"{{"embeds":{{"dtype":"F16","shape":{shape},"data_offsets":[{from},{to}]}}}}"#
        );
        let error = refusal(&header, 8);
        assert!(error.starts_with("damaged index: s: "), "{error}");
    }
}

#[test]
fn a_header_above_the_limit_is_refused_by_its_length() {
    let mut bytes = small();
    bytes[..8].copy_from_slice(&100_000_000u64.to_le_bytes());
    assert!(open(&bytes).unwrap_err().to_string().contains("header: expected at most 65536 bytes"));
    bytes[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    assert!(open(&bytes).is_err());
}

#[test]
fn rows_at_an_odd_address_are_refused() {
    let bytes = small();
    let mut odd = vec![0u64; bytes.len() / 8 + 2]; // aligned, so that offset 1 is odd
    let odd = odd.as_mut_bytes();
    odd[1..=bytes.len()].copy_from_slice(&bytes);
    let error = Shard::open(Path::new("s"), &odd[1..=bytes.len()]).unwrap_err().to_string();
    assert_eq!(error, "damaged index: s: rows: expected at an even address, found an odd one");
}

proptest! {
    #[test]
    fn random_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(open(&bytes).is_err());
    }
}
