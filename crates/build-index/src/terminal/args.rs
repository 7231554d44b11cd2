//! Arguments of both programs.

use std::io::{self, Write};

use clap::Parser;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use interrogate::Precision;

use super::{escape, version};

/// Parses the arguments of the process, or [exits](exit).
pub fn parse<A: Parser>() -> A {
    let mut command = version::with_long_version(A::command());
    let matches = command.try_get_matches_from_mut(std::env::args_os());
    matches
        .and_then(|matches| A::from_arg_matches(&matches))
        .unwrap_or_else(|error| exit(&error.format(&mut command)))
}

/// Prints help, the version or what is wrong with the arguments, with control characters
/// escaped, and exits.
pub fn exit(error: &clap::Error) -> ! {
    let message = error.to_string();
    let escaped = escape::text(&message);
    if escaped == message {
        error.exit(); // in color where the terminal has it
    }
    let _ = write!(io::stderr(), "{escaped}");
    #[expect(clippy::exit, reason = "no work has started")]
    std::process::exit(error.exit_code())
}

/// Returns a parser of the names of `known`, which the help lists.
pub fn precision(known: &[Precision]) -> impl TypedValueParser<Value = Precision> + use<> {
    let names = known.iter().map(|precision| precision.name());
    PossibleValuesParser::new(names).try_map(|name| name.parse::<Precision>())
}
