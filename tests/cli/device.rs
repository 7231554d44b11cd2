//! Devices that a build has not are refused before anything is done.

use super::run::{Folder, repository};

/// Tests are built without the features, but by `.ci/cuda-check`, whose machine has no
/// device.
fn refusal(device: &str) -> String {
    let built = match device.starts_with("cuda") {
        true => cfg!(feature = "cuda"),
        false => cfg!(feature = "metal"),
    };
    match built {
        true => format!("error: this machine has no {device}, or its driver refuses it\n"),
        false => {
            let feature = device.split(':').next().unwrap();
            format!("error: {device} was asked for and this build has no {feature}\n")
        }
    }
}

#[test]
fn every_command_reports_a_missing_device() {
    let folder = Folder::new();
    let clip = repository().join("tests/fixtures/clip/quick");
    let blip = repository().join("tests/fixtures/caption/blip2-opt");
    let (clip, blip) = (clip.to_str().unwrap(), blip.to_str().unwrap());
    folder.write("prompts.txt", "a cat\n");
    for args in [
        &["prompt", "photos", "--model", clip][..],
        &["prompt", "photos", "--caption-model", blip],
        &["rank", "photos", "--model", clip],
        &["rank", "--query", "\"a cat\""],
        &["similarity", "photos/cat.jpg", "a cat", "--model", clip],
        &["embed", "images", "photos", "--model", clip],
        &["embed", "texts", "a cat"],
        &["embed", "prompts", "prompts.txt"],
        &["caption", "photos", "--caption-model", blip],
    ] {
        for device in ["cuda:1", "metal"] {
            let ran = folder.run(&[args, &["--device", device]].concat()).expect(2);
            assert_eq!(ran.out(), "", "{args:?}");
            assert!(ran.err().contains(&refusal(device)), "{args:?}: {}", ran.err());
            assert!(ran.err().contains("\nhint: "), "{args:?}: {}", ran.err());
        }
    }
    // Nothing was built on the way.
    assert!(!folder.path("indexes").exists());
}

#[test]
fn execute_reports_a_missing_device() {
    let folder = Folder::new();
    folder.write("config.json", "{\"clip_model\": \"starter\", \"dicts\": \"dicts\"}");
    folder.write("data/images/a.jpg", "");
    let args = ["execute", "--model", "clip-interrogator", "--data-path", "data"];
    let more = ["--extend-path", "config.json", "--device", "cuda:1"];
    let ran = folder.run(&[&args[..], &more].concat()).expect(2);
    assert!(ran.err().contains(&refusal("cuda:1")), "{}", ran.err());
}

#[test]
fn unknown_device_name_is_a_usage_error() {
    let folder = Folder::new();
    let ran = folder.run(&["rank", "photos", "--device", "gpu"]).expect(2);
    assert!(ran.err().contains("no device is called \"gpu\""), "{}", ran.err());
}

#[test]
fn cpu_is_the_default_device() {
    let folder = Folder::new();
    let plain = folder.run(&["rank", "photos/cat.jpg", "-k", "2"]).expect(0);
    let said = folder.run(&["rank", "photos/cat.jpg", "-k", "2", "--device", "cpu"]).expect(0);
    assert_eq!(plain.out(), said.out());
    assert!(
        folder.run(&["doctor"]).expect(0).out().contains("devices: this build computes on cpu")
    );
}
