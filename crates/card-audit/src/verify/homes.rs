//! The users' homes: sshd accepts no keys from a home that belongs to another user.

use card_image::FsResult;

use super::Subject;
use crate::{Finding, FindingCode, FixAction, facts::read_text};

/// Returns which homes belong to another user. Whether others can write to them is an
/// edit's finding.
pub(super) fn check(subject: &Subject<'_>) -> FsResult<Vec<Finding>> {
    let passwd = read_text(subject.files, "/etc/passwd")?.unwrap_or_default();
    let users = subject.cluster.key_users();
    let mut findings = Vec::new();
    for line in passwd.lines() {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, uid, gid, _, home, ..] = fields.as_slice() else { continue };
        let listed = users.contains(name);
        let (true, Ok(uid)) = (listed && home.starts_with('/'), uid.parse::<u32>()) else {
            continue;
        };
        let Some(metadata) = subject.files.metadata_followed(home)? else { continue };
        if metadata.uid != uid && metadata.uid != 0 {
            let what = format!(
                "{name}'s home belongs to another user, so sshd rejects the keys of {name}"
            );
            let fix = FixAction::OnNode(format!("chown {uid}:{gid} {home}"));
            let finding = Finding::error(FindingCode::Owner, what, fix).at(home);
            findings.push(finding.expected(uid.to_string()).found(metadata.uid.to_string()));
        }
    }
    Ok(findings)
}
