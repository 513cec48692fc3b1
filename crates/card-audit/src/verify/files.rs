//! Each edit that would change something is a finding, unless a running system or the
//! card's owner rightly made the difference.

use std::{
    fs::OpenOptions,
    io::{self, Read, Seek, SeekFrom},
    path::Path,
};

use card_image::{FileKind, FsResult};
use cluster_profile::{Attributes, Change, ClonedState, FileEdit, KeyHalf, Purpose};
use plain_text::shell_word;

use super::{
    Subject, attributes,
    clones::{Clone, Clones},
    contents::Contents,
    judgement::{ChangedBy, Comparison, Intruder, Rule},
    rules::rule,
};
use crate::{Finding, FixAction, Severity, state::State};

/// Returns what one edit finds wrong.
pub(super) fn compare(
    subject: &Subject<'_>,
    clones: &Clones<'_>,
    edit: &FileEdit,
) -> FsResult<Vec<Finding>> {
    let FileEdit { path, change, purpose } = edit;
    let item = Item { subject, path, purpose, rule: rule(purpose) };
    match change {
        Change::Write { contents, attributes } => item.written(contents, attributes),
        Change::Copy { source, size, attributes, .. } => item.copied(source, *size, attributes),
        Change::Directory { attributes } => item.directory(attributes),
        Change::Symlink { target } => item.symlink(target),
        Change::Remove => item.removed(clones),
        Change::Clear => item.cleared(clones),
        Change::Touch { mtime, .. } => item.touched(*mtime),
    }
}

/// Returns the finding for a symlink in the place of a file, whose target has another purpose.
pub(super) fn foreign_link(subject: &Subject<'_>, edit: &FileEdit) -> FsResult<Finding> {
    let rule = rule(&edit.purpose);
    let found = State::read_link(subject.files, &edit.path)?;
    let what = match (&edit.change, &found) {
        (Change::Directory { .. }, State::Symlink { .. }) => {
            "it is a symlink to something else than a directory of this user's"
        }
        (Change::Directory { .. }, _) => "something else is there instead of the directory",
        _ => "it is a symlink to something else than this file",
    };
    let finding = Finding::new(rule.severity, rule.code, what, FixAction::Rewrite);
    Ok(finding.at(&edit.path).found(found.describe()))
}

/// Returns what on the way to a path is neither a directory nor a symlink to one, so that nothing
/// can be written there.
pub(super) fn obstacle(subject: &Subject<'_>, path: &str) -> FsResult<Option<String>> {
    for (end, _) in path.match_indices('/').skip(1) {
        let above = path.get(..end).unwrap_or_default();
        match subject.files.metadata_followed(above) {
            Ok(None) => return Ok(None),
            Ok(Some(found)) if found.is_dir() => {}
            Err(error) if !error.is_symlink_loop() => return Err(error),
            _ => return Ok(Some(above.to_owned())),
        }
    }
    Ok(None)
}

/// One thing on the card that is looked at.
struct Item<'a> {
    subject: &'a Subject<'a>,
    path: &'a str,
    purpose: &'a Purpose,
    rule: Rule,
}

