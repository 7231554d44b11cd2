//! `interrogate doctor`: checks models, indexes, dictionaries and the machine.

use crate::args::{Doctor, Format};
use crate::doctor::{self, State};
use crate::error::CliError;
use crate::outcome::Outcome;
use crate::output::Stdout;

/// Prints one line for each finding, and its hint.
pub(crate) fn run(args: &Doctor) -> Result<Outcome, CliError> {
    let format = args.format.or(Format::Text);
    let mut output = Stdout::new();
    let mut section = "";
    for found in doctor::check(args.dicts.as_slice()) {
        if format == Format::Jsonl {
            output.json(&found)?;
            continue;
        }
        if section != found.kind {
            section = found.kind;
            output.line(section)?;
        }
        let state = match found.state {
            State::Ready => "",
            State::Missing => "missing: ",
            State::Broken => "broken: ",
        };
        output.line(format_args!("  {}: {state}{}", found.name, found.detail))?;
        if let Some(hint) = &found.hint {
            output.line(format_args!("    hint: {hint}"))?;
        }
    }
    Ok(Outcome::default())
}
