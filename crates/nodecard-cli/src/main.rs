//! nodecard prepares the SD cards of a small-board cluster: one profile and one
//! base image become an image for every node.
//!
//! This is the command line. It reads arguments, shows progress, prints reports
//! and chooses exit codes; all work is done by the libraries.

mod apply;
mod args;
mod build;
mod check;
mod devices;
mod failure;
mod flash;
mod inspect;
mod plan;
mod progress;
mod setup;
mod verify;

use std::process::ExitCode;

use clap::Parser as _;

use args::{Args, Command};

fn main() -> ExitCode {
    keep_quiet_about_caught_panics();
    let result = match Args::parse().command {
        Command::Build(args) => build::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Check(args) => check::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Flash(args) => flash::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Apply(args) => apply::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Devices(args) => devices::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Verify(args) => verify::run(&args),
        Command::Plan(args) => plan::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Inspect(args) => inspect::run(&args).map(|()| ExitCode::SUCCESS),
    };
    match result {
        Ok(code) => code,
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
