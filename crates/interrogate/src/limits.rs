//! Limits on everything that is read: the policy in one place.
//!
//! Every reader in this workspace compares sizes with these limits before it allocates, so that
//! a file costs at most what its own size or a limit here allows. SECURITY.md states them for
//! users. This module owns the numbers; the comparison and its error are the reader's.

// ---- files ----

/// Bytes of a model file that is read into memory: a tokenizer or a vocabulary. The largest
/// tokenizers have 35 MB (Gemma's, of SigLIP 2) and about 60 (XLM-V's, of MetaCLIP 2).
pub const SMALL_FILE: u64 = 128 << 20;

/// Bytes of a file of the starter, in a folder. The largest has 45 MB.
pub const STARTER_FILE: u64 = 64 << 20;

/// Bytes of a list of lines: labels, paths, prompts.
pub const LIST: u64 = 4 << 30;

/// Bytes of a line of a list (a label, a path, a prompt), and of a text that is tokenized. CLIP
/// uses about 300 bytes of it, and Linux allows paths of 4,096; tokenizers need a hundred times
/// the length of a text.
pub const LINE: usize = 64 << 10;

/// Bytes of a JSON line or CSV record that contains a prompt among other fields.
pub const RECORD: usize = 16 << 20;

/// Bytes of a deny list: more than a million words.
pub const DENY_LIST: u64 = 16 << 20;

/// Bytes of a word or pattern of a deny list. Checking a label may cost its length times that of
/// the longest word.
pub const DENY_LINE: usize = 1 << 10;

/// Regular expressions of a deny list. Each is tried on every label.
pub const PATTERNS: usize = 1_000;

/// Bytes of all compiled regular expressions of a deny list together.
pub const PATTERNS_SUM: usize = 32 << 20;

/// Bytes read from a device or a terminal.
pub const TERMINAL: u64 = 16 << 20;

/// Bytes of a file with a token for the hub: tokens have about 40.
pub const TOKEN: u64 = 64 << 10;

/// Bytes of a model's configuration (config.json, preprocessor_config.json,
/// open_clip_config.json), which has some thousand. Parsed values may take 64 times the text.
pub const CONFIG: u64 = 1 << 20;

/// Bytes of an index of weight shards. A model of 70 billion weights has 70,000; each entry
/// takes about 100 in memory and at least 8 in the file.
pub const SHARD_INDEX: u64 = 4 << 20;

/// Bytes of the footer of a Parquet file with images, which is read into memory: ten thousand row
/// groups of twenty columns take about 40 MB.
pub const PARQUET_FOOTER: u64 = 64 << 20;

/// Bytes of a text that passes through a shard beside an image: a .json or .txt of a WebDataset, a
/// column of a Parquet file. Most have less than 2,000.
pub const PASSED_TEXT: u64 = 1 << 20;

// ---- indexes and builds ----

/// Bytes of a table's label file, which is read into memory at its first use: 4 GiB of text, the
/// most that 32-bit ends can address, and 1 GiB of ends, 4 bytes per label.
pub const LABEL_FILE: u64 = 5 << 30;

/// Bytes of a lock file: its owner, and the options of a run.
pub const LOCK: u64 = 1 << 20;

/// Bytes of one record of a build's journal, which is read into memory: 2,048 rows of the widest
/// model that the format allows (65,536 values of 2 bytes), and as much again for their labels.
/// The largest CLIP takes 5 MB.
pub const JOURNAL_RECORD: u64 = 512 << 20;

/// Parts of a build. The journals of all parts are mapped at the same time.
pub const PARTS: usize = 1 << 12;

// ---- downloads ----

/// Bytes of a weight file from the hub whose SHA-256 the hub states. Shards have 5 to 10 GB, the
/// largest single files of supported models about 20.
pub const DOWNLOAD: u64 = 64 << 30;

/// Bytes of a weight file whose SHA-256 the hub does not state, so that the download cannot be
/// verified: as large as the models that mirrors serve.
pub const DOWNLOAD_UNVERIFIED: u64 = 16 << 30;

