//! Hints on the library's errors that name the options of the programs.

use interrogate::Error;
use interrogate::error::{
    CaptionError, DeviceError, HubError, IndexError, ModelError, PictureError, RowsError,
};

/// Returns what to try next after an error of a build: the option to pass, else the
/// error's own hint.
pub fn build_hint(error: &crate::Error) -> Option<String> {
    match error {
        crate::Error::Library(error) => library_hint(error),
        other => other.hint(),
    }
}

/// Returns what to try next: the option to pass, else the error's own hint.
pub fn library_hint(error: &Error) -> Option<String> {
    let hint = match error {
        Error::Mismatch { what: "text cleaning", .. } => {
            "pass --text-cleaning as the index was built with it, or build an index for this one"
        }
        Error::Device(device) => return device_hint(device).or_else(|| error.hint()),
        Error::Hub(HubError::Offline { repo, variable: None }) => {
            return Some(format!("pass --model {repo} to download it"));
        }
        Error::Model(ModelError::Unknown { .. }) => {
            let hint = error.hint().unwrap_or_default();
            return Some(format!("{hint}; `interrogate models` lists the names of open_clip"));
        }
        Error::Model(ModelError::Ambiguous { candidates, .. }) if !candidates.is_empty() => {
            return Some(format!("name one of them, such as {}", candidates[0]));
        }
        Error::Model(ModelError::StarterMissing) => {
            "build from the repository, or pass --model with a checkpoint folder or a hub id"
        }
        Error::Picture(PictureError::Truncated { .. }) => {
            "the file is incomplete; copy or download it again, or pass --allow-truncated"
        }
        Error::Index(IndexError::Missing { .. }) => "build one: build-index -o indexes",
        Error::Index(IndexError::Unfinished { .. }) => {
            "run the same build-index command again; it resumes where it stopped"
        }
        Error::Index(IndexError::Model { .. }) => {
            "name the model and the --text-cleaning that the index was built with, or build an index for this one"
        }
        Error::Index(IndexError::Damaged { .. }) => {
            "build the index again: build-index verifies the rows that it keeps and encodes the rest"
        }
        Error::Caption(CaptionError::MemoryTooSmall { .. }) => {
            "close other programs, pass --caption-precision f16 or q8, or use a smaller model: blip-base needs 1 GiB in f32"
        }
        Error::Caption(CaptionError::Generation { option: "max_new_tokens", .. }) => {
            "lengths count generated tokens: lower --max-length, or shorten the prompt's prefix"
        }
        Error::Caption(CaptionError::Generation { option: "min_new_tokens", .. }) => {
            "lower --min-length or raise --max-length"
        }
        Error::Rows(RowsError::Direction { .. }) => {
            "values of f16 end at 65,504: pass --precision bf16 or f32; if those fail too, download the weights again"
        }
        Error::Caption(CaptionError::Logits { .. }) => {
            "values of f16 end at 65,504: pass --caption-precision bf16 or f32; if those fail too, download the weights again"
        }
        other => return other.hint(),
    };
    Some(hint.to_owned())
}

/// The hint where it names an option.
fn device_hint(error: &DeviceError) -> Option<String> {
    let hint = match error {
        DeviceError::FeatureMissing { feature, .. } => {
            return Some(format!(
                "build with it (cargo build --release --features {feature}; docs/GPU.md says what it needs), or leave --device out"
            ));
        }
        DeviceError::Missing { device, .. } if device == "metal" => {
            "Metal exists on Apple's GPUs only; leave --device out"
        }
        DeviceError::Missing { .. } => {
            "`nvidia-smi -L` lists the GPUs; `nvidia-smi` shows the driver's CUDA version, which must not be older than the build's; or leave --device out"
        }
        DeviceError::CpuOnly { .. } => "pass --device cpu",
        DeviceError::OutOfMemory { .. } => {
            "close other programs on the device (`nvidia-smi` lists them), pass a smaller precision, or pass --device cpu"
        }
        _ => return None,
    };
    Some(hint.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_name_options_and_fall_back_to_the_librarys() {
        let missing = Error::Index(IndexError::Missing { path: "x".into() });
        assert!(library_hint(&missing).unwrap().contains("build-index -o"));
        assert!(!missing.hint().unwrap().contains("--"));
        let feature = DeviceError::FeatureMissing { device: "cuda:1".into(), feature: "cuda" };
        assert!(library_hint(&feature.into()).unwrap().contains("--features cuda"));
        let unknown = Error::from(DeviceError::Unknown { name: "gpu".into() });
        assert_eq!(library_hint(&unknown), unknown.hint());
        let starter = Error::from(ModelError::StarterMissing);
        assert!(library_hint(&starter).unwrap().contains("--model"));
        let only = DeviceError::CpuOnly { what: "q8", device: "cuda:0".into() };
        assert_eq!(library_hint(&only.into()).unwrap(), "pass --device cpu");
        let interrupted = Error::Interrupted;
        assert_eq!(library_hint(&interrupted), None);
    }
}
