use crate::run::{Folder, repository};

fn values(row: &serde_json::Value) -> Vec<f64> {
    row["features"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[test]
fn images_and_texts_share_a_space() {
    let folder = Folder::new();
    let images = folder.run(&["embed", "images", "photos"]).expect(0).rows();
    let texts = folder.run(&["embed", "texts", "cat photo", "missile launch"]).expect(0).rows();
    assert_eq!((images.len(), texts.len()), (3, 2));
    assert_eq!(
        (&images[0]["image"], &texts[1]["text"]),
        (&"photos/cat.jpg".into(), &"missile launch".into())
    );
    let (cat, texts) = (values(&images[0]), texts.iter().map(values).collect::<Vec<_>>());
    assert_eq!(cat.len(), 384);
    for row in [&cat, &texts[0], &texts[1]] {
        assert!((dot(row, row) - 1.0).abs() < 1e-5);
    }
    assert!(dot(&cat, &texts[0]) > dot(&cat, &texts[1]) + 0.2);
}

#[test]
fn features_do_not_depend_on_the_batch() {
    let folder = Folder::new();
    let together = folder.run(&["embed", "images", "photos"]).expect(0).rows();
    let alone = folder.run(&["embed", "images", "photos", "--batch-size", "1"]).expect(0).rows();
    for (a, b) in together.iter().zip(&alone) {
        for (a, b) in values(a).iter().zip(values(b)) {
            assert!((a - b).abs() < 1e-5);
        }
    }
}

#[test]
fn text_rows_are_tab_separated() {
    let output = Folder::new().run(&["embed", "texts", "a cat", "--format", "text"]).expect(0);
    assert_eq!(output.stdout().trim_end().split('\t').count(), 1 + 384);
    assert!(output.stdout().starts_with("a cat\t"));
}

#[test]
fn bf16_features_are_close_to_f32() {
    let folder = Folder::new();
    let model = repository().join("tests/fixtures/clip/quick");
    let embed = |precision| {
        let model = model.to_str().unwrap();
        let args = ["embed", "images", "photos", "--model", model, "--precision", precision];
        folder.run(&args).expect(0).rows()
    };
    for (f32, bf16) in embed("f32").iter().zip(&embed("bf16")) {
        let (f32, bf16) = (values(f32), values(bf16));
        assert_ne!(f32, bf16);
        assert!(dot(&f32, &bf16) > 0.9995);
    }
}
