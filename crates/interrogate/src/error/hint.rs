//! What a person can do about an error, in words for a `hint:` line.

use super::Error;

impl Error {
    /// What to try next, one sentence without a full stop; `None` where the
    /// message says it all.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Error::Io { source, .. } => match source.kind() {
                std::io::ErrorKind::NotFound => {
                    "check the spelling; relative paths start at the working folder"
                }
                std::io::ErrorKind::PermissionDenied => {
                    "you lack the permission; choose another folder or change its mode"
                }
                std::io::ErrorKind::StorageFull => {
                    "the disk is full; free some space and run the same command again"
                }
                _ => return None,
            },
            Error::WeightMissing { .. }
            | Error::WeightSurplus { .. }
            | Error::WeightShape { .. } => {
                "config.json and the weights are not of one checkpoint, or it is of another architecture; download the folder again"
            }
            Error::Pickle { .. } => {
                "tensors, dicts and modules are read from an archive and none of its code runs; fetch it again, or save the model's state_dict() with torch.save"
            }
            Error::OpenClipConfig { .. } => {
                "put the model's open_clip_config.json beside it; one of OpenAI's own sizes with quick_gelu needs {\"model_cfg\": {\"quick_gelu\": true}} there"
            }
            Error::TokenizerMissing { .. } => {
                "put tokenizer.json, vocab.json and merges.txt, or bpe_simple_vocab_16e6.txt.gz into its folder"
            }
            Error::Tokenizer { .. } => {
                "download the checkpoint's tokenizer.json, or vocab.json and merges.txt, again"
            }
            Error::Dim { .. } => {
                "use the model that the index was built with, or build the index again"
            }
            // ---- devices ----
            Error::DeviceUnknown { .. } => "a device is cpu, cuda, cuda:N or metal",
            Error::DeviceLeftOut { feature, .. } => {
                return Some(format!(
                    "build it in (cargo build --release --features {feature}; docs/GPU.md has what that needs), or leave --device out"
                ));
            }
            Error::DeviceAbsent { device, .. } if device == "metal" => {
                "metal is for Apple's GPUs alone; leave --device out"
            }
            Error::DeviceAbsent { .. } => {
                "nvidia-smi -L lists the GPUs and nvidia-smi the driver's CUDA version, which must not be older than the build's; or leave --device out"
            }
            Error::DeviceUnserved { .. } => "leave --device out",
            Error::DeviceMemory { .. } => {
                "close what else runs there (nvidia-smi lists it), ask for a smaller precision, or leave --device out"
            }
            // ---- query ----
            Error::QuerySyntax { .. } => {
                "a query is like '2*a.jpg - \"a drawing\"': texts in double quotes, images bare or as image:\"a b.jpg\""
            }
            Error::QueryZero { .. } => "leave a term out, or change a factor",

            // ---- index ----
            Error::IndexMissing { .. } => "build one: build-index dicts -o indexes",
            Error::IndexUnfinished { .. } => {
                "run the same build-index command again; it goes on where it stopped"
            }
            Error::IndexVersion { .. } => {
                "build the index again with this release, or read it with the one that wrote it"
            }
            Error::Mismatch { what: "text cleaning", .. } => {
                "pass --text-cleaning as the index was built with it, or build an index for this one"
            }
            Error::IndexModel { .. } => {
                "name the model and the --text-cleaning that the index was built with, or build an index for this one"
            }
            Error::IndexDamaged { .. } => {
                "build the index again: build-index checks the rows it keeps and encodes the rest"
            }
            Error::TableMissing { tables, .. } => {
                return Some(format!("its tables are {}", tables.join(", ")));
            }

            Error::Pattern { .. } => {
                "a line is a word, or a regular expression between slashes, such as /^by .*ski$/"
            }
            Error::PromptTooLong { .. } => {
                "shorten the prefix and the suffix, or allow more tokens"
            }
            Error::TaskUnknown { tasks, .. } => {
                return Some(format!("a task is {}", tasks.join(", ")));
            }
            Error::ConfigKey { keys, .. } => {
                return Some(format!("its keys are {}, all of them", keys.join(", ")));
            }
            Error::StemTwice { .. } => {
                "rows are told apart by the file's name without its ending: rename one of the two"
            }
            Error::Template { .. } => {
                "fields stand in braces: {caption}, {flavors}; {{ and }} are braces"
            }
            Error::TemplateField { fields, .. } => {
                return Some(format!("its fields are {}", fields.join(", ")));
            }
            Error::FileMissing { .. } => {
                "a checkpoint's folder holds config.json, preprocessor_config.json (or processor_config.json), model.safetensors (or its index and shards), and tokenizer.json (or vocab.json and merges.txt); or open_clip_model.safetensors and open_clip_config.json; download what is missing"
            }
            Error::TokenSequence { .. } => "tokenize with the encoder that embeds",

            Error::Block { .. } | Error::Codes { .. } => {
                "the rows are damaged or of another model; build the index again"
            }
            Error::PictureFormat { .. } => {
                "JPEG, PNG, WebP, GIF, BMP, TIFF, PNM and QOI are read; the content counts, not the file's ending"
            }
            Error::PictureTruncated { .. } => {
                "the file is incomplete; copy or download it again, or pass --allow-truncated"
            }
            Error::PictureTooLarge { .. } => "scale the image down, or leave it out",
            Error::PictureDecode { .. } => {
                "if other programs open the image, save it anew as JPEG or PNG"
            }
            Error::ModelUnknown { aliases, .. } => return Some(models(aliases)),
            Error::StarterLeftOut => "build with the feature starter, or name another model",
            Error::HubAbsent { .. } => {
                "check the spelling of owner/name and of the revision; a private repository needs a token"
            }
            Error::HubDenied { .. } => {
                "check the spelling of owner/name; a private or gated repository needs a token (HF_TOKEN)"
            }
            Error::Hub { .. } | Error::HubStatus { .. } => {
                "check the network and run the same command again, it goes on where it stopped; or name a folder that holds the model"
            }
            Error::HubOffline { variable: Some(name), .. } => {
                return Some(format!("unset {name}, or name a folder that holds the model"));
            }
            Error::HubOffline { repo, .. } => {
                return Some(format!("pass --model {repo} to download it"));
            }
            Error::HubAnswer { .. } => "check the endpoint (HF_ENDPOINT): it is no model hub",
            Error::HubSize { .. } | Error::HubDigest { .. } => {
                "run the same command again; if it stays so, the hub or a proxy changes the file"
            }
            Error::HubWeights { .. } => {
                "name a revision that has safetensors, such as owner/name@refs/pr/1, or convert the weights and name the folder"
            }
            Error::LfsPointer { .. } => {
                "fetch the files themselves: git lfs install, then git lfs pull in the repository's folder"
            }
            // ---- caption ----
            Error::CaptionModel { .. } => {
                "name a folder of BLIP or BLIP-2: blip-base, blip-large, blip2-2.7b or blip2-flan-t5-xl"
            }
            Error::ShardMissing { .. } => "the download is not complete; fetch the folder again",
            Error::Pickled { .. } => {
                "take the checkpoint's safetensors revision, or load it and save it again with torch.save of PyTorch 1.6 or later"
            }
            Error::Vocabulary { .. } => {
                "take tokenizer.json from the folder that the weights are from"
            }
            Error::MemoryTooSmall { .. } => {
                "close other programs, ask for weights of fewer bits (--caption-precision f16 or q8), or take a smaller model: blip-base needs 1 GiB in f32"
            }
            Error::Generation { option, .. } => match *option {
                "num_beams" => "one beam is greedy search, 3 to 6 are usual",
                "max_new_tokens" => {
                    "lengths count generated tokens (--max-length): ask for fewer, or shorten the prompt's prefix"
                }
                "min_new_tokens" => "lower --min-length or raise --max-length",
                "sampling" => "leave out temperature, top-p and seed, or search with one beam",
                _ => "leave the option out for its default",
            },
            Error::Scores { .. } => "load the model in f32, or download its weights again",
            _ => return None,
        };
        Some(hint.to_owned())
    }
}

/// What names a model.
fn models(aliases: &[&str]) -> String {
    format!(
        "a model is starter, a folder or file that exists, a hub id owner/name or owner/name@revision, or one of {}",
        aliases.join(", ")
    )
}
