//! Each edit that would change something is a finding, unless the change is one that
//! a running system makes, or its owner may.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::Path,
};

use card_image::{FileKind, FsResult};
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
        Change::Copy { source, size, attributes, .. } => {
            copied(subject, path, source, *size, attributes)
        }
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

/// Large files are not read whole: their size and both ends tell one from another.
fn copied(
    subject: &Subject<'_>,
    path: &str,
    source: &Path,
    size: u64,
    attributes: &Attributes,
) -> FsResult<Vec<Finding>> {
    const END: usize = 1 << 20;
    let rule = rules::of_copied();
    let wrong =
        |what: &str| Finding::new(rule.severity, rule.code, what, subject.rewrite()).at(path);
    let Some(metadata) = subject.files.metadata_followed(path)? else {
        return Ok(vec![wrong("the file is missing")]);
    };
    if metadata.kind != FileKind::Regular {
        let found = State::read(subject.files, path)?.describe();
        return Ok(vec![wrong("there is something else in place of the file").found(found)]);
    }
    if metadata.size != size {
        let finding = wrong("it is not the file that the profile names");
        let bytes = |size: u64| format!("{size} bytes");
        return Ok(vec![finding.expected(bytes(size)).found(bytes(metadata.size))]);
    }
    let mut findings = attributes::check(path, rule, &metadata, attributes);
    match ends(source, END) {
        Ok(wanted) => {
            if subject.files.ends(path, END)?.is_none_or(|found| found != wanted) {
                findings.push(wrong("it is not the file that the profile names"));
            }
        }
        Err(error) => {
            let what = format!("not compared: cannot read {}: {error}", source.display());
            let mend = "see that the file is there, and verify again";
            findings.push(Finding::note(rule.code, what, mend).at(path));
        }
    }
    Ok(findings)
}

/// The first and the last bytes of a file of this machine.
fn ends(path: &Path, length: usize) -> io::Result<(Vec<u8>, Vec<u8>)> {
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    let length = size.min(length as u64);
    let mut read = |offset| {
        file.seek(SeekFrom::Start(offset))?;
        let mut bytes = vec![0; length as usize];
        file.read_exact(&mut bytes)?;
        Ok::<_, io::Error>(bytes)
    };
    Ok((read(0)?, read(size - length)?))
}

fn directory(subject: &Subject<'_>, path: &str, attributes: &Attributes) -> FsResult<Vec<Finding>> {
    let rule = Rule {
        code: match path {
            _ if path.ends_with("/.ssh") => "ssh-directory",
            _ if rules::is_swarm(path) => "swarm",
            _ => "home-directory",
        },
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
    if rules::is_swarm(path) {
        let what = "the node does not look for its swarm when it boots";
        let mend = "on the node: systemctl enable nodecard-swarm";
        let finding = Finding::warning("swarm", what, mend).at(path);
        return Ok(vec![
            finding.expected(format!("a symlink to {target}")).found(state.describe()),
        ]);
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
            "swarm" => "this is left from another swarm, or another place in it",
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
    if metadata.modified.seconds() >= mtime as i64 {
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
