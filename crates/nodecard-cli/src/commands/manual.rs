//! `nodecard schema`, `nodecard completions` and `nodecard man`: what the program knows about
//! itself, for other programs.

use std::{
    fs,
    io::{Write as _, stdout},
    process::ExitCode,
};

use clap::CommandFactory as _;
use clap_complete::env::Shells;

use crate::{
    args::{Args, CompletionsArgs, ManArgs, SchemaArgs},
    error::CommandError,
};

pub fn schema(_: &SchemaArgs) -> Result<ExitCode, CommandError> {
    write!(stdout().lock(), "{}", nodecard::PROFILE_SCHEMA)?;
    Ok(ExitCode::SUCCESS)
}

pub fn completions(args: &CompletionsArgs) -> Result<ExitCode, CommandError> {
    let shells = Shells::builtins();
    let shell = args.shell.to_string();
    let completer = shells.completer(&shell).ok_or_else(|| CommandError::Usage {
        message: format!("there are no completions for {shell}"),
        fix: "use another shell",
    })?;
    // The script runs `nodecard` itself, as found in $PATH, with this variable set.
    let mut script = Vec::new();
    completer.write_registration("COMPLETE", "nodecard", "nodecard", "nodecard", &mut script)?;
    stdout().lock().write_all(&script)?;
    Ok(ExitCode::SUCCESS)
}

pub fn man(args: &ManArgs) -> Result<ExitCode, CommandError> {
    let failed = |source| nodecard::Error::Write { path: args.dir.clone(), source };
    fs::create_dir_all(&args.dir).map_err(failed)?;
    clap_mangen::generate_to(Args::command(), &args.dir).map_err(failed)?;
    Ok(ExitCode::SUCCESS)
}
