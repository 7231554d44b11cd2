//! The starter from a folder: equal to the compiled-in one, and from no other files.

use std::fs;

use super::super::tests::{golden, pixels, starter, weights};
use super::super::{MIN_SCORE, Starter};
use super::*;
use crate::encoder::TextEncoder;
use crate::models::{HAS_STARTER, Model, ModelSource, Options};
use crate::nn::Compute;
use crate::sentence::MiniLm;

/// A folder with a copy of the five files, and nothing else.
fn copy() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for file in FILES {
        fs::copy(weights().join(file.name), folder.path().join(file.name)).unwrap();
    }
    folder
}

fn refused<T>(result: Result<T>) -> (String, String) {
    let Err(error) = result else { panic!("it was accepted") };
    assert!(matches!(error, Error::Model(ModelError::StarterFile { .. })), "{error:?}");
    (error.to_string(), error.hint().unwrap())
}

/// A new sum in SHA256SUMS changes the fingerprint, one of the flavors must not.
#[test]
fn checksums_match_the_files_of_the_repository() {
    let mut sums = String::new();
    for name in SUMS.lines().map(|line| line.split_once("  ").unwrap().1) {
        let sum = Digest::of(&fs::read(weights().join(name)).unwrap());
        sums += &format!("{sum}  {name}\n");
    }
    assert_eq!(sums, SUMS);
    let flavors = Digest::of(&fs::read(weights().join(FLAVORS.name)).unwrap());
    assert_eq!(format!("{flavors}  {}", FLAVORS.name), FLAVORS_SUM);
    assert!(FILES.iter().all(|file| file.sum().len() == 64));
}

/// Indexes that were built before have it.
#[test]
fn fingerprint_is_the_same_wherever_the_files_are() {
    let fingerprint = "fbcb77073547dcbb2d3cb21ef7ae40e39c9d77928b647e2abac81c10bb2d6e84";
    assert_eq!(starter().fingerprint(), fingerprint);
    assert_eq!(Starter::open(Some(copy().path())).unwrap().fingerprint(), fingerprint);
}

#[test]
fn compiled_in_files_are_aligned() {
    for bytes in FILES.iter().filter_map(|file| file.embedded) {
        assert_eq!(bytes.as_ptr().align_offset(64), 0);
    }
    assert!(FILES.iter().all(|file| file.embedded.is_some() == HAS_STARTER));
}

#[test]
fn results_from_a_folder_are_those_of_the_compiled_in_files() {
    let folder = copy();
    let found = Starter::open(Some(folder.path())).unwrap();
    let expected = starter();
    let golden = golden();
    let texts: Vec<&str> = golden.texts.iter().take(4).map(|it| it.text.as_str()).collect();
    let embed = |starter: &Starter| starter.text_encoder().unwrap().encode(&texts).unwrap();
    assert_eq!(embed(&found), embed(&expected));
    let sentences = |starter: &Starter| {
        starter.sentences_with(&Compute::default()).unwrap().encode(&texts).unwrap()
    };
    assert_eq!(sentences(&found), sentences(&expected));
    let photo = pixels(&golden.photos[0]);
    let look = |starter: &Starter| starter.image_encoder().unwrap().features(&[&photo]).unwrap();
    let features = look(&expected);
    assert_eq!(look(&found), features);
    let candidates =
        |starter: &Starter| starter.shortlist().unwrap().candidates(&features, MIN_SCORE).unwrap();
    assert_eq!(candidates(&found), candidates(&expected));
    assert!(!candidates(&found).is_empty());
}

#[test]
fn models_open_the_starter_of_the_options() {
    let folder = copy();
    let options = Options { starter: Some(folder.path().to_owned()), ..Options::new("cache") };
    let model = Model::open(ModelSource::Starter, &options, &mut |_| {}).unwrap();
    assert_eq!(model.fingerprint().unwrap(), starter().fingerprint());
    let recorded = Model::open_recorded("starter", &options).unwrap();
    assert_eq!(recorded.text_encoder().unwrap().dim(), 384);
    let name =
        |options: &Options| MiniLm::from_name("starter", &Compute::default(), options, &mut |_| {});
    assert_eq!(name(&options).unwrap().dim(), 384);

    // The given folder is used, also where the files are compiled in.
    fs::remove_file(folder.path().join(CLASSES.name)).unwrap();
    refused(Model::open(ModelSource::Starter, &options, &mut |_| {}));
    refused(name(&options));
    let (message, _) = refused(model.text_encoder());
    assert!(message.ends_with("expected a file of the starter, found none"), "{message}");

    let compiled_in = Model::open(ModelSource::Starter, &Options::new("cache"), &mut |_| {});
    assert_eq!(compiled_in.is_ok(), HAS_STARTER);
    if let Err(error) = compiled_in {
        assert!(matches!(error, Error::Model(ModelError::StarterMissing)), "{error:?}");
        assert!(error.hint().unwrap().contains("Options::starter"));
    }
}

#[test]
fn missing_file_or_folder_is_refused_on_opening() {
    for file in FILES {
        let folder = copy();
        let path = folder.path().join(file.name);
        fs::remove_file(&path).unwrap();
        let (message, hint) = refused(Starter::open(Some(folder.path())));
        let expected = format!("{}: expected a file of the starter, found none", path.display());
        assert_eq!(message, expected);
        assert!(hint.contains("copy the files"), "{hint}");

        fs::create_dir(&path).unwrap();
        let error = Starter::open(Some(folder.path())).unwrap_err().to_string();
        assert_eq!(error, format!("{}: kind: expected a file, found a folder", path.display()));
    }
    refused(Starter::open(Some(Path::new("no such folder"))));
}

/// Loads all that the starter has.
fn load(starter: &Starter) -> Result<()> {
    starter.text_encoder()?;
    starter.image_encoder()?;
    starter.shortlist().map(|_| ())
}

#[test]
fn changed_truncated_and_extended_files_are_refused() {
    let folder = copy();
    let starter = Starter::open(Some(folder.path())).unwrap();
    for file in FILES {
        let path = folder.path().join(file.name);
        let whole = fs::read(&path).unwrap();
        let mut flipped = whole.clone();
        flipped[whole.len() / 2] ^= 1;
        let longer = [&whole[..], &[0]].concat();
        for bytes in [&flipped[..], &whole[..whole.len() - 1], &longer, &[]] {
            fs::write(&path, bytes).unwrap();
            let (message, _) = refused(load(&starter));
            let (sum, found) = (file.sum(), Digest::of(bytes));
            let (path, size) = (path.display(), bytes.len());
            let expected =
                format!("{path}: expected SHA-256 {sum}, found SHA-256 {found} of {size} bytes");
            assert_eq!(message, expected);
        }
        fs::write(&path, whole).unwrap();
    }
    load(&starter).unwrap();
}

/// Refused before the first byte is read: a sparse file takes no space.
#[test]
fn file_beyond_the_limit_is_refused() {
    let folder = copy();
    let starter = Starter::open(Some(folder.path())).unwrap();
    for file in FILES {
        let path = folder.path().join(file.name);
        let whole = fs::read(&path).unwrap();
        fs::File::create(&path).unwrap().set_len(1 << 40).unwrap();
        let (message, _) = refused(load(&starter));
        assert!(message.ends_with("expected at most 67108864 bytes, found 1099511627776"));
        fs::write(&path, whole).unwrap();
    }
}