/// Bytes of an image that is downloaded to memory. Several threads download at a time, and each
/// reserves this much of [`DECODING`] in advance, since a server's own figure may be false.
pub const IMAGE_DOWNLOAD: u64 = 64 << 20;

/// The longest wait in seconds that a hub may request (`Retry-After`); the next try comes after
/// this time at most.
pub const RETRY_AFTER: u64 = 120;

// ---- texts ----

/// Rounds of repair of a line before CLIP's tokenizer (ftfy's rules undo one level of nested
/// mojibake or character references per round). Text has one or two levels, and each round costs
/// the length of the line.
pub const CLEANING_ROUNDS: usize = 64;

// ---- pictures ----

/// Pixels of an image: the number at which Pillow's guard against decompression bombs raises its
/// error (twice `Image.MAX_IMAGE_PIXELS`).
pub const PICTURE_PIXELS: u64 = 178_956_970;

/// Bytes of an image file, and bytes that its decoder may allocate: 1 GiB, enough for
/// [`PICTURE_PIXELS`] of RGBA.
pub const PICTURE_BYTES: u64 = 1 << 30;

/// Bytes of an image's metadata that are passed to a decoder, and of EXIF that are read: 1 MiB.
/// Anything beyond is removed before decoding; nothing is ever decompressed.
pub const METADATA: usize = 1 << 20;

/// Weights of a resize in memory at once: 512 kB, which fits the second-level cache. A filter as
/// wide as its image is computed in parts of this size.
pub const RESIZE_WEIGHTS: usize = 128 << 10;

/// Pixels of the longest side that is resized in torchvision's arithmetic, whose table of
/// weights grows with the side: at most 16 MB. Longer sides are resized in Pillow's.
pub const TORCHVISION_SIDE: u32 = 1 << 18;

/// Bytes of all images being read, decoded and preprocessed at the same time, on all threads:
/// about 25 photos of 12 megapixels, whose pixels count twice (as decoded, and as RGB). An image
/// that needs more is decoded alone.
pub const DECODING: u64 = 2 << 30;

// ---- checkpoints ----

/// Bytes of the header of a safetensors file of weights.
pub const WEIGHTS_HEADER: usize = 4 << 20;

/// Bytes of the directory of a PyTorch archive.
pub const ARCHIVE_DIRECTORY: usize = 4 << 20;

/// Bytes of the pickle of a PyTorch archive.
pub const PICKLE: usize = 4 << 20;

/// How many times the size of a PyTorch archive its tensors may have together. They may be views
/// of one storage, so a small file could declare any number of large tensors. A tied table has
/// two to four names (T5 has `shared`, `encoder.embed_tokens`, `decoder.embed_tokens`,
/// `lm_head`).
pub const SHARED_STORAGE: usize = 4;

/// Layers of a tower or of a language model. The largest supported models have 48.
pub const LAYERS: usize = 256;

/// Values of a hidden state, and of all heads together. T5-11B's heads have 16,384.
pub const WIDTH: usize = 1 << 14;

/// How many times the outer width an inner layer may have. Most have 4, the largest 4.9.
pub const INNER: usize = 16;

/// [`INNER`] for T5, whose 11B model has 64.
pub const INNER_T5: usize = 64;

/// Rows of a token embedding table. The largest have about 260,000.
pub const VOCABULARY: usize = 1 << 20;

/// Positions of a text tower or of a language model. OPT has 2,048.
pub const POSITIONS: usize = 1 << 14;

/// Pixels of a side of an image tower's input: 384 to 448 in the largest.
pub const IMAGE_SIDE: usize = 1 << 10;

/// Pixels of a side of an overlapping patch of an image tower. Florence-2 has 7.
pub const PATCH: usize = 1 << 5;

/// Values of a feature map of an image tower, pixels times channels. Florence-2 large has 9.4
/// million.
pub const FEATURE_MAP: usize = 1 << 24;

/// Queries of a Q-Former. BLIP-2 has 32.
pub const QUERIES: usize = 1 << 10;

