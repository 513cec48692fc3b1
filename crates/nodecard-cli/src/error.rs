//! How a command fails: messages on stderr and an exit code.

use std::{borrow::Cow, error::Error as StdError, fmt, io, process::ExitCode};

use nodecard::{
    CardObstacle, Diagnostics, Error, ErrorKind, Problem, ProfileError, RefusalReason, TargetError,
};

use serde_json::json;

use crate::{args::usage, hints, output, report, terminal};

/// Why a command failed.
#[derive(Debug)]
pub enum CommandError {
    /// The library could not do it.
    Failed(Error),
    /// A card could not be written or changed, or nothing was written yet.
    Writing(Error),
    /// The arguments do not go together.
    Usage { message: String, fix: Cow<'static, str> },
    /// The value of an option cannot be used.
    Option {
        option: &'static str,
        /// The value, unless it is secret.
        value: Option<String>,
        /// What is wrong with it, and what to write.
        reason: String,
    },
    /// The user stopped it.
    Interrupted,
    /// The report cannot be printed.
    Output(io::Error),
}

impl From<Error> for CommandError {
    fn from(error: Error) -> Self {
        CommandError::Failed(error)
    }
}

impl From<io::Error> for CommandError {
    fn from(error: io::Error) -> Self {
        CommandError::Output(error)
    }
}

/// The exit code of a program that SIGPIPE (13) has ended, as shells report it.
const BROKEN_PIPE: u8 = 128 + 13;

/// Prints a line on stderr. A line that cannot be printed is no reason to fail.
pub fn print_line(line: fmt::Arguments) {
    terminal::print_error_line(&line.to_string());
}

/// Prints a warning with its causes on one line.
pub fn print_warning(error: &dyn std::error::Error) {
    let mut text = format!("warning: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    print_line(format_args!("{text}"));
}

/// Prints a note on stderr that a quiet run leaves out.
pub fn print_note(note: fmt::Arguments) {
    if output::verbosity() > output::Verbosity::Quiet {
        print_wrapped(&note.to_string(), 2);
    }
}

/// Prints text on stderr, with lines that fit the terminal. All but the first are indented.
pub fn print_wrapped(text: &str, indent: usize) {
    print_line(format_args!("{}", plain_text::wrap(text, terminal::width(), indent)));
}

/// Prints an error with its causes and what to do about it. A cause that the lines before it
/// contain already is left out.
pub fn print_error(error: &dyn StdError, fix: Option<String>) {
    let message = error.to_string();
    print_message(&message);
    print_causes(message, error.source());
    print_fix(fix);
}

/// Says that the run ends before it has cleaned up. Standard output may be what it waits for, so
/// no report goes there.
pub fn print_interrupted_again() {
    print_message("interrupted again, before everything was cleaned up");
    print_line(format_args!(
        "  fix: run the same command again; it removes temporary files and finishes what is left"
    ));
}

/// Prints what went wrong.
fn print_message(message: &str) {
    // Diagnostics of a profile have a line `error: …` for each problem.
    if message.starts_with("error") {
        print_line(format_args!("{message}"));
    } else {
        print_line(format_args!("error: {message}"));
    }
}

fn print_causes(mut printed: String, mut source: Option<&dyn StdError>) {
    while let Some(error) = source {
        let cause = error.to_string();
        if !printed.contains(&cause) {
            print_line(format_args!("  caused by: {cause}"));
            printed += &cause;
        }
        source = error.source();
    }
}

fn print_fix(fix: Option<String>) {
    if let Some(fix) = fix {
        print_line(format_args!("  fix: {fix}"));
    }
}

/// Prints what is wrong with the arguments, or the help that they ask for, and ends the program.
pub fn report_usage(error: &clap::Error) -> ! {
    let words = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
    let of_image = usage::of_image(error, &words.collect::<Vec<_>>());
    if error.exit_code() != 0 && output::is_json() {
        let text = of_image.clone().unwrap_or_else(|| error.to_string());
        let message = text.lines().next().unwrap_or_default();
        let message = message.strip_prefix("error: ").unwrap_or(message);
        let _ = report::print_json(&json!({
            "error": { "message": message, "causes": [], "fix": null, "exit_code": 2 },
        }));
    }
    if let Some(message) = of_image {
        print_message(&message);
        std::process::exit(error.exit_code());
    }
    let code = match terminal::print_usage(error) {
        // Help that nobody can read is a failure.
        Err(failed) if error.exit_code() == 0 => i32::from(CommandError::Output(failed).print()),
        _ => error.exit_code(),
    };
    std::process::exit(code)
}

/// Returns the exit code for a failure.
pub fn exit_code(kind: ErrorKind) -> u8 {
    match kind {
        ErrorKind::Profile => 2,
        ErrorKind::Base => 3,
        ErrorKind::Target => 4,
        ErrorKind::Io => 5,
        ErrorKind::Interrupted => 130,
    }
}

impl CommandError {
    /// Prints the error, and returns the exit code that `--help` lists.
    pub fn report(&self) -> ExitCode {
        let code = self.print();
        if output::is_json() && !report::is_json_printed() {
            // The message is on stderr in any case.
            let _ = report::print_json(&json!({ "error": self.to_json(code) }));
        }
        ExitCode::from(code)
    }

    fn to_json(&self, code: u8) -> serde_json::Value {
        let error = match self {
            CommandError::Failed(error) | CommandError::Writing(error) => error,
            CommandError::Usage { message, fix } => {
                return json!({ "message": message, "causes": [], "fix": fix, "exit_code": code });
            }
            CommandError::Option { option, value, reason } => {
                let message = option_message(option, value.as_deref(), reason);
                return json!({
                    "message": message, "causes": [], "fix": null, "exit_code": code,
                });
            }
            CommandError::Interrupted => {
                return json!({
                    "message": "interrupted", "causes": [], "fix": null, "exit_code": code,
                });
            }
            CommandError::Output(error) => {
                return json!({
                    "message": "cannot write to standard output",
                    "causes": [error.to_string()],
                    "fix": null,
                    "exit_code": code,
                });
            }
        };
        let mut causes = Vec::new();
        let mut cause = error.source();
        while let Some(error) = cause {
            causes.push(error.to_string());
            cause = error.source();
        }
        let refusals: Vec<_> = match error {
            Error::Refused { targets } => targets
                .iter()
                .flat_map(|target| {
                    RefusalReason::of(&target.error).map(|reason| {
                        let hint = hints::for_refusal(&target.error.path, reason.refusal);
                        json!({
                            "node": target.node,
                            "target": target.error.path,
                            "message": reason.message,
                            "fix": hints::join(reason.fix, hint),
                        })
                    })
                })
                .collect(),
            _ => Vec::new(),
        };
        let reasons = error.card_obstacles().iter().map(|obstacle| {
            json!({
                "message": obstacle.reason.to_string(),
                "nodes": obstacle.nodes,
                "fix": obstacle.reason.fix(),
            })
        });
        let reasons: Vec<_> = reasons.collect();
        let problems: Vec<_> = match error {
            Error::Profile(error) => match &**error {
                ProfileError::Invalid(found) => {
                    found.problems.iter().map(|problem| problem_to_json(found, problem)).collect()
                }
                _ => Vec::new(),
            },
            _ => Vec::new(),
        };
        let nothing_written = match self {
            CommandError::Writing(error) => Some(!error.may_have_written()),
            _ => None,
        };
        json!({
            "message": error.to_string(),
            "causes": causes,
            "fix": hints::join(error.fix(), hints::for_error(error)),
            "exit_code": code,
            "refusals": refusals,
            "reasons": reasons,
            "problems": problems,
            "nothing_written": nothing_written,
        })
    }

    /// Prints the error for people, and returns the exit code.
    fn print(&self) -> u8 {
        match self {
            CommandError::Failed(error) => {
                print_failure(error);
                exit_code(error.kind())
            }
            CommandError::Writing(error) => {
                print_failure(error);
                if is_usage(error) {
                    // Nobody expects that anything was written.
                } else if !error.may_have_written() {
                    print_line(format_args!("note: nothing was written"));
                } else if matches!(error, Error::Apply(_)) {
                    print_wrapped(
                        "note: the root filesystem is entirely old or entirely new, and so is each \
                         file of a FAT boot partition",
                        2,
                    );
                    print_fix(Some("run the command again".to_owned()));
                }
                exit_code(error.kind())
            }
            CommandError::Usage { message, fix } => {
                print_message(message);
                print_fix(Some(fix.clone().into_owned()));
                2
            }
            CommandError::Option { option, value, reason } => {
                print_message(&option_message(option, value.as_deref(), reason));
                2
            }
            CommandError::Interrupted => {
                print_message("interrupted");
                130
            }
            // A reader that went away, such as `head`, wants no message. Other programs are
            // ended by SIGPIPE then.
            CommandError::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => BROKEN_PIPE,
            CommandError::Output(error) => {
                print_message("cannot write to standard output");
                print_causes(String::new(), Some(error));
                5
            }
        }
    }
}

/// Returns a problem of a profile, for programs that show it at its place.
fn problem_to_json(found: &Diagnostics, problem: &Problem) -> serde_json::Value {
    let related = problem.related.iter().map(|related| {
        json!({
            "message": related.label,
            "line": related.place.line,
            "column": related.place.column,
        })
    });
    json!({
        "message": problem.message,
        "file": found.path,
        "line": problem.place.line,
        "column": problem.place.column,
        "help": problem.help,
        "related": related.collect::<Vec<_>>(),
    })
}

/// Returns what is wrong with the value of an option, as clap puts it.
fn option_message(option: &str, value: Option<&str>, reason: &str) -> String {
    match value {
        Some(value) => format!("invalid value '{value}' for '{option}': {reason}"),
        None => format!("invalid value for '{option}': {reason}"),
    }
}

/// Returns whether only the profile or the arguments are wrong.
fn is_usage(error: &Error) -> bool {
    error.kind() == ErrorKind::Profile && !matches!(error, Error::CardsFor { .. })
}

/// Prints every reason why no cards can be made.
fn print_reasons(all: &[CardObstacle]) {
    for CardObstacle { reason, nodes } in all {
        let message = reason.to_string();
        print_message(&message);
        print_causes(message, reason.source());
        if !nodes.is_empty() {
            print_wrapped(&format!("  nodes: {}", nodes.join(", ")), 9);
        }
        print_fix(reason.fix());
    }
}

/// Prints an error with its causes and what to do about it, or every reason that it has.
pub fn print_failure(error: &Error) {
    let reasons = error.card_obstacles();
    if !reasons.is_empty() {
        if matches!(error, Error::CardsFor { .. }) {
            print_message(&error.to_string());
        }
        return print_reasons(reasons);
    }
    match error {
        Error::Refused { targets } => {
            targets.iter().for_each(|target| print_refusals(&target.error));
        }
        // Whatever was interrupted, the user knows who did it.
        _ if error.kind() == ErrorKind::Interrupted => print_message("interrupted"),
        Error::Profile(problems) if output::is_coloured() => {
            if let ProfileError::Invalid(problems) = &**problems {
                terminal::print_styled(problems.to_styled_string());
            } else {
                print_error(error, hints::join(error.fix(), hints::for_error(error)));
            }
        }
        _ => print_error(error, hints::join(error.fix(), hints::for_error(error))),
    }
}

/// Prints every reason not to write to a target.
pub fn print_refusals(error: &TargetError) {
    for reason in RefusalReason::of(error) {
        print_message(&reason.message);
        print_fix(hints::join(reason.fix, hints::for_refusal(&error.path, reason.refusal)));
    }
}
