//! Owns what a build without the operator says to the commands that need one: they are in no help, and typing one is told from a slip.

use clap::error::ErrorKind;
use clap::{Arg, ArgMatches, Command, Error, FromArgMatches, Subcommand};

use crate::problem::{Done, Problem};

/// The commands of the operator, whose grammar is only in builds that have it.
const NAMES: [&str; 14] = [
    "apply",
    "diff",
    "get",
    "status",
    "tree",
    "events",
    "history",
    "rollback",
    "reconcile",
    "suspend",
    "resume",
    "approve",
    "delete",
    "serve",
];

/// A command that this build does not have.
#[derive(Debug)]
pub(crate) struct AbsentCommand {
    name: String,
}

/// Says why there is no such command, and how to get a build that has it.
pub(crate) fn run(command: &AbsentCommand) -> Done {
    let message = format!("this build of `plumb` has no operator, and so no `plumb {}`", command.name);
    Err(Problem::usage(message).hint("`cargo build --release -p plumb`, without `--no-default-features`, makes one that has it."))
}

impl FromArgMatches for AbsentCommand {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let name = matches.subcommand_name().ok_or_else(|| Error::new(ErrorKind::MissingSubcommand))?;
        Ok(Self { name: name.to_owned() })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Subcommand for AbsentCommand {
    fn augment_subcommands(command: Command) -> Command {
        // Whatever is typed behind the name, the answer is the same.
        let words = || Arg::new("words").num_args(0..).trailing_var_arg(true).allow_hyphen_values(true);
        command.subcommands(NAMES.map(|name| Command::new(name).hide(true).disable_help_flag(true).arg(words())))
    }

    fn augment_subcommands_for_update(command: Command) -> Command {
        Self::augment_subcommands(command)
    }

    fn has_subcommand(name: &str) -> bool {
        NAMES.contains(&name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(words: &[&str]) -> Problem {
        let command = AbsentCommand::augment_subcommands(Command::new("plumb"));
        let matches = command.try_get_matches_from([&["plumb"], words].concat()).unwrap();
        run(&AbsentCommand::from_arg_matches(&matches).unwrap()).unwrap_err()
    }

    #[test]
    fn whatever_follows_a_command_that_is_not_there_the_answer_is_the_same() {
        for words in [&["apply", "--dry-run", "shop", "-n", "shop"][..], &["apply", "--help"], &["apply"]] {
            let problem = said(words);
            assert!(problem.message.ends_with("and so no `plumb apply`"), "{words:?}: {}", problem.message);
            assert_eq!(problem.code, crate::problem::USAGE);
        }
        let mut command = AbsentCommand::augment_subcommands(Command::new("plumb"));
        assert!(!command.render_long_help().to_string().contains("apply"));
    }

    #[cfg(feature = "operator")]
    #[test]
    fn the_commands_that_are_not_there_are_those_of_the_operator() {
        let command = crate::operator::OperatorCommand::augment_subcommands(Command::new("plumb"));
        let names: Vec<&str> = command.get_subcommands().map(Command::get_name).collect();
        assert_eq!(names, NAMES);
    }
}
