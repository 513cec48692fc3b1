//! The command line of nodecard: arguments, prompts, progress, reports and exit codes.
//!
//! The `nodecard` library does the work. Each command is a file in `commands/`.

mod args;
mod commands;
mod error;
mod hints;
mod invoker;
mod progress;
mod prompt;
mod report;
mod rights;
mod terminal;

use std::process::ExitCode;

use clap::Parser as _;

use args::{Args, Command};

/// Where defects are reported.
const ISSUES: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "/issues");

fn main() -> ExitCode {
    ask_for_reports();
    invoker::become_invoker();
    let args = Args::try_parse().unwrap_or_else(|error| terminal::exit_with_usage(&error));
    let result = match args.command {
        Command::Build(args) => commands::build::run(&args),
        Command::Check(args) => commands::check::run(&args),
        Command::Flash(args) => commands::flash::run(&args),
        Command::Apply(args) => commands::apply::run(&args),
        Command::Devices(args) => commands::devices::run(&args),
        Command::Verify(args) => commands::verify::run(&args),
        Command::Plan(args) => commands::plan::run(&args),
        Command::Inspect(args) => commands::inspect::run(&args),
        Command::Password(args) => commands::password::run(&args),
    };
    result.unwrap_or_else(|error| error.report())
}

/// Shows a panic as what it is: a defect of this program, which its authors want to know about.
fn ask_for_reports() {
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let message = panic.payload_as_str().unwrap_or("no message");
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        terminal::print_error(format_args!(
            "error: a defect in nodecard ({place}): {message}\n  fix: please report this, with \
             the whole output, at {ISSUES}\n"
        ));
        if std::env::var_os("RUST_BACKTRACE").is_some() {
            default(panic);
        }
    }));
}
