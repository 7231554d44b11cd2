//! Writes tests/fixtures/index-v2, a small index in the current format, with the encoder
//! of the tests. Run once for each format; see tests/index/fixture.rs.
//!
//! ```text
//! cargo run -p build-index --example fixture --no-default-features -- FOLDER
//! ```

#[path = "../../../tests/index/fake.rs"]
#[allow(dead_code, reason = "the tests use more of it")]
mod fake;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use build_index::{Builder, Dictionary};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = PathBuf::from(std::env::args_os().nth(1).ok_or("expected a folder")?);
    let flavors = "8k\ncinematic lighting\ncafé\ncaf\u{fffd}\na, b\n";
    let dictionaries = [("flavors.top3.txt", flavors), ("mediums.txt", "oil painting\na photo\n")]
        .map(|(name, text)| Dictionary::parse(Path::new(name), text.as_bytes()));
    let [flavors, mediums] = dictionaries;
    let fake = fake::Fake::new(8);
    let builder = Builder::new(&fake, "fake", "fake-1").shard_rows(3);
    builder.build(&[flavors?, mediums?], &folder, |_| ControlFlow::Continue(()))?;
    std::fs::remove_file(folder.join("build.lock"))?;
    Ok(())
}
