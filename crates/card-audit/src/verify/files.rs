//! Each edit that would change something is a finding, unless the change is one that
//! a running system makes, or its owner may.

use card_image::FsResult;
use cluster_profile::{Attributes, Change, FileEdit};

use super::{
    Subject, attributes,
    clones::{Clone, Clones},
    contents,
    rules::{self, Rule},
};
use crate::{Finding, Severity, state::State};

/// What one edit finds wrong.
pub(super) fn compare(
    subject: &Subject<'_>,
    clones: &Clones<'_>,
    FileEdit { path, change }: &FileEdit,
) -> FsResult<Vec<Finding>> {
    match change {
        Change::Write { contents, attributes } => written(subject, path, contents, attributes),
        Change::Directory { attributes } => directory(subject, path, attributes),
        Change::Symlink { target } => symlink(subject, path, target),
        Change::Remove | Change::Clear => removed(subject, clones, path, change),
        Change::Touch { mtime, .. } => touched(subject, path, *mtime),
    }
}

fn written(
    subject: &Subject<'_>,
    path: &str,
    expected: &[u8],
    attributes: &Attributes,
) -> FsResult<Vec<Finding>> {
    let rule = rules::of_written(subject.cluster, subject.node, path, expected);
    // Written only where nobody in the system would fill what a link leads to: the
    // image may hold a file there all the same, from when it ran.
    if rule.comparison == rules::Comparison::Resolver
        && let State::Symlink { target } = State::read_link(subject.files, path)?
    {
        let what = "it is a link that nothing in the system fills, so no name server is asked";
        let finding = Finding::new(rule.severity, rule.code, what, subject.rewrite()).at(path);
        return Ok(vec![finding.found(State::Symlink { target }.describe())]);
    }
    match State::read(subject.files, path)? {
        State::File { contents, metadata } => {
            let mut findings = contents::compare(subject, path, rule, &contents, expected);
            findings.extend(attributes::check(path, rule, &metadata, attributes));
            Ok(findings)
        }
        // A pair that is gone is told once, by its private half.
        State::Missing if path.ends_with(".pub") => Ok(Vec::new()),
        State::Missing => {
            let finding =
                Finding::new(rule.severity, rule.code, "the file is missing", subject.rewrite());
            Ok(vec![finding.at(path)])
        }
        other => {
            let what = "there is something else in place of the file";
            let finding = Finding::new(rule.severity, rule.code, what, subject.rewrite());
            Ok(vec![finding.at(path).found(other.describe())])
        }
    }
}

fn directory(subject: &Subject<'_>, path: &str, attributes: &Attributes) -> FsResult<Vec<Finding>> {
    let rule = Rule {
        code: if path.ends_with("/.ssh") { "ssh-directory" } else { "home-directory" },
        severity: Severity::Error,
        comparison: rules::Comparison::No,
    };
    // timesyncd makes its own.
    if path.starts_with("/var/lib/systemd/") {
        return Ok(Vec::new());
    }
    let state = match attributes.enforce {
        true => State::read_link(subject.files, path)?,
        false => State::read(subject.files, path)?,
    };
    Ok(match state {
        State::Directory { metadata, .. } => attributes::check(path, rule, &metadata, attributes),
        State::Missing => {
            let what = "the directory is missing";
            vec![Finding::error(rule.code, what, subject.rewrite()).at(path)]
        }
        other => {
            let what = "there is something else in place of the directory";
            let finding = Finding::error(rule.code, what, subject.rewrite());
            vec![finding.at(path).found(other.describe())]
        }
    })
}

fn symlink(subject: &Subject<'_>, path: &str, target: &str) -> FsResult<Vec<Finding>> {
    let state = State::read_link(subject.files, path)?;
    if matches!(&state, State::Symlink { target: found } if found == target.as_bytes()) {
        return Ok(Vec::new());
    }
    if target == "/dev/null" {
        let what = "a program that would undo the card at the next boot is enabled";
        let mend = format!("on the node: systemctl mask {}", name_of(path));
        return Ok(vec![Finding::error("first-boot", what, mend).at(path)]);
    }
    // A copy of the right id, or a link that leads to it another way, is as good.
    let wanted = subject.keys.machine_id(&subject.node.name);
    let said = crate::facts::read_text(subject.files, path)?.unwrap_or_default();
    if said.trim() == wanted || state == State::Missing {
        return Ok(Vec::new());
    }
    let what = "D-Bus knows the machine by another id";
    let mend = format!("on the node: ln -sf {target} {path}");
    let finding = Finding::warning("machine-id", what, mend).at(path);
    Ok(vec![finding.expected(format!("a symlink to {target}")).found(state.describe())])
}

fn removed(
    subject: &Subject<'_>,
    clones: &Clones<'_>,
    path: &str,
    change: &Change,
) -> FsResult<Vec<Finding>> {
    let state = State::read_link(subject.files, path)?;
    let nothing = match (&state, change) {
        (State::Missing, _) => true,
        (State::Directory { names, .. }, Change::Clear) => *names == 0,
        (_, Change::Clear) => true,
        _ => false,
    };
    if nothing || path.ends_with(".pub") {
        return Ok(Vec::new());
    }
    let rule = rules::of_removed(path);
    if !matches!(rule.code, "cloned-file" | "cloned-user-key") {
        let what = match rule.code {
            "network-rival" => "this file would come before the node's static address",
            _ => "this runs at the next boot and undoes what the card was made with",
        };
        let mend = format!("on the node: rm {path}");
        return Ok(vec![Finding::new(rule.severity, rule.code, what, mend).at(path)]);
    }
    let Some((file, clone)) = clones.find(path)? else { return Ok(Vec::new()) };
    let what = what_clones(&file);
    let (severity, what) = match clone {
        Clone::SameAsBase => (rule.severity, format!("{what}, the same as in the base")),
        Clone::AsOldAsCard => (
            Severity::Warning,
            format!("{what}, as old as the card itself, so it may be the base's and on every card"),
        ),
    };
    let mend = format!(
        "on the node: rm {file}{}",
        match file.ends_with("_key") {
            true => "*, then restart sshd",
            false if file.starts_with("/var/lib/docker") || file.starts_with("/etc/docker") => {
                ", then restart docker, which makes its own"
            }
            false => "",
        }
    );
    Ok(vec![Finding::new(severity, rule.code, what, mend).at(&file)])
}

fn what_clones(file: &str) -> &'static str {
    match file {
        _ if file.starts_with("/var/lib/docker/swarm") => "a swarm's state",
        _ if file.contains("docker") => "Docker's identity",
        _ if file.contains("ssh_host_") => "a host key",
        _ if file.contains("/.ssh/") => "a user's key pair",
        _ if file.contains("random-seed") => "a random seed",
        _ if file.contains("lease") || file.contains("dhcp") => "a DHCP lease or identity",
        _ => "an identity",
    }
}

/// A clock goes on from its stamp; only one that is older than the cluster is wrong.
fn touched(subject: &Subject<'_>, path: &str, mtime: u64) -> FsResult<Vec<Finding>> {
    let Some(metadata) = subject.files.metadata_followed(path)? else { return Ok(Vec::new()) };
    if metadata.mtime >= mtime as i64 {
        return Ok(Vec::new());
    }
    let what = "a board without a clock begins at a time before the cluster's keys were made";
    Ok(vec![
        Finding::note("clock", what, "it is right once the node has reached a time server")
            .at(path),
    ])
}

fn name_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
