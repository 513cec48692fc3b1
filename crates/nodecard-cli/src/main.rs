//! The command line of nodecard: arguments, prompts, progress, reports and exit codes.
//!
//! The `nodecard` library does the work. Each command is a file in `commands/`.

mod args;
mod ask;
mod commands;
mod complete;
mod error;
mod hints;
mod output;
mod progress;
mod prompt;
mod report;
mod rights;
mod terminal;
mod version;

use std::{ffi::OsString, process::ExitCode};

use clap::{CommandFactory as _, Parser as _};
use clap_complete::CompleteEnv;

use args::{Args, Command};

/// Where defects are reported.
const ISSUES: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "/issues");

fn main() -> ExitCode {
    // A shell that completes a line runs the program with $COMPLETE set.
    CompleteEnv::with_factory(Args::command).complete();
    ask_for_reports();
    for error in platform::invoker::become_invoker() {
        error::print_warning(&error);
    }
    let args = Args::try_parse_from(words()).unwrap_or_else(|error| error::report_usage(&error));
    output::set_verbosity(args.output.verbosity());
    let result = match args.command {
        Command::Init(args) => commands::init::run(&args),
        Command::Build(args) => commands::build::run(&args),
        Command::Check(args) => commands::check::run(&args),
        Command::Flash(args) => commands::flash::run(&args),
        Command::Apply(args) => commands::apply::run(&args),
        Command::Devices(args) => commands::devices::run(&args),
        Command::Verify(args) => commands::verify::run(&args),
        Command::Plan(args) => commands::plan::run(&args),
        Command::Inspect(args) => commands::inspect::run(&args),
        Command::Save(args) => commands::save::run(&args),
        Command::Password(args) => commands::password::run(&args),
        Command::Status(args) => commands::status::run(&args),
        Command::Export(args) => commands::export::run(&args),
        Command::Schema(args) => commands::manual::schema(&args),
        Command::Completions(args) => commands::manual::completions(&args),
        Command::Man(args) => commands::manual::man(&args),
    };
    result.unwrap_or_else(|error| error.report())
}

/// Returns the words of the command line. `help --help` is `help`, as for other programs.
fn words() -> Vec<OsString> {
    let mut words: Vec<OsString> = std::env::args_os().collect();
    if let [_, help, option] = words.as_slice()
        && help == "help"
        && (option == "--help" || option == "-h")
    {
        words.pop();
    }
    words
}

/// Shows a panic as what it is: a defect of this program, which its authors want to know about.
fn ask_for_reports() {
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let payload = panic.payload();
        let message = payload.downcast_ref::<&str>().copied();
        let message = message.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        let message = message.unwrap_or("no message");
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        terminal::print_error(format_args!(
            "error: a bug in nodecard ({place}): {message}\n  fix: please report this, with \
             the whole output, at {ISSUES}\n"
        ));
        if std::env::var_os("RUST_BACKTRACE").is_some() {
            default(panic);
        }
    }));
}
