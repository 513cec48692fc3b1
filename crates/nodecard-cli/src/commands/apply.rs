//! `nodecard apply`.

use std::process::ExitCode;

use nodecard::{ApplyReport, ApplyRequest, ApplySession, Finding};
use plain_text::count;

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
        print_remaining(session.remaining())?;
        return Ok(ExitCode::SUCCESS);
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
    println(format_args!("{shown}: {}", done(&report)))?;
    print_remaining(&report.applied.left)?;
    Ok(ExitCode::SUCCESS)
}

/// Says what was changed.
fn done(report: &ApplyReport) -> String {
    let files: usize = report.applied.plan.nodes.iter().map(|node| node.files.len()).sum();
    let sizes = !report.applied.plan.card.is_empty();
    match (files, sizes) {
        (0, _) => "fixed the sizes of the root partition and its filesystem".to_owned(),
        (files, false) => format!("fixed {}", count(files, "file")),
        (files, true) => format!("fixed {}, and grew the root filesystem", count(files, "file")),
    }
}

fn println(line: std::fmt::Arguments) -> Result<(), CommandError> {
    Ok(terminal::print(format_args!("{line}\n"))?)
}

fn is_confirmed(session: &ApplySession, shown: &str) -> bool {
    let wanted = session.confirmation();
    let answer = ask(format_args!("Type {wanted} to change {shown} in place:"));
    answer.is_some_and(|answer| session.is_confirmed_by(&answer))
}

/// Prints the findings that applying does not fix.
fn print_remaining(findings: &[Finding]) -> Result<(), CommandError> {
    for finding in findings {
        let place = finding.place();
        let place = if place.is_empty() { place } else { format!("{place}: ") };
        println(format_args!("not fixed: {place}{}\n  fix: {}", finding.what, finding.fix))?;
    }
    Ok(())
}
