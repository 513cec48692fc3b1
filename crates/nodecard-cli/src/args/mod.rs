//! The arguments of the command line, by groups of commands.

mod build;
mod init;
mod nodes;
mod read;
mod shared;
mod tools;
pub mod usage;
mod write;

use clap::{Parser, Subcommand};

use crate::{output::Verbosity, version};

pub use build::{BuildArgs, CheckArgs, PlanArgs};
pub use init::{InitArgs, PasswordsArg, SwarmArg};
pub use nodes::{ExportArgs, ExportFormArg, StatusArgs};
pub use read::{InspectArgs, SaveArgs, VerifyArgs};
pub use shared::ProjectArgs;
pub use tools::{CompletionsArgs, ManArgs, PasswordArgs, SchemaArgs};
pub use write::{ApplyArgs, DevicesArgs, FlashArgs};

/// Prepare the SD cards of a cluster of small boards
///
/// From one profile and one base image, nodecard makes a card for every node:
/// grown to the size of the card, with its own host name, static address,
/// /etc/hosts, keys and identity. It mounts nothing, never changes the base
/// image, and needs root only to open devices.
#[derive(Debug, Parser)]
#[command(
    name = "nodecard",
    version = version::SHORT,
    long_version = version::LONG,
    max_term_width = 79,
    after_help = "\
Examples:
  nodecard init mc1.yaml
  nodecard check mc1.yaml
  nodecard build mc1.yaml --out cards
  nodecard devices
  nodecard flash mc1.yaml xu4-master=/dev/sdb xu4-node1=/dev/sdc
  nodecard verify mc1.yaml /dev/sdb
  nodecard apply mc1.yaml xu4-node1=/dev/sdb
  nodecard save /dev/sdb base.img.xz --profile mc1.yaml

Exit codes:
  0    success; with verify: all cards match the profile
  1    verify or status found problems, or apply left an error
  2    the arguments or the profile are wrong
  3    the base image cannot be used
  4    a card, device or image was refused, or not confirmed
  5    reading or writing failed
  130  interrupted"
)]
pub struct Args {
    #[command(subcommand)]
    pub command: Command,

    #[command(flatten)]
    pub output: OutputArgs,
}

/// How much is printed.
#[derive(Debug, clap::Args)]
pub struct OutputArgs {
    /// Print only errors, questions, and output for other programs
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,

    /// Also print how long each stage took
    #[arg(short, long, global = true)]
    pub verbose: bool,
}

impl OutputArgs {
    pub fn verbosity(&self) -> Verbosity {
        match self {
            OutputArgs { quiet: true, .. } => Verbosity::Quiet,
            OutputArgs { verbose: true, .. } => Verbosity::Verbose,
            _ => Verbosity::Normal,
        }
    }
}

#[derive(Debug, Subcommand)]
pub enum Command {
    Init(InitArgs),
    Build(BuildArgs),
    Check(CheckArgs),
    Flash(FlashArgs),
    Apply(ApplyArgs),
    Devices(DevicesArgs),
    Verify(VerifyArgs),
    Plan(PlanArgs),
    Inspect(InspectArgs),
    Save(SaveArgs),
    Password(PasswordArgs),
    Status(StatusArgs),
    Export(ExportArgs),
    Schema(SchemaArgs),
    Completions(CompletionsArgs),
    Man(ManArgs),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn every_help_fits_80_columns_and_has_an_example() {
        let mut command = Args::command();
        command.build();
        let commands = command.get_subcommands().cloned().chain([command.clone()]);
        for mut command in commands.filter(|command| command.get_name() != "help") {
            let help = command.render_long_help().to_string();
            for line in help.lines() {
                assert!(line.chars().count() < 80, "{line}");
            }
            assert!(help.contains("Example"), "{help}");
        }
    }
}
