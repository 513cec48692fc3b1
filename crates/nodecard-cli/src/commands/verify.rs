//! `nodecard verify`.

use std::process::ExitCode;

use nodecard::{AuditError, BaseAbsence, CardOutcome, VerifyReport};
use plain_text::{count, printable};

use super::open_project;
use crate::{
    args::VerifyArgs,
    error::{CommandError, exit_code, print_error, print_line},
    hints, report, terminal,
};

pub fn run(args: &VerifyArgs) -> Result<ExitCode, CommandError> {
    let project = open_project(&args.project)?;
    let verification = project.verify(&args.targets, args.node.as_deref())?;
    if args.json.json {
        report::print_json(&verification.report)?;
    } else {
        terminal::print(format_args!("{}", to_text(&verification.report)))?;
    }
    if let Some(BaseAbsence::NotDecoded { path }) = &verification.base_absence {
        let path = plain_text::shell_word(&path.display().to_string());
        print_line(format_args!("note: --base {path} decodes the base image and compares with it"));
    }
    Ok(report_code(&verification.report))
}

/// Returns the cards and their findings. Why a card was refused is an error on stderr.
fn to_text(report: &VerifyReport) -> String {
    let mut text = String::new();
    let (mut expected, mut different, mut refused) = (0, 0, 0);
    for card in &report.cards {
        match card {
            CardOutcome::Audited(card) => {
                text += &format!("{card}\n");
                *if card.is_right() { &mut expected } else { &mut different } += 1;
            }
            CardOutcome::Refused { target, .. } => {
                text += &format!("{}: refused\n\n", printable(target));
                refused += 1;
            }
        }
    }
    text += &format!("{}: {expected} as expected", count(report.cards.len(), "card"));
    for (number, what) in [(different, "with differences"), (refused, "refused")] {
        if number > 0 {
            text += &format!(", {number} {what}");
        }
    }
    text + "\n"
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
