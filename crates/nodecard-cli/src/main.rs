//! The command line of nodecard: arguments, prompts, progress, reports and exit codes.
//!
//! The `nodecard` library does the work. Each command is a file in `commands/`.

mod args;
mod commands;
mod error;
mod hints;
mod invoker;
mod output;
mod progress;
mod prompt;
mod report;
mod rights;

use std::process::ExitCode;

use clap::Parser as _;

use args::{Args, Command};

fn main() -> ExitCode {
    invoker::become_invoker();
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => return error::report_usage(&error),
    };
    output::set_verbosity(args.output.verbosity());
    let result = match args.command {
        Command::Build(args) => commands::build::run(&args),
        Command::Check(args) => commands::check::run(&args),
        Command::Flash(args) => commands::flash::run(&args),
        Command::Apply(args) => commands::apply::run(&args),
        Command::Devices(args) => commands::devices::run(&args),
        Command::Verify(args) => commands::verify::run(&args),
        Command::Plan(args) => commands::plan::run(&args),
        Command::Inspect(args) => commands::inspect::run(&args),
    };
    result.unwrap_or_else(|error| error.report())
}
