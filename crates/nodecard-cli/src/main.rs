//! The command line of nodecard: arguments, prompts, progress, reports and exit codes.
//!
//! The `nodecard` library does the work. Each command is a file in `commands/`.

mod args;
mod ask;
mod commands;
mod complete;
mod error;
mod hints;
mod progress;
mod prompt;
mod report;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};
use clap_complete::CompleteEnv;

use args::{Args, Command};

fn main() -> ExitCode {
    // A shell that completes a line runs the program with $COMPLETE set.
    CompleteEnv::with_factory(Args::command).complete();
    let result = match Args::parse().command {
        Command::Init(args) => commands::init::run(&args),
        Command::Build(args) => commands::build::run(&args),
        Command::Check(args) => commands::check::run(&args),
        Command::Flash(args) => commands::flash::run(&args),
        Command::Apply(args) => commands::apply::run(&args),
        Command::Devices(args) => commands::devices::run(&args),
        Command::Verify(args) => commands::verify::run(&args),
        Command::Plan(args) => commands::plan::run(&args),
        Command::Inspect(args) => commands::inspect::run(&args),
        Command::Password(args) => commands::password::run(&args),
        Command::Status(args) => commands::status::run(&args),
        Command::Export(args) => commands::export::run(&args),
        Command::Schema(args) => commands::manual::schema(&args),
        Command::Completions(args) => commands::manual::completions(&args),
        Command::Man(args) => commands::manual::man(&args),
    };
    result.unwrap_or_else(|error| error.report())
}
