//! Devices that the build does not support are reported before any work.

use super::run::{Folder, repository};

/// The expected error. Tests are built without the device features, except by
/// `.ci/cuda-check`, whose machine has no device.
fn device_error(device: &str) -> String {
    let cuda = device.starts_with("cuda");
    let built = cuda && cfg!(feature = "cuda") || !cuda && cfg!(feature = "metal");
    if built {
        format!("error: this machine has no {device}, or its driver refuses it\n")
    } else {
        let feature = device.split(':').next().unwrap();
        format!("error: {device} needs a build with the `{feature}` feature\n")
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
            let output = folder.run(&[args, &["--device", device]].concat()).expect(2);
            assert_eq!(output.stdout(), "", "{args:?}");
            assert!(
                output.stderr().contains(&device_error(device)),
                "{args:?}: {}",
                output.stderr()
            );
            assert!(output.stderr().contains("\nhint: "), "{args:?}: {}", output.stderr());
        }
    }
    // No index was built.
    assert_eq!(std::fs::read_dir(folder.path("indexes")).unwrap().count(), 0);
}

#[test]
fn execute_reports_a_missing_device() {
    let folder = Folder::new();
    folder.write("config.json", "{\"clip_model\": \"starter\", \"dicts\": \"dicts\"}");
    folder.write("data/images/a.jpg", "");
    let args = ["execute", "--model", "clip-interrogator", "--data-path", "data"];
    let more = ["--extend-path", "config.json", "--device", "cuda:1"];
    let output = folder.run(&[&args[..], &more].concat()).expect(2);
    assert!(output.stderr().contains(&device_error("cuda:1")), "{}", output.stderr());
}

#[test]
fn unknown_device_name_is_a_usage_error() {
    let folder = Folder::new();
    let output = folder.run(&["rank", "photos", "--device", "gpu"]).expect(2);
    assert!(output.stderr().contains("no device is called \"gpu\""), "{}", output.stderr());
}

#[test]
fn cpu_is_the_default_device() {
    let folder = Folder::new();
    let default = folder.run(&["rank", "photos/cat.jpg", "-k", "2"]).expect(0);
    let explicit = folder.run(&["rank", "photos/cat.jpg", "-k", "2", "--device", "cpu"]).expect(0);
    assert_eq!(default.stdout(), explicit.stdout());
    assert!(
        folder.run(&["doctor"]).expect(0).stdout().contains("devices: this build computes on cpu")
    );
}
