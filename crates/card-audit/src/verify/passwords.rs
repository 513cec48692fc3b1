//! Users' passwords: the profile's, and default ones. No finding shows a hash.

use card_image::FsResult;
use cluster_profile::{DefaultPassword, Password, default_password};
use plain_text::printable;

use super::{Subject, contents::Contents};
use crate::{
    Finding, FindingCode, FixAction,
    facts::read_text,
    shadow::{self, Entry},
};

const SHADOW: &str = "/etc/shadow";
/// More users are not looked at: trying passwords takes time.
const MAX_USERS: usize = 100;

/// Returns which of the profile's passwords differ between the /etc/shadow on the card and
/// the one that should be there.
pub(super) fn compare(contents: &Contents<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for account in &contents.subject.cluster.users {
        let Some(password) = &account.password else { continue };
        let name = &account.name;
        let found = shadow::entry(&contents.actual, name);
        let wanted = shadow::entry(&contents.expected, name);
        let is_same = match (found, password) {
            (None, _) => false,
            (Some(found), Password::Locked) => found.is_locked(),
            (Some(found), Password::Hash(_)) => {
                wanted.is_some_and(|wanted| found.password == wanted.password)
            }
        };
        let line = found.map(|found| found.line);
        if is_same && found.is_some_and(|found| found.is_expired()) {
            let what = format!("{name} must change the password at the next login");
            let fix = FixAction::OnNode(format!("chage -d $(date +%F) {name}"));
            findings.push(contents.finding(what, fix).line(line));
        }
        if is_same {
            continue;
        }
        let (what, expected) = match password {
            Password::Locked => (format!("{name} can log in with a password"), "none, locked"),
            Password::Hash(_) => {
                (format!("{name}'s password is not the profile's"), "the profile's")
            }
        };
        let finding = contents.finding(what, FixAction::RestorePassword).line(line);
        findings.push(finding.expected(expected).found(describe(name, found)));
    }
    findings
}

/// Describes the password that is there.
fn describe(name: &str, found: Option<Entry<'_>>) -> String {
    let Some(found) = found else { return "no line for this user".into() };
    match default_password(name, found.password) {
        Some(DefaultPassword::Empty) => "none: no password is asked for".into(),
        Some(DefaultPassword::Word(word)) => format!("the default password `{word}`"),
        None if found.is_locked() => "none, locked".into(),
        None => "another one".into(),
    }
}

/// Returns the default passwords of users whose password the profile does not set, and
/// whether every user of the node can read the hashes.
pub(super) fn check(subject: &Subject<'_>) -> FsResult<Vec<Finding>> {
    let shadow = read_text(subject.files, SHADOW)?.unwrap_or_default();
    let passwd = read_text(subject.files, "/etc/passwd")?.unwrap_or_default();
    let mut findings = Vec::new();
    for line in passwd.lines().filter(|line| can_log_in(line)).take(MAX_USERS) {
        let mut fields = line.split(':');
        let (Some(name), Some(field)) = (fields.next(), fields.next()) else { continue };
        let is_set =
            |account: &cluster_profile::Account| account.name == name && account.password.is_some();
        if subject.cluster.users.iter().any(is_set) {
            continue;
        }
        let (path, line, password) = match (field, shadow::entry(&shadow, name)) {
            ("x", Some(entry)) => (SHADOW, Some(entry.line), entry.password),
            ("x", None) => continue,
            (password, _) => ("/etc/passwd", None, password),
        };
        let what = match default_password(name, password) {
            None => continue,
            Some(DefaultPassword::Empty) => format!("{name} can log in without a password"),
            Some(DefaultPassword::Word(word)) => {
                format!("{name} still has the default password `{word}`")
            }
        };
        // The card is as the profile says: one just made must not count as wrong.
        let fix = FixAction::SetPassword { user: printable(name) };
        let finding = Finding::note(FindingCode::DefaultPassword, printable(&what), fix);
        findings.push(finding.at(path).line(line));
    }
    let found = match subject.files.metadata_followed(SHADOW) {
        Err(error) if error.is_symlink_loop() => None,
        found => found?,
    };
    let mode = found.map(|metadata| metadata.mode);
    if let Some(mode) = mode.filter(|mode| mode & 0o004 != 0) {
        let what = "every user of the node can read the password hashes";
        let fix = FixAction::OnNode(format!("chmod 640 {SHADOW}"));
        let finding = Finding::warning(FindingCode::Mode, what, fix).at(SHADOW);
        findings.push(finding.expected("0640").found(format!("{mode:04o}")));
    }
    Ok(findings)
}

fn can_log_in(line: &str) -> bool {
    let shell = line.trim_end().rsplit(':').next().unwrap_or_default();
    let barred = ["/nologin", "/false", "/sync", "/halt", "/shutdown"];
    !barred.iter().any(|end| shell.ends_with(end))
}
