//! `nodecard apply`.

use std::{io, process::ExitCode};

use nodecard::{
    ApplyReport, ApplyRequest, ApplySession, Finding, FindingCode, OtherIdentity, Severity,
};
use plain_text::count;
use serde_json::{Value, json};

use super::open_project;
use crate::{
    args::ApplyArgs,
    error::{CommandError, print_line},
    prompt::ask,
    report,
};

pub fn run(args: &ApplyArgs) -> Result<ExitCode, CommandError> {
    let project = open_project(&args.project)?;
    let (node, path) = &args.target;
    let mut request = ApplyRequest::default();
    request.limits = args.writing.limits.limits();
    request.grow = args.grow;
    let session = project.apply(node, path, request).map_err(CommandError::Writing)?;
    let shown = path.display().to_string();
    let json = args.writing.json.json;
    if session.is_nothing() {
        if json {
            return print_json(args, false, None, session.remaining());
        }
        println(format_args!("{shown}: nothing to change"))?;
        return print_remaining(session.remaining(), args.grow);
    }
    if args.writing.yes && !args.allow_other {
        session.refuse_other_identity().map_err(CommandError::Writing)?;
    }
    if json {
        // The report follows; people are still asked about these changes.
        if !args.writing.yes {
            print_line(format_args!("{}", session.changes()));
        }
    } else {
        report::print_text(&session.changes().to_string())?;
    }
    let changes = serde_json::to_value(session.changes()).map_err(io::Error::from)?;
    let agrees = |session: &ApplySession| args.writing.yes || is_confirmed(session, &shown);
    let confirmed = session.confirm(agrees).map_err(CommandError::Writing)?;
    let report = confirmed.apply().map_err(CommandError::Writing)?;
    if report.reinsert {
        print_line(format_args!(
            "note: remove the card and insert it again before you use it here"
        ));
    }
    if json {
        return print_json(args, true, Some(changes), &report.applied.left);
    }
    println(format_args!("{shown}: {}", done(&report)))?;
    print_remaining(&report.applied.left, args.grow)
}

fn print_json(
    args: &ApplyArgs,
    changed: bool,
    changes: Option<Value>,
    remaining: &[Finding],
) -> Result<ExitCode, CommandError> {
    let (node, target) = &args.target;
    report::print_json(&json!({
        "node": node,
        "target": target,
        "changed": changed,
        "changes": changes,
        "remaining": remaining,
    }))?;
    Ok(exit_code(remaining, args.grow))
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
    report::print_text(&format!("{line}\n"))
}

fn is_confirmed(session: &ApplySession, shown: &str) -> bool {
    let wanted = session.confirmation();
    // A wrong card is more likely than one that is to change its node.
    let what = match session.other_identity() {
        Some(identity) => {
            print_line(format_args!("warning: {shown}: {identity}"));
            let now = match identity {
                OtherIdentity::Node { node, .. } => format!("the card of {node}"),
                _ => shown.to_owned(),
            };
            format!("change {now} into that of {}", session.node().name)
        }
        None => format!("change {shown} in place"),
    };
    let answer = ask(format_args!("Type {wanted} to {what}:"));
    answer.is_some_and(|answer| session.is_confirmed_by(&answer))
}

/// Prints the findings that applying does not fix. Returns the exit code: failure if there is
/// an error among them.
fn print_remaining(findings: &[Finding], grow: bool) -> Result<ExitCode, CommandError> {
    for finding in findings {
        let place = finding.place();
        let place = if place.is_empty() { place } else { format!("{place}: ") };
        println(format_args!("not fixed: {place}{}\n  fix: {}", finding.what, finding.fix))?;
    }
    Ok(exit_code(findings, grow))
}

/// Returns failure if an error remains that was not left on purpose: without `grow`, a card
/// that is not grown is not an error.
fn exit_code(findings: &[Finding], grow: bool) -> ExitCode {
    let is_left = |code| {
        !grow && matches!(code, FindingCode::PartitionNotGrown | FindingCode::FilesystemNotGrown)
    };
    let has_error = findings
        .iter()
        .any(|finding| finding.severity == Severity::Error && !is_left(finding.code));
    if has_error { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
