//! Users' passwords: those of the profile, and those that everybody knows. No hash goes
//! into a finding.

use card_image::FsResult;
use cluster_profile::{DefaultPassword, Password, default_password};

use super::{Subject, rules::Rule};
use crate::{
    Finding,
    facts::read_text,
    shadow::{self, Entry},
};

const SHADOW: &str = "/etc/shadow";
/// More logins are not looked at: trying passwords takes time.
const MOST_USERS: usize = 100;

/// Passwords that are not as the profile says, in the /etc/shadow that is there and the
/// one that would be.
pub(super) fn compare(
    subject: &Subject<'_>,
    rule: Rule,
    actual: &str,
    expected: &str,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for account in &subject.cluster.users {
        let Some(password) = &account.password else { continue };
        let name = &account.name;
        let (found, wanted) = (shadow::entry(actual, name), shadow::entry(expected, name));
        let same = match (found, password) {
            (None, _) => false,
            (Some(found), Password::Locked) => found.is_locked(),
            (Some(found), Password::Hash(_)) => {
                wanted.is_some_and(|wanted| found.password == wanted.password)
            }
        };
        let line = found.map(|found| found.line);
        if same && found.is_some_and(|found| found.is_expired()) {
            let what = format!("{name} has to choose a new password at the next login");
            let mend = format!("on the node: chage -d $(date +%F) {name}");
            findings.push(Finding::new(rule.severity, rule.code, what, mend).at(SHADOW).line(line));
        }
        if same {
            continue;
        }
        let (what, expected) = match password {
            Password::Locked => (format!("a password may let {name} in"), "none, locked"),
            Password::Hash(_) => {
                (format!("{name}'s password is not the profile's"), "the profile's")
            }
        };
        let mend = "nodecard apply; or if the change was meant, say so in the profile's `users`";
        let finding = Finding::new(rule.severity, rule.code, what, mend).at(SHADOW).line(line);
        findings.push(finding.expected(expected).found(describe(name, found)));
    }
    findings
}

/// What is there, in words.
fn describe(name: &str, found: Option<Entry<'_>>) -> String {
    let Some(found) = found else { return "no line for this user".into() };
    match default_password(name, found.password) {
        Some(DefaultPassword::Empty) => "none, everybody gets in".into(),
        Some(DefaultPassword::Word(word)) => format!("`{word}`, which everybody knows"),
        None if found.is_locked() => "none, locked".into(),
        None => "another one".into(),
    }
}

/// Passwords that everybody knows, of users whose password the profile leaves alone; and
/// hashes that everybody on the node can read.
pub(super) fn check(subject: &Subject<'_>) -> FsResult<Vec<Finding>> {
    let shadow = read_text(subject.files, SHADOW)?.unwrap_or_default();
    let passwd = read_text(subject.files, "/etc/passwd")?.unwrap_or_default();
    let mut findings = Vec::new();
    for line in passwd.lines().filter(|line| can_log_in(line)).take(MOST_USERS) {
        let mut fields = line.split(':');
        let (Some(name), Some(field)) = (fields.next(), fields.next()) else { continue };
        let is =
            |account: &cluster_profile::Account| account.name == name && account.password.is_some();
        if subject.cluster.users.iter().any(is) {
            continue;
        }
        let (path, line, password) = match (field, shadow::entry(&shadow, name)) {
            ("x", Some(entry)) => (SHADOW, Some(entry.line), entry.password),
            ("x", None) => continue,
            (password, _) => ("/etc/passwd", None, password),
        };
        let what = match default_password(name, password) {
            None => continue,
            Some(DefaultPassword::Empty) => format!("{name} has no password: everybody gets in"),
            Some(DefaultPassword::Word(word)) => {
                format!("{name}'s password is `{word}`, which everybody knows")
            }
        };
        let mend = format!(
            "on the node: passwd {name}; or in the profile `users: {{{name}: {{password: 'HASH'}}}}` \
             with a hash as `openssl passwd -6` prints it, then nodecard apply"
        );
        // The card is as the profile says, and a card just made must not count as wrong.
        let finding = Finding::note("default-password", crate::text::printable(&what), mend);
        findings.push(finding.at(path).line(line));
    }
    let mode = subject.files.metadata_followed(SHADOW)?.map(|metadata| metadata.mode);
    if let Some(mode) = mode.filter(|mode| mode & 0o004 != 0) {
        let what = "every user of the node can read all password hashes";
        let finding = Finding::warning("mode", what, format!("on the node: chmod 640 {SHADOW}"));
        findings.push(finding.at(SHADOW).expected("0640").found(format!("{mode:04o}")));
    }
    Ok(findings)
}

fn can_log_in(line: &str) -> bool {
    let shell = line.trim_end().rsplit(':').next().unwrap_or_default();
    let barred = ["/nologin", "/false", "/sync", "/halt", "/shutdown"];
    !barred.iter().any(|end| shell.ends_with(end))
}
