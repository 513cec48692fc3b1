//! The users' homes: sshd takes no keys from one that another user owns.

use card_image::FsResult;

use super::Subject;
use crate::{Finding, facts::read_text};

/// What is wrong with them. Whether others can write there is asked elsewhere.
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
            let what =
                format!("{name}'s home belongs to another user, so sshd refuses {name}'s keys");
            let finding =
                Finding::error("owner", what, format!("on the node: chown {uid}:{gid} {home}"));
            let finding = finding.at(home).expected(uid.to_string());
            findings.push(finding.found(metadata.uid.to_string()));
        }
    }
    Ok(findings)
}