impl Item<'_> {
    /// Returns a finding of the rule's severity and code.
    fn finding(&self, what: impl Into<String>, fix: FixAction) -> Finding {
        Finding::new(self.rule.severity, self.rule.code, what, fix).at(self.path)
    }

    fn written(&self, expected: &[u8], attributes: &Attributes) -> FsResult<Vec<Finding>> {
        let files = self.subject.files;
        // A plain file is rendered only where nothing in the system fills the target of a
        // link. The image may still hold a file there, from when it ran.
        if self.rule.comparison == Comparison::Resolver
            && let link @ State::Symlink { .. } = State::read_link(files, self.path)?
        {
            let what = "it is a symlink to a file that no program writes, so no name server is \
                        used";
            return Ok(vec![self.finding(what, FixAction::Rewrite).found(link.describe())]);
        }
        match State::read(files, self.path)? {
            State::File { contents, metadata } => {
                let contents = Contents::new(
                    self.subject,
                    self.path,
                    self.purpose,
                    self.rule,
                    [&contents, expected],
                );
                let mut findings = contents.compare();
                let guard = self.rule.guard;
                findings.extend(attributes::check(self.path, guard, &metadata, attributes));
                Ok(findings)
            }
            // A pair that is gone is reported once, by its private half.
            State::Missing if self.purpose.key_half() == Some(KeyHalf::Public) => Ok(Vec::new()),
            State::Missing => Ok(vec![self.finding("the file is missing", FixAction::Rewrite)]),
            other => Ok(vec![self.not_a_file(&other)]),
        }
    }

    fn not_a_file(&self, found: &State) -> Finding {
        let what = "something else is there instead of the file";
        // apply removes no directory, which may hold files of the owner.
        let fix = match found {
            State::Directory { .. } => FixAction::RemoveObstacle { path: self.path.to_owned() },
            _ => FixAction::Rewrite,
        };
        self.finding(what, fix).found(found.describe())
    }

    /// Large files are not read whole: two are different if their sizes or ends are.
    fn copied(&self, source: &Path, size: u64, attributes: &Attributes) -> FsResult<Vec<Finding>> {
        const END: usize = 1 << 20;
        let files = self.subject.files;
        let different =
            || self.finding("it is not the file that the profile names", FixAction::Rewrite);
        let Some(metadata) = files.metadata_followed(self.path)? else {
            return Ok(vec![self.finding("the file is missing", FixAction::Rewrite)]);
        };
        if metadata.kind != FileKind::Regular {
            return Ok(vec![self.not_a_file(&State::read(files, self.path)?)]);
        }
        if metadata.size != size {
            let bytes = |size: u64| format!("{size} bytes");
            return Ok(vec![different().expected(bytes(size)).found(bytes(metadata.size))]);
        }
        let mut findings = attributes::check(self.path, self.rule.guard, &metadata, attributes);
        match ends(source, END) {
            Ok(expected) => {
                if files.ends(self.path, END)?.is_none_or(|found| found != expected) {
                    findings.push(different());
                }
            }
            Err(error) => {
                let source = source.to_owned();
                let what = format!("not compared: cannot read {}: {error}", source.display());
                let fix = FixAction::RestoreSource { path: source };
                findings.push(Finding::note(self.rule.code, what, fix).at(self.path));
            }
        }
        Ok(findings)
    }

    fn directory(&self, attributes: &Attributes) -> FsResult<Vec<Finding>> {
        if self.rule.changed_by == ChangedBy::Node {
            return Ok(Vec::new());
        }
        let files = self.subject.files;
        // What the owner has moved is the owner's still.
        let is_moved = || -> FsResult<bool> {
            let found = files.metadata_followed(self.path);
            match found {
                Ok(found) => Ok(found.is_some_and(|it| it.is_dir() && it.uid == attributes.uid)),
                Err(error) if error.is_symlink_loop() => Ok(false),
                Err(error) => Err(error),
            }
        };
        let state = if attributes.enforce && !is_moved()? {
            State::read_link(files, self.path)?
        } else {
            State::read(files, self.path)?
        };
        Ok(match state {
            State::Directory { metadata, .. } => {
                attributes::check(self.path, self.rule.guard, &metadata, attributes)
            }
            State::Missing => vec![self.finding("the directory is missing", FixAction::Rewrite)],
            other => {
                let what = "something else is there instead of the directory";
                vec![self.finding(what, FixAction::Rewrite).found(other.describe())]
            }
        })
    }

    fn symlink(&self, target: &str) -> FsResult<Vec<Finding>> {
        let state = State::read_link(self.subject.files, self.path)?;
        if matches!(&state, State::Symlink { target: found } if found == target.as_bytes()) {
            return Ok(Vec::new());
        }
        let finding = match self.rule.comparison {
            Comparison::MaskedUnit => {
                let what = "a program that would undo the card at the next boot is enabled";
                return Ok(vec![self.finding(what, FixAction::RewriteBeforeBoot)]);
            }
            Comparison::EnabledUnit => {
                let what = match self.purpose {
                    Purpose::Swarm(_) => "the node does not look for its swarm when it boots",
                    _ => "nothing starts this unit when the node boots",
                };
                let command = format!("systemctl enable {}", name_of(self.path));
                self.finding(what, FixAction::OnNode(command))
            }
            Comparison::Absent(Intruder::NetworkFile) => {
                let what = "a package's file of this name, which takes precedence over the node's \
                            static address, is not masked";
                self.finding(what, FixAction::Rewrite)
            }
            Comparison::MachineIdLink => {
                // A copy of the right id, or a link that leads to it another way, is as good.
                let expected = self.subject.keys.machine_id(&self.subject.node.name);
                let id = crate::facts::read_text(self.subject.files, self.path)?;
                if id.unwrap_or_default().trim() == expected || state == State::Missing {
                    return Ok(Vec::new());
                }
                let what = "D-Bus has another machine id";
                let command = format!("ln -sf {target} {}", self.path);
                self.finding(what, FixAction::OnNode(command))
            }
            _ => self.finding("it is not the right symlink", FixAction::Rewrite),
        };
        Ok(vec![finding.expected(format!("a symlink to {target}")).found(state.describe())])
    }

    fn removed(&self, clones: &Clones<'_>) -> FsResult<Vec<Finding>> {
        match State::read_link(self.subject.files, self.path)? {
            State::Missing => Ok(Vec::new()),
            _ => self.unwanted(clones),
        }
    }

    fn cleared(&self, clones: &Clones<'_>) -> FsResult<Vec<Finding>> {
        match State::read_link(self.subject.files, self.path)? {
            State::Directory { names, .. } if names > 0 => self.unwanted(clones),
            _ => Ok(Vec::new()),
        }
    }

    /// Judges what is there although the edit removes it.
    fn unwanted(&self, clones: &Clones<'_>) -> FsResult<Vec<Finding>> {
        match self.rule.comparison {
            Comparison::Absent(intruder) => {
                let what = match intruder {
                    Intruder::SwarmLeftover => {
                        "it is left over from another swarm, or from another role in this one"
                    }
                    Intruder::NetworkFile => {
                        "this file would take precedence over the node's static address"
                    }
                    Intruder::FirstBootProgram => {
                        let what =
                            "it runs at the next boot and undoes what the card was made with";
                        return Ok(vec![self.finding(what, FixAction::RewriteBeforeBoot)]);
                    }
                };
                let command = format!("rm {}", shell_word(self.path));
                Ok(vec![self.finding(what, FixAction::OnNode(command))])
            }
            Comparison::NotFromBase(state) => {
                let found = clones.find(self.path, state)?;
                Ok(found
                    .map(|(file, clone)| self.clone_of_base(&file, state, clone))
                    .into_iter()
                    .collect())
            }
            Comparison::EnabledUnit => {
                let command = format!("rm {}", shell_word(self.path));
                let what = "it keeps the unit from starting when the node boots";
                Ok(vec![self.finding(what, FixAction::OnNode(command))])
            }
            Comparison::Login => {
                let what = "it keeps users of the profile from logging in";
                let command = format!("rm {}", shell_word(self.path));
                Ok(vec![self.finding(what, FixAction::OnNode(command))])
            }
            // It is removed to be written again.
            _ => Ok(Vec::new()),
        }
    }

    fn clone_of_base(&self, file: &str, state: ClonedState, clone: Clone) -> Finding {
        let (name, after) = match state {
            ClonedState::DockerIdentity => {
                ("Docker's identity", ", then restart docker, which makes its own")
            }
            ClonedState::DockerSwarm => {
                ("a swarm's state", ", then restart docker, which makes its own")
            }
            ClonedState::SwarmRecord => ("a node's record of its swarm", ""),
            ClonedState::RandomSeed => ("a random seed", ""),
            ClonedState::Dhcp => ("a DHCP lease or identity", ""),
            ClonedState::NetworkManagerSecret => ("NetworkManager's secret", ""),
            ClonedState::CredentialSecret => ("systemd's credential secret", ""),
            ClonedState::HostKey(_) => ("a host key", "*, then restart sshd"),
            ClonedState::UserKey(_) => ("a user's key pair", ""),
        };
        let (severity, what) = match clone {
            Clone::SameAsBase => {
                (self.rule.severity, format!("{name}, the same as in the base image"))
            }
            Clone::AsOldAsCard => (
                Severity::Warning,
                format!(
                    "{name}, as old as the card itself, so it may have come with the base image \
                     and be on every card"
                ),
            ),
        };
        let fix = FixAction::OnNode(format!("rm {}{after}", shell_word(file)));
        Finding::new(severity, self.rule.code, what, fix).at(file)
    }

    /// A clock continues from its stamp. Only one older than the cluster is wrong.
    fn touched(&self, mtime: u64) -> FsResult<Vec<Finding>> {
        let metadata = self.subject.files.metadata_followed(self.path)?;
        if metadata.is_none_or(|metadata| metadata.modified.seconds() >= mtime as i64) {
            return Ok(Vec::new());
        }
        let what = "a board without a clock starts at a time before the cluster's keys were \
                    created";
        Ok(vec![self.finding(what, FixAction::TimeServerSets)])
    }
}

/// Returns the first and the last bytes of a file of this machine.
fn ends(path: &Path, length: usize) -> io::Result<(Vec<u8>, Vec<u8>)> {
    let mut file = platform::open_regular(path, OpenOptions::new().read(true))?;
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

fn name_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
