//! `interrogate caption`: a sentence an image.

use serde::Serialize;

use crate::args::{self, Format};
use crate::captions::Captions;
use crate::fault::{Fault, Outcome};
use crate::talk::Talk;
use crate::{batch, images};

/// One answer as a JSON object.
#[derive(Serialize)]
struct Row<'a> {
    image: &'a str,
    caption: &'a str,
    /// What was generated, the token that ends the caption included.
    tokens: &'a [u32],
}

/// Prints a caption for each image.
pub(crate) fn run(args: &args::Caption, talk: &Talk) -> Result<Outcome, Fault> {
    let images = images::collect(&args.images.paths)?;
    let captions = Captions::open(&args.caption_model, &args.search, talk)?;
    let format = args.format.or(Format::Text);
    let look = |paths: &[_]| batch::look(paths, |pictures| captions.of(pictures));
    let at_once = args.images.batch_size;
    let outcome = super::each_image(&images, at_once, format, talk, look, |output, seen| {
        for (name, caption) in &seen {
            let (image, caption, tokens) = (name.as_str(), &*caption.text, &*caption.tokens);
            match format {
                Format::Jsonl => output.json(&Row { image, caption, tokens })?,
                Format::Text if images.len() == 1 => output.line(caption)?,
                Format::Text => output.line(format_args!("{image}: {caption}"))?,
            }
        }
        Ok(())
    })?;
    captions.finish(talk);
    Ok(outcome)
}
