//! The command line of nodecard: arguments, prompts, progress, reports and exit codes.
//!
//! The `nodecard` library does the work. Each command is a file in `commands/`.

mod args;
mod ask;
mod commands;
mod error;
mod hints;
mod progress;
mod prompt;
mod report;

use std::process::ExitCode;

use clap::Parser as _;

use args::{Args, Command};

fn main() -> ExitCode {
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
    };
    result.unwrap_or_else(|error| error.report())
}
