//! `nodecard apply`.

use std::process::ExitCode;

use nodecard::{ApplyRequest, ApplySession, Finding, Severity};

use super::open_project;
use crate::{
    args::ApplyArgs,
    error::{CommandError, print_line},
    prompt::ask,
    terminal,
};

pub fn run(args: &ApplyArgs) -> Result<ExitCode, CommandError> {
    let project = open_project(&args.project)?;
    let (node, path) = &args.target;
    let mut request = ApplyRequest::default();
    request.limits = args.limits.limits();
    request.grow = args.grow;
    let session = project.apply(node, path, request).map_err(CommandError::Writing)?;
    let shown = path.display().to_string();
    if session.is_nothing() {
        println(format_args!("{shown}: nothing to change"))?;
        return print_remaining(session.remaining());
    }
    terminal::print(format_args!("{}", session.changes()))?;
    let agrees = |session: &ApplySession| args.yes || is_confirmed(session, &shown);
    let confirmed = session.confirm(agrees).map_err(CommandError::Writing)?;
    let report = confirmed.apply().map_err(CommandError::Writing)?;
    if report.reinsert {
        print_line(format_args!(
            "note: take the card out and insert it again before using it here"
        ));
    }
    match report.applied.committed {
        Some(_) => println(format_args!("{shown}: done"))?,
        None if report.applied.boot => println(format_args!("{shown}: done"))?,
        None => println(format_args!("{shown}: done; only the partition table was changed"))?,
    }
    print_remaining(&report.applied.left)
}

fn println(line: std::fmt::Arguments) -> Result<(), CommandError> {
    Ok(terminal::print(format_args!("{line}\n"))?)
}

fn is_confirmed(session: &ApplySession, shown: &str) -> bool {
    let wanted = session.confirmation();
    let answer = ask(format_args!("Type {wanted} to change {shown} in place:"));
    answer.is_some_and(|answer| session.is_confirmed_by(&answer))
}

/// Prints the findings that applying does not fix. Returns the exit code, which tells whether
/// there is an error among them.
fn print_remaining(findings: &[Finding]) -> Result<ExitCode, CommandError> {
    for finding in findings {
        let place = finding.place();
        let place = if place.is_empty() { place } else { format!("{place}: ") };
        println(format_args!("not changed: {place}{}\n  fix: {}", finding.what, finding.fix))?;
    }
    let has_error = findings.iter().any(|finding| finding.severity == Severity::Error);
    Ok(if has_error { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
