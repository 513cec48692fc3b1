//! `nodecard schema`, `nodecard completions` and `nodecard man`: what the program knows about
//! itself, for other programs.

use std::{fs, process::ExitCode};

use clap::CommandFactory as _;
use clap_complete::env::Shells;
use serde_json::json;

use crate::{
    args::{Args, CompletionsArgs, ManArgs, SchemaArgs},
    commands::man_page,
    error::CommandError,
    report, terminal, version,
};

pub fn schema(_: &SchemaArgs) -> Result<ExitCode, CommandError> {
    terminal::print_own(nodecard::PROFILE_SCHEMA.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

pub fn completions(args: &CompletionsArgs) -> Result<ExitCode, CommandError> {
    let shells = Shells::builtins();
    let shell = args.shell.to_string();
    let completer = shells.completer(&shell).ok_or_else(|| CommandError::Usage {
        message: format!("there are no completions for {shell}"),
        fix: "use another shell".into(),
    })?;
    // The script runs `nodecard` itself, as found in $PATH, with this variable set.
    let mut script = Vec::new();
    completer.write_registration("COMPLETE", "nodecard", "nodecard", "nodecard", &mut script)?;
    if args.json.json {
        let script = String::from_utf8_lossy(&script);
        report::print_json(&json!({ "shell": shell, "script": script }))?;
    } else {
        terminal::print_own(&script)?;
    }
    Ok(ExitCode::SUCCESS)
}

pub fn man(args: &ManArgs) -> Result<ExitCode, CommandError> {
    let failed = |source| nodecard::Error::Write { path: args.dir.clone(), source };
    fs::create_dir_all(&args.dir).map_err(failed)?;
    // The manual is the same for every build of a version.
    let command = Args::command().version(version::NUMBER).long_version(None::<&str>);
    let mut command = command.disable_help_subcommand(true);
    command.build();
    for command in command.get_subcommands().chain([&command]) {
        man_page::write(command, &args.dir).map_err(failed)?;
    }
    if args.json.json {
        let entries = fs::read_dir(&args.dir).map_err(failed)?.flatten();
        let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
        let mut pages: Vec<String> =
            names.filter(|name| name.starts_with("nodecard") && name.ends_with(".1")).collect();
        pages.sort();
        report::print_json(&json!({ "dir": args.dir, "pages": pages }))?;
    }
    Ok(ExitCode::SUCCESS)
}
