//! The help of the program: its commands in two groups.

use std::fmt::Write;

use build_index::terminal::version::with_long_version;
use clap::error::Result;
use clap::{Command, CommandFactory, FromArgMatches};

use super::{Args, with_defaults};
use crate::config::Config;

/// The commands that exist for compatibility with the original pipeline.
const COMPATIBILITY: [&str; 1] = ["execute"];

/// Parses the command line.
///
/// # Errors
/// Invalid arguments, and requests for help or the version.
pub(crate) fn parse() -> Result<Args> {
    let command = with_defaults(Args::command(), Config::current());
    let mut command = with_long_version(grouped(command));
    let matches = command.try_get_matches_from_mut(std::env::args_os())?;
    Args::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
}

/// Lists the compatibility commands under a heading of their own, which clap has no option
/// for: they are hidden from its list and follow it in the template. Completions and
/// manual pages come from the command without this and list all commands.
fn grouped(mut command: Command) -> Command {
    let header = command.get_styles().get_header();
    let literal = command.get_styles().get_literal();
    let width = command.get_subcommands().map(|sub| sub.get_name().len()).max().unwrap_or(0);
    let mut list = String::new();
    for sub in command.get_subcommands().filter(|sub| COMPATIBILITY.contains(&sub.get_name())) {
        let (name, about) = (sub.get_name(), sub.get_about().cloned().unwrap_or_default());
        let _ = write!(list, "\n  {literal}{name:width$}{literal:#}  {about}");
    }
    let template = format!(
        "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n\
         {header}Commands:{header:#}\n{{subcommands}}\n\n\
         {header}Compatibility:{header:#}{list}\n\n\
         {header}General:{header:#}\n{{options}}"
    );
    for name in COMPATIBILITY {
        command = command.mut_subcommand(name, |sub| sub.hide(true));
    }
    command.help_template(template)
}

#[cfg(test)]
mod tests {
    use clap::Arg;

    use super::*;

    const VERBS: [&str; 18] = [
        "Caption", "Check", "Compare", "Compute", "Describe", "Download", "List", "Print", "Rank",
        "Read", "Run", "Search", "Serve", "Show", "Sum", "Tag", "Verify", "Write",
    ];

    /// The command and its subcommands at every level.
    fn all(command: &Command) -> Vec<&Command> {
        std::iter::once(command).chain(command.get_subcommands().flat_map(all)).collect()
    }

    fn built() -> Command {
        let mut command = Args::command();
        command.build();
        command
    }

    #[test]
    fn arguments_are_consistent() {
        Args::command().debug_assert();
        let named = |name: &str| Some(name.to_owned());
        let all = Config { model: named("a/b"), caption_model: named("c/d") };
        for config in [Config::default(), all] {
            with_defaults(Args::command(), Box::leak(Box::new(config))).debug_assert();
        }
        grouped(Args::command()).debug_assert();
    }

    #[test]
    fn every_summary_begins_with_a_verb() {
        for command in all(&Args::command()) {
            let about = command.get_about().map(ToString::to_string).unwrap_or_default();
            let verb = about.split(' ').next().unwrap_or_default();
            assert!(VERBS.contains(&verb), "{}: {about}", command.get_name());
        }
    }

    #[test]
    fn every_option_stands_under_a_heading() {
        let headings = [
            "Input", "Output", "Model", "Captions", "Prompt", "Ranking", "Tags", "Server",
            "Access", "General",
        ];
        let command = built();
        let commands = command.get_subcommands().filter(|sub| sub.get_name() != "help");
        for sub in commands.flat_map(all).filter(|sub| sub.get_name() != "help") {
            for arg in sub.get_arguments() {
                let heading = arg.get_help_heading().unwrap_or("none");
                assert!(
                    headings.contains(&heading),
                    "{} {}: {heading}",
                    sub.get_name(),
                    arg.get_id()
                );
                let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
                assert!(
                    help.starts_with(char::is_uppercase),
                    "{} {}",
                    sub.get_name(),
                    arg.get_id()
                );
            }
        }
    }

    #[test]
    fn options_of_prompt_are_grouped() {
        let command = built();
        let prompt = command.find_subcommand("prompt").unwrap();
        let heading = |id: &str| {
            let arg = prompt.get_arguments().find(|arg| arg.get_id() == id);
            arg.unwrap_or_else(|| panic!("{id}")).get_help_heading().unwrap()
        };
        for (id, expected) in [
            ("paths", "Input"),
            ("allow_truncated", "Input"),
            ("batch_size", "Model"),
            ("index", "Model"),
            ("device", "Model"),
            ("caption_model", "Captions"),
            ("num_beams", "Captions"),
            ("mode", "Prompt"),
            ("tables", "Prompt"),
            ("average", "Prompt"),
            ("report", "Output"),
            ("sidecar", "Output"),
            ("quiet", "General"),
            ("help", "General"),
        ] {
            assert_eq!(heading(id), expected, "{id}");
        }
        let headings: Vec<_> = prompt.get_arguments().filter_map(Arg::get_help_heading).collect();
        let mut order = headings.clone();
        order.dedup();
        assert_eq!(order[0], "Input");
        assert_eq!(order.last(), Some(&"General"));
    }

    #[test]
    fn completions_and_manual_pages_contain_compatibility_commands() {
        for shell in [clap_complete::Shell::Bash, clap_complete::Shell::Zsh] {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Args::command(), "interrogate", &mut script);
            assert!(String::from_utf8(script).unwrap().contains("execute"), "{shell}");
        }
        let mut page = Vec::new();
        clap_mangen::Man::new(Args::command()).render(&mut page).unwrap();
        assert!(String::from_utf8(page).unwrap().contains("interrogate\\-execute(1)"));
    }

    #[test]
    fn compatibility_commands_have_a_heading_of_their_own() {
        let help = grouped(Args::command()).render_help().to_string();
        let (commands, rest) = help.split_once("\nCompatibility:\n").unwrap();
        assert!(commands.contains("\n  prompt ") && !commands.contains("\n  execute "));
        assert!(rest.starts_with("  execute ") && rest.contains("\nGeneral:\n  -q, --quiet"));
        let shown = grouped(Args::command()).try_get_matches_from(["interrogate", "execute", "-h"]);
        assert!(shown.unwrap_err().to_string().contains("--extend-path"));
    }
}
