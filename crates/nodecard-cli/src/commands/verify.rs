//! `nodecard verify`.

use std::process::ExitCode;

use nodecard::{AuditError, BaseAbsence, NoFix as _, VerifyReport};

use super::open_project;
use crate::{
    args::VerifyArgs,
    error::{CommandError, exit_code, print_error, print_line},
    hints, report,
};

pub fn run(args: &VerifyArgs) -> Result<ExitCode, CommandError> {
    let project = open_project(&args.project)?;
    let verification = project.verify(&args.targets, args.node.as_deref())?;
    report::print(&verification.report, args.json.json)?;
    if let Some(BaseAbsence::NotDecoded { path }) = &verification.base_absence {
        let path = plain_text::shell_word(&path.display().to_string());
        print_line(format_args!("note: --base {path} decodes the base image and compares with it"));
    }
    Ok(report_code(&verification.report))
}

/// Prints why cards were refused, and returns the exit code: the highest of the refusals,
/// else 1 for differences.
fn report_code(report: &VerifyReport) -> ExitCode {
    let codes = report.errors().map(|error: &AuditError| {
        print_error(error, hints::join(error.fix(), hints::for_audit(error)));
        exit_code(error.kind())
    });
    match codes.max() {
        Some(code) => ExitCode::from(code),
        None if report.is_right() => ExitCode::SUCCESS,
        None => ExitCode::from(1),
    }
}
