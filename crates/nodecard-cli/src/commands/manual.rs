//! `nodecard schema`, `nodecard completions` and `nodecard man`: what the program knows about
//! itself, for other programs.

use std::{
    fs,
    io::{self, Write as _},
    path::Path,
    process::ExitCode,
};

use clap::{ArgAction, CommandFactory as _};
use clap_complete::env::Shells;
use clap_mangen::Man;
use serde_json::json;

use crate::{
    args::{Args, CompletionsArgs, ManArgs, SchemaArgs},
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

/// Writes the page of one command.
fn write_page(command: &clap::Command, dir: &Path) -> io::Result<()> {
    let page = Man::new(command.clone());
    let mut text = Vec::new();
    page.render_title(&mut text)?;
    page.render_name_section(&mut text)?;
    writeln!(text, ".SH SYNOPSIS\n{}", synopsis(command))?;
    page.render_description_section(&mut text)?;
    page.render_options_section(&mut text)?;
    if command.has_subcommands() {
        page.render_subcommands_section(&mut text)?;
    }
    page.render_extra_section(&mut text)?;
    if command.get_version().is_some() {
        page.render_version_section(&mut text)?;
    }
    let name = command.get_display_name().unwrap_or(command.get_name());
    fs::write(dir.join(format!("{name}.1")), text)
}

/// Returns the synopsis in roff: unlike clap_mangen's, with the values of options.
fn synopsis(command: &clap::Command) -> String {
    let escape = |text: &str| text.replace('\\', "\\e").replace('-', "\\-");
    let name = command.get_bin_name().unwrap_or(command.get_name());
    let mut parts = vec![format!("\\fB{}\\fR", escape(name))];
    let shown = || command.get_arguments().filter(|argument| !argument.is_hide_set());
    let values = |argument: &clap::Arg| -> String {
        let takes = argument.get_action().takes_values();
        let names = argument.get_value_names().unwrap_or_default().iter().filter(|_| takes);
        names.map(|name| format!("\\fI{}\\fR", escape(name))).collect::<Vec<_>>().join(" ")
    };
    for argument in shown().filter(|argument| !argument.is_positional()) {
        let long = argument.get_long().map(|long| format!("--{long}"));
        let short = argument.get_short().map(|short| format!("-{short}"));
        let names: Vec<String> = short.into_iter().chain(long).collect();
        let values = values(argument);
        let gap = if values.is_empty() { "" } else { " " };
        parts.push(format!("[\\fB{}\\fR{gap}{values}]", escape(&names.join("|"))));
    }
    for argument in shown().filter(|argument| argument.is_positional()) {
        let value = values(argument);
        let many = argument.get_num_args().is_some_and(|number| number.max_values() > 1);
        let more =
            if many || matches!(argument.get_action(), ArgAction::Append) { "..." } else { "" };
        parts.push(match argument.is_required_set() {
            true => format!("{value}{more}"),
            false => format!("[{value}]{more}"),
        });
    }
    if command.has_subcommands() {
        parts.push("\\fICOMMAND\\fR".to_owned());
    }
    parts.join(" ")
}

pub fn man(args: &ManArgs) -> Result<ExitCode, CommandError> {
    let failed = |source| nodecard::Error::Write { path: args.dir.clone(), source };
    fs::create_dir_all(&args.dir).map_err(failed)?;
    // The manual is the same for every build of a version.
    let command = Args::command().version(version::NUMBER).long_version(None::<&str>);
    let mut command = command.disable_help_subcommand(true);
    command.build();
    for command in command.get_subcommands().chain([&command]) {
        write_page(command, &args.dir).map_err(failed)?;
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
