//! Writes the indexes of the format as it is now that are committed in tests/fixtures,
//! from the encoder that the tests use. Run once for a format; see
//! tests/index/fixture.rs and tests/index/golden.rs.
//!
//! ```text
//! cargo run -p build-index --example fixture --no-default-features -- FOLDER         index-v2
//! cargo run -p build-index --example fixture --no-default-features -- FOLDER wide    index-v2-wide
//! ```

#[path = "../../../tests/index/fake.rs"]
#[allow(dead_code, reason = "the tests use more of it")]
mod fake;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use build_index::{Builder, Dictionary};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = PathBuf::from(std::env::args_os().nth(1).ok_or("expected a folder")?);
    let wide = std::env::args().nth(2).is_some_and(|typed| typed == "wide");
    let (dim, shard_rows, flavors, mediums) = match wide {
        false => {
            let flavors = "8k\ncinematic lighting\ncafé\ncaf\u{fffd}\na, b\n";
            (8, 3, flavors.to_owned(), "oil painting\na photo\n".to_owned())
        }
        true => {
            let numbered = |from: usize, to: usize| -> String {
                (from..to).map(|n| format!("label {n}\n")).collect()
            };
            (40, 64, numbered(0, 150), numbered(140, 170))
        }
    };
    let [flavors, mediums] = [("flavors.top3.txt", flavors), ("mediums.txt", mediums)]
        .map(|(name, text)| Dictionary::parse(Path::new(name), text.as_bytes()));
    let fake = fake::Fake::new(dim);
    let builder = Builder::new(&fake, "fake", "fake-1").shard_rows(shard_rows);
    builder.build(&[flavors?, mediums?], &folder, |_| ControlFlow::Continue(()))?;
    std::fs::remove_file(folder.join("build.lock"))?;
    Ok(())
}
