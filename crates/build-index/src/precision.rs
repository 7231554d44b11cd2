//! Names of precisions as the arguments of both programs.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use interrogate::Precision;

/// Parses the names of `known`, which the help lists.
pub fn parser(known: &[Precision]) -> impl TypedValueParser<Value = Precision> + use<> {
    let names = known.iter().map(|precision| precision.name());
    PossibleValuesParser::new(names).try_map(|name| name.parse::<Precision>())
}
