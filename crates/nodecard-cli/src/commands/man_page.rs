//! A manual page of one command, in roff.

use std::{
    fs,
    io::{self, Write as _},
    path::Path,
};

use clap::ArgAction;
use clap_mangen::Man;

use crate::version;

/// Writes the page of one command to `dir`.
pub fn write(command: &clap::Command, dir: &Path) -> io::Result<()> {
    let name = command.get_display_name().unwrap_or(command.get_name());
    let page = Man::new(command.clone());
    let mut text = Vec::new();
    // Not clap_mangen's title, which leaves an empty date out, so that what follows is taken for
    // the date. The page has none: it is the same for every build of a version.
    writeln!(text, ".ie \\n(.g .ds Aq \\(aq\n.el .ds Aq '")?;
    writeln!(text, ".TH {} 1 \"\" \"nodecard {}\"", escaped(name), version::NUMBER)?;
    page.render_name_section(&mut text)?;
    writeln!(text, ".SH SYNOPSIS\n{}", synopsis(command))?;
    for further in further_usages(command) {
        writeln!(text, ".br\n{}", escaped(&further))?;
    }
    page.render_description_section(&mut text)?;
    page.render_options_section(&mut text)?;
    if command.has_subcommands() {
        page.render_subcommands_section(&mut text)?;
    }
    if let Some(help) = command.get_after_help() {
        text.extend(sections_after_options(&help.to_string()).bytes());
    }
    if command.get_version().is_some() {
        page.render_version_section(&mut text)?;
    }
    fs::write(dir.join(format!("{name}.1")), text)
}

/// Returns the synopsis in roff: unlike clap_mangen's, with the values of options.
fn synopsis(command: &clap::Command) -> String {
    let name = command.get_bin_name().unwrap_or(command.get_name());
    let mut parts = vec![format!("\\fB{}\\fR", escaped(name))];
    let shown = || command.get_arguments().filter(|argument| !argument.is_hide_set());
    let values = |argument: &clap::Arg| -> String {
        let takes = argument.get_action().takes_values();
        let names = argument.get_value_names().unwrap_or_default().iter().filter(|_| takes);
        names.map(|name| format!("\\fI{}\\fR", escaped(name))).collect::<Vec<_>>().join(" ")
    };
    for argument in shown().filter(|argument| !argument.is_positional()) {
        let long = argument.get_long().map(|long| format!("--{long}"));
        let short = argument.get_short().map(|short| format!("-{short}"));
        let names: Vec<String> = short.into_iter().chain(long).collect();
        let values = values(argument);
        let gap = if values.is_empty() { "" } else { " " };
        parts.push(format!("[\\fB{}\\fR{gap}{values}]", escaped(&names.join("|"))));
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

/// Returns what a command with several forms is called like, after the first.
fn further_usages(command: &clap::Command) -> Vec<String> {
    let usage = command.clone().render_usage().to_string();
    usage.lines().skip(1).map(|line| line.trim().replace(['<', '>'], "")).collect()
}

/// Returns the text that help prints after the options, in roff: each title with a colon and the
/// indented lines below it. Lines of a shell stay lines.
fn sections_after_options(help: &str) -> String {
    let mut text = String::new();
    for block in help.trim().split("\n\n") {
        let (title, lines) = block.split_once('\n').unwrap_or((block, ""));
        match title {
            "Example:" | "Examples:" => text += ".SH EXAMPLES\n",
            "Exit codes:" => text += ".SH EXIT STATUS\n",
            _ => text += &format!(".PP\n{}\n", line_of_text(title)),
        }
        // Where lines are not filled, each is one of the page.
        text += ".nf\n";
        for line in lines.lines() {
            text += &line_of_text(line.strip_prefix("  ").unwrap_or(line));
            text += "\n";
        }
        text += ".fi\n";
    }
    text
}

/// Returns a line in roff that no first character turns into a request.
fn line_of_text(line: &str) -> String {
    match line.starts_with(['.', '\'']) {
        true => format!("\\&{}", escaped(line)),
        false => escaped(line),
    }
}

/// Returns text in roff: backslashes stay backslashes, and hyphens those of a terminal.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\e").replace('-', "\\-").replace('\'', "\\(aq")
}
