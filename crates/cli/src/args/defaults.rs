//! The defaults of options that the configuration names.
//!
//! They are defaults to the parser, too: an option on the command line replaces them, and a
//! results file records them.

use clap::builder::ArgPredicate;

use clap::{Arg, Command};

use crate::config::Config;

/// The commands with `--model`, as paths of subcommands.
const WITH_MODEL: &[&[&str]] = &[
    &["prompt"],
    &["rank"],
    &["analyze"],
    &["similarity"],
    &["embed", "images"],
    &["embed", "texts"],
    #[cfg(feature = "serve")]
    &["serve"],
];

/// The commands with `--caption-model`.
const WITH_CAPTION_MODEL: &[&str] = &[
    "prompt",
    "caption",
    #[cfg(feature = "serve")]
    "serve",
];

/// The options that need a caption model.
const OF_CAPTION_MODEL: [&str; 14] = [
    "caption_task",
    "num_beams",
    "max_length",
    "min_length",
    "caption_precision",
    "caption_prefix",
    "length_penalty",
    "early_stopping",
    "repetition_penalty",
    "no_repeat_ngram_size",
    "temperature",
    "top_p",
    "seed",
    "two_pass",
];

/// Sets the defaults of `command`. An index that is named decides on the model; a prompt has
/// no caption of a model where it has another, none or no use for one.
pub(crate) fn with_defaults(mut command: Command, config: &'static Config) -> Command {
    if let Some(model) = &config.model {
        for &path in WITH_MODEL {
            command = at(command, path, &|sub| {
                let has_index = sub.get_arguments().any(|arg| arg.get_id() == "index");
                let unless: &[_] = if has_index { &[("index", None)] } else { &[] };
                sub.mut_arg("model", |arg| default_unless(arg, model, unless))
            });
        }
    }
    for &name in WITH_CAPTION_MODEL {
        command = at(command, &[name], &|sub| match &config.caption_model {
            Some(model) => sub.mut_arg("caption_model", |arg| {
                let unless = without_caption_model(name);
                default_unless(arg.required(false), model, unless)
            }),
            None => OF_CAPTION_MODEL
                .iter()
                .filter(|id| name == "prompt" || **id != "two_pass")
                .fold(sub, |sub, id| sub.mut_arg(id, |arg| arg.requires("caption_model"))),
        });
    }
    command
}

/// Returns the options of the command `name` with which, with this or any value, the default
/// caption model is not used.
fn without_caption_model(name: &str) -> &'static [(&'static str, Option<&'static str>)] {
    match name {
        "prompt" => &NO_CAPTION_MODEL,
        "serve" => &[("no_caption", Some("true"))],
        _ => &[],
    }
}

/// Those of `prompt`.
const NO_CAPTION_MODEL: [(&str, Option<&str>); 4] = [
    ("caption", None),
    ("no_caption", Some("true")),
    ("average", Some("true")),
    ("mode", Some("negative")),
];

/// Sets the default `value`, except with the options of `unless`, which have any value or this
/// one.
fn default_unless(
    arg: Arg,
    value: &'static str,
    unless: &[(&'static str, Option<&'static str>)],
) -> Arg {
    let is = |value: Option<&'static str>| {
        value.map_or(ArgPredicate::IsPresent, |value| ArgPredicate::Equals(value.into()))
    };
    let none = unless.iter().map(|(id, value)| (*id, is(*value), None::<&'static str>));
    arg.default_value_ifs(none).default_value(value).hide_default_value(true)
}

/// Changes the subcommand at `path`.
fn at(command: Command, path: &[&str], change: &dyn Fn(Command) -> Command) -> Command {
    match path {
        [] => change(command),
        [name, rest @ ..] => command.mut_subcommand(*name, |sub| at(sub, rest, change)),
    }
}
