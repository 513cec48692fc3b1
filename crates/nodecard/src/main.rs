//! nodecard prepares the SD cards of a small-board cluster: one profile and one
//! base image become an image for every node.
//!
//! This is the command line. It reads arguments, shows progress, prints reports
//! and chooses exit codes; all work is done by the libraries.

mod args;
mod build;
mod check;
mod devices;
mod failure;
mod flash;
mod progress;
mod setup;

use std::process::ExitCode;

use clap::Parser as _;

use args::{Args, Command};

fn main() -> ExitCode {
    keep_quiet_about_caught_panics();
    let result = match Args::parse().command {
        Command::Build(args) => build::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Flash(args) => flash::run(&args),
        Command::Devices(args) => devices::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

/// The ext4 library may panic over a damaged filesystem. That is caught and
/// becomes an error with a message for people; the panic's own is not for them.
fn keep_quiet_about_caught_panics() {
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let caught = |location: &std::panic::Location| location.file().contains("rust-fs-ext4");
        if !panic.location().is_some_and(caught) {
            default(panic);
        }
    }));
}