/// Scores of one attention over an image or text, heads times queries times keys: 128 MiB of
/// them. ViT-L at 336 pixels has 5.3 million, the tagger with EVA-02-L at 448 pixels 16.8 million.
pub const ATTENTION_SCORES: usize = 1 << 25;

/// Buckets of T5's relative positions. There are 32.
pub const BUCKETS: usize = 1 << 12;

// ---- tokenizers ----

/// Entries of a tokenizer's vocabulary, or as many as its model has embeddings, which take more
/// memory. CLIP, OPT, T5 and BERT have 30,000 to 50,000, SigLIP 2 256,000, MetaCLIP 2 901,629; each
/// takes about 200 bytes.
pub const TOKENS: usize = 1 << 17;

/// Merges of a byte-pair tokenizer, or [`MERGES_PER_TOKEN`] for each embedding of its model.
pub const MERGES: usize = 1 << 18;

/// Merges for each embedding of a model. Gemma's tokenizer has 2.3.
pub const MERGES_PER_TOKEN: usize = 4;

/// Bytes of all entries of a vocabulary together, or [`TOKEN_TEXT`] for each embedding of its
/// model. CLIP's have about 400,000.
pub const TOKENS_TEXT: usize = 4 << 20;

/// Bytes of all entries of a Unigram model, which builds a tree with up to 300 bytes per byte, or
/// [`TOKEN_TEXT`] for each embedding of its model. T5's have 240,000.
pub const PIECES_TEXT: usize = 512 << 10;

/// Bytes of an entry of a vocabulary on average, where the limit follows from the number of
/// embeddings. Multilingual vocabularies have about 10.
pub const TOKEN_TEXT: usize = 24;

/// Tokens added to a vocabulary. T5 has 103.
pub const ADDED_TOKENS: usize = 1 << 11;

/// Bytes of an added token.
pub const ADDED_TOKEN: usize = 256;

/// Bytes of each rule of a tokenizer (normalizer, pre-tokenizer, post-processor, decoder) as
/// JSON. T5's table of characters has 320,000.
pub const TOKENIZER_RULE: usize = 1 << 20;

/// Parts of each of these rules.
pub const TOKENIZER_PARTS: usize = 16;

/// Bytes of a regular expression in these rules. CLIP's has 107.
pub const TOKENIZER_PATTERN: usize = 1 << 10;

/// How many times its length a text may have after the normalizer. T5's is the largest: NFKC
/// makes 33 bytes of one character, and its spaces become three bytes.
pub const TOKENIZER_GROWTH: usize = 160;

// ---- archives of images ----

/// Bytes of a long name, or of the extended attributes, of a member of a tar archive: 1 MiB, as
/// libarchive allows. Systems open paths of up to 4 KiB.
pub const MEMBER_HEADER: u64 = 1 << 20;

/// Bytes of zeros skipped between the members of a tar archive before they count as its end.
/// Writers pad the end to a record, 10 KiB by default.
pub const ARCHIVE_ZEROS: u64 = 1 << 20;

// ---- result files ----

/// Bytes of one result as a JSON line, in a file that is resumed: thirty times a ranking of all
/// labels that this project ships.
pub const ANSWER_LINE: usize = 256 << 20;

/// Bytes of an image's name in a result file: the longest name of an archive member, each byte
/// written as U+FFFD and two digits.
pub const ANSWER_NAME: usize = 8 << 20;

/// Bytes of zeros truncated from the end of a result file. After a power loss they stand for
/// data that the system had not written yet, which it does within half a minute.
pub const ANSWER_ZEROS: u64 = 1 << 30;

// ---- requests to the server ----

/// Bytes of the body of a request. A photo of twelve megapixels has about 5 MB.
pub const REQUEST_BODY: usize = 20 << 20;

/// Bytes of the bodies of all requests that are being read or parsed.
pub const REQUEST_BODIES: usize = 256 << 20;

/// Images of a request.
pub const REQUEST_IMAGES: usize = 64;

/// Bytes of the name of an image of a request: Linux allows paths of 4,096.
pub const IMAGE_NAME: usize = 4 << 10;

/// Connections to the server.
pub const CONNECTIONS: usize = 1024;
