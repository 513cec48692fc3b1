//! Whether the profile's users get in by key, decided as the card's ssh server decides it.

use cluster_profile::{LoginHindrance, RenderError, SystemError, login_hindrances};
use plain_text::printable;
use system_model::{
    Systemd,
    sshd::{HindranceKind, Repair, SSHD_CONFIG},
};

use super::Subject;
use crate::{ApplyCommand, Finding, FindingCode, FixAction, Severity};

/// Returns what surely keeps a user of the profile out. What may keep one out is a note of
/// rendering, and so is a system without an ssh server.
pub(super) fn check(
    subject: &Subject<'_>,
    units: &Systemd,
    others: &[Finding],
    apply: Option<&ApplyCommand>,
) -> Result<Vec<Finding>, SystemError> {
    let Subject { cluster, keys, node, system, .. } = subject;
    let key = keys.cluster().public().split(' ').nth(1).unwrap_or_default();
    // As for the edits: the clock of this machine must not decide what apply corrects.
    let found = login_hindrances(cluster, node, key, *system, units, keys.created())?;
    let mut findings: Vec<Finding> = Vec::new();
    for hindrance in found.iter().filter(|hindrance| hindrance.is_certain) {
        let Some(finding) = finding(hindrance, others, apply) else { continue };
        let same = |other: &Finding| other.what == finding.what && other.path == finding.path;
        if !findings.iter().any(same) {
            findings.push(finding);
        }
    }
    Ok(findings)
}

/// Returns how findings about a user's logins begin.
fn begin(user: &str) -> String {
    format!("{user} cannot log in by key: ")
}

/// Says in findings about logins what has to change for a card to be built, where building it again
/// alone does not help. Returns the reasons that no finding is about.
pub(super) fn advise(findings: &mut [Finding], reasons: Vec<RenderError>) -> Vec<RenderError> {
    let mut left = Vec::new();
    for reason in reasons {
        let RenderError::KeptOut { user, file, line, .. } = &reason else { continue };
        let begin = printable(&begin(user));
        let same = findings.iter_mut().filter(|finding| {
            finding.code == FindingCode::SshHindrance
                && finding.what.starts_with(&begin)
                && finding.path == *file
                && finding.line == *line
        });
        let mut is_found = false;
        for finding in same {
            is_found = true;
            if finding.fix.apply.is_none() && finding.fix.action == FixAction::Rewrite {
                finding.fix = FixAction::Adapt { advice: reason.fix() }.into();
            }
        }
        if !is_found {
            left.push(reason);
        }
    }
    left
}

fn finding(
    found: &LoginHindrance,
    others: &[Finding],
    apply: Option<&ApplyCommand>,
) -> Option<Finding> {
    let LoginHindrance { user, hindrance, .. } = found;
    let path = match (&hindrance.at, &hindrance.kind, &hindrance.repair) {
        // Key files are compared with what they should hold, and a user who is gone is the
        // finding of a system that does not fit.
        (_, HindranceKind::KeyMissing | HindranceKind::UnknownUser, _) => return None,
        (_, HindranceKind::HostKeyNotNamed(_), _)
            if others.iter().any(|other| other.code == FindingCode::SshdConfig) =>
        {
            return None;
        }
        (_, HindranceKind::PasswordExpired, _)
            if others.iter().any(|other| {
                other.code == FindingCode::Password && other.what.starts_with(&format!("{user} "))
            }) =>
        {
            return None;
        }
        // Notes say it already: such a system is only a part of one.
        (_, HindranceKind::Shell(..), None) => return None,
        (_, HindranceKind::NoConfig(path), None) if path == SSHD_CONFIG => return None,
        (Some(at), ..) => Some(at.path.clone()),
        (
            None,
            _,
            Some(
                Repair::Attributes { path, .. }
                | Repair::Directory { path, .. }
                | Repair::Remove(path),
            ),
        ) => Some(path.clone()),
        _ => None,
    };
    let is_of_path = |other: &&Finding| {
        hindrance.at.is_none() && other.path == path && other.severity > Severity::Note
    };
    if path.is_some() && others.iter().any(|other| is_of_path(&other)) {
        return None;
    }
    let fix = match &hindrance.repair {
        Some(Repair::Attributes { path, mode, uid, gid }) => {
            FixAction::OnNode(format!("chown {uid}:{gid} {path}; chmod {mode:04o} {path}"))
        }
        Some(Repair::Remove(path)) => FixAction::OnNode(format!("rm {path}")),
        Some(Repair::Shell { user, shell }) => {
            FixAction::OnNode(format!("usermod -s {shell} {user}"))
        }
        Some(Repair::NoAccountExpiry { user }) => FixAction::OnNode(format!("chage -E -1 {user}")),
        Some(Repair::NoPasswordExpiry { user }) => {
            FixAction::OnNode(format!("chage -d $(date +%F) -M 99999 {user}"))
        }
        _ => match (&hindrance.kind, &hindrance.at) {
            (HindranceKind::Hidden { .. }, Some(at)) => FixAction::unmount(at),
            _ => FixAction::Rewrite,
        },
    };
    let what = format!("{}{}", begin(user), found.what());
    let mut finding = Finding::error(FindingCode::SshHindrance, printable(&what), fix);
    finding.path = path;
    finding.line = hindrance.at.as_ref().map(|at| at.line);
    let is_edited = !matches!(
        hindrance.repair,
        None | Some(Repair::CommentOut(_) | Repair::KeyFile(_) | Repair::DropbearOption(_))
    );
    finding.fix.apply = apply.filter(|_| is_edited).cloned();
    Some(finding)
}
