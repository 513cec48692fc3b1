//! `nodecard verify`.

use std::process::ExitCode;

use nodecard::{AuditError, BaseAbsence, Verification, VerifyReport};

use super::open_project;
use crate::{
    args::VerifyArgs,
    error::{CommandError, exit_code, print_error, print_line, print_wrapped},
    hints, report,
};

pub fn run(args: &VerifyArgs) -> Result<ExitCode, CommandError> {
    let project = open_project(&args.project)?;
    let verification = project.verify(&args.targets, args.node.as_deref())?;
    let code = report_refusals(&verification.report);
    if args.json.json {
        report::print_json(&verification.report)?;
    } else if verification.report.audited().next().is_some() {
        report::print_text(&verification.report.to_string())?;
        print_absence(&verification);
    }
    Ok(code)
}

/// Prints why the cards were not compared with the base image, if they were not.
fn print_absence(verification: &Verification) {
    let Some(absence) = &verification.base_absence else { return };
    let note = format!(
        "note: the boot loader, and files copied from the base image, were not checked: {absence}"
    );
    print_wrapped(&note, 2);
    if let BaseAbsence::NotDecoded { path } = absence {
        let path = plain_text::shell_word(&path.display().to_string());
        print_line(format_args!("  fix: add --base {path} to decode it"));
    }
}

/// Prints why cards were refused, and returns the exit code: the highest of the refusals,
/// else 1 for differences.
fn report_refusals(report: &VerifyReport) -> ExitCode {
    let codes = report.errors().map(|error: &AuditError| {
        print_error(error, hints::join(error.fix(), hints::for_audit(error)));
        exit_code(error.kind())
    });
    match codes.max() {
        Some(code) => ExitCode::from(code),
        None if report.matches_profile() => ExitCode::SUCCESS,
        None => ExitCode::from(1),
    }
}
