//! How to fix what a finding reports: a value, and the one place that puts it in words.

use std::{fmt, path::PathBuf};

use serde::{Serialize, Serializer};
use system_model::FileLine;

use crate::{ApplyCommand, BuildCommand};

/// How to fix what a finding reports.
///
/// Its [`Display`](std::fmt::Display) says it in words; in JSON it is that text.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fix {
    /// What to do.
    pub action: FixAction,
    /// How to do it with the card in a reader, if that is possible.
    pub apply: Option<ApplyCommand>,
    /// How to build the node's card again.
    pub rebuild: Option<BuildCommand>,
}

/// What to do about a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FixAction {
    /// Have nodecard write the file again.
    Rewrite,
    /// The same, before the card boots: the next boot would change the card.
    RewriteBeforeBoot,
    /// Correct one line of the file.
    CorrectLine,
    /// Add a line to the file.
    AddLine,
    /// Remove a line from the file.
    RemoveLine,
    /// Run a command on the running node.
    OnNode(String),
    /// Run a command on one of the two nodes that share something.
    OnOneNode(String),
    /// Build the card again, which nothing else replaces.
    Rebuild,
    /// Build one of the two cards that share something again.
    RebuildOne,
    /// Give only one of two copies, or build one of them again for another node.
    LeaveOutOrRebuildOne,
    /// Remove what is in the place of a file, and verify again.
    RemoveObstacle {
        /// The path on the card.
        path: String,
    },
    /// Change the base image, or the profile, for the two to fit; then build again.
    Adapt {
        /// What to change, if it is known.
        advice: Option<String>,
    },
    /// Set a user's password, on the node or in the profile.
    SetPassword {
        /// The user's name.
        user: String,
    },
    /// Set the profile's password again, or change the profile's `users`.
    RestorePassword,
    /// Change one of sshd's settings, if it is a hindrance.
    ChangeSetting,
    /// Look at what a program does at boot, and remove it if it changes the card.
    CheckProgram {
        /// The program: a unit, an argument of the kernel, a file.
        program: String,
    },
    /// Install an ssh server, or a unit that starts the one that is there.
    InstallSshServer,
    /// Let the root partition and its filesystem fill the card.
    GrowPartition {
        /// The number of the root partition.
        partition: u32,
    },
    /// Let the root filesystem fill its partition.
    GrowFilesystem {
        /// The number of the root partition.
        partition: u32,
    },
    /// Give the root partition its former size, or build the card again.
    RestorePartition,
    /// Check the filesystem with e2fsck.
    CheckFilesystem {
        /// The number of its partition.
        partition: u32,
    },
    /// Check the filesystem with e2fsck, or build the card again.
    CheckFilesystemOrRebuild {
        /// The number of its partition.
        partition: u32,
    },
    /// Make a file of this machine readable, and verify again.
    RestoreSource {
        /// The file.
        path: PathBuf,
    },
    /// Follow the commands that the node's status file gives, if the node is to be in the
    /// swarm.
    FollowStatus,
    /// Boot the node where it reaches a manager, and verify again.
    BootNearManager,
    /// Boot all nodes, and verify again.
    BootAllNodes,
    /// Change a service in the profile, or create it by hand.
    CorrectService,
    /// Give the node its role in the swarm, or change the profile.
    SettleRole {
        /// Docker's verb: `promote` or `demote`.
        verb: &'static str,
        /// The node's name.
        node: String,
    },
    /// Nothing, if the owner saved the boot loader's settings.
    NothingIfSaved,
    /// Nothing: the next boot replays the journal.
    NextBootReplays,
    /// Nothing: the next boot removes them.
    NextBootRemoves,
    /// Nothing: a time server sets the clock.
    TimeServerSets,
}

impl FixAction {
    /// Returns what to do about a filesystem that hides files; `at` says that it is mounted.
    pub(crate) fn unmount(at: &FileLine) -> Self {
        let advice = format!("remove the mount ({at}), or put the files on that filesystem");
        FixAction::Adapt { advice: Some(advice) }
    }
}

impl From<FixAction> for Fix {
    fn from(action: FixAction) -> Self {
        Fix { action, apply: None, rebuild: None }
    }
}

impl Fix {
    /// Says to build the card again, with the command if it is known.
    fn rebuild_words(&self) -> String {
        match &self.rebuild {
            Some(command) => format!("build the card again: {command}"),
            None => "build the card again".to_owned(),
        }
    }

    /// Says what to do instead of the action: apply if that does it, or build again.
    fn alternative(&self) -> String {
        match &self.apply {
            Some(apply) => format!("run: {apply}"),
            None => "build the card again".to_owned(),
        }
    }
}

/// The one place where fixes are put in words.
impl fmt::Display for Fix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.action {
            FixAction::Rewrite => match &self.apply {
                Some(apply) => apply.fmt(f),
                None => f.write_str(&self.rebuild_words()),
            },
            FixAction::RewriteBeforeBoot => match &self.apply {
                Some(apply) => write!(f, "before you boot this card, run: {apply}"),
                None => write!(f, "before you boot this card, {}", self.rebuild_words()),
            },
            FixAction::CorrectLine => write!(f, "correct the line, or {}", self.alternative()),
            FixAction::AddLine => write!(f, "add the line, or {}", self.alternative()),
            FixAction::RemoveLine => write!(f, "remove the line, or {}", self.alternative()),
            FixAction::OnNode(command) => {
                write!(f, "on the node: {command}")?;
                match &self.apply {
                    Some(apply) => write!(f, "; or with the card in a reader: {apply}"),
                    None => Ok(()),
                }
            }
            FixAction::OnOneNode(command) => write!(f, "on one of the nodes: {command}"),
            FixAction::Rebuild => f.write_str(&self.rebuild_words()),
            FixAction::RebuildOne => f.write_str("build one of the two cards again"),
            FixAction::LeaveOutOrRebuildOne => f.write_str(
                "if one is a copy of the other, give only one of them; otherwise build one of the \
                 cards again for its own node",
            ),
            FixAction::RemoveObstacle { path } => {
                let path = plain_text::shell_word(&plain_text::printable(path));
                write!(f, "on the node, move it away: mv {path} {path}.old; then verify again")
            }
            FixAction::Adapt { advice } => match advice {
                Some(advice) => write!(f, "{advice}; then {}", self.rebuild_words()),
                None => f.write_str(&self.rebuild_words()),
            },
            FixAction::SetPassword { user } => write!(
                f,
                "on the node: passwd {user}; or set {user}'s password under `users` in the profile"
            ),
            FixAction::RestorePassword => write!(
                f,
                "{}; or, if the change was intended, change `users` in the profile",
                self.apply.as_ref().map_or_else(|| self.rebuild_words(), ToString::to_string)
            ),
            FixAction::ChangeSetting => f.write_str("change the setting if logins with a key fail"),
            FixAction::CheckProgram { program } => write!(
                f,
                "before you boot this card, read the line; if it would change the node, remove {} \
                 from the base image and build the card again",
                plain_text::printable(program)
            ),
            FixAction::InstallSshServer => f.write_str(
                "in the base image: install openssh-server, or a unit that starts the ssh server",
            ),
            FixAction::GrowPartition { partition } => {
                match &self.apply {
                    Some(apply) => apply.fmt(f)?,
                    None => f.write_str("build the card again")?,
                }
                write!(
                    f,
                    ", or on the node: growpart /dev/mmcblk0 {partition}, then resize2fs \
                     /dev/mmcblk0p{partition}"
                )
            }
            FixAction::GrowFilesystem { partition } => {
                write!(f, "on the node: resize2fs /dev/mmcblk0p{partition}")?;
                match &self.apply {
                    Some(apply) => write!(f, "; or with the card in a reader: {apply}"),
                    None => Ok(()),
                }
            }
            FixAction::RestorePartition => f.write_str(
                "do not boot the card: build it again, or give the partition its former size",
            ),
            FixAction::CheckFilesystem { partition } => {
                write!(f, "with the card in a reader: e2fsck -f /dev/sdX{partition}")
            }
            FixAction::CheckFilesystemOrRebuild { partition } => {
                write!(f, "e2fsck -f on partition {partition}, or build the card again")
            }
            FixAction::RestoreSource { path } => {
                let path = plain_text::printable(&path.display().to_string());
                write!(f, "make {path} readable, then verify again")
            }
            FixAction::FollowStatus => f.write_str(
                "run the commands in the message if the node should join the profile's swarm",
            ),
            FixAction::BootNearManager => {
                f.write_str("boot the node while a manager is running, then verify again")
            }
            FixAction::BootAllNodes => f.write_str("boot all nodes, then verify again"),
            FixAction::CorrectService => f.write_str(
                "correct the service in the profile, or create it on the manager with `docker \
                 service create`",
            ),
            FixAction::SettleRole { verb, node } => write!(
                f,
                "on a manager: docker node {verb} {node}; or change the node's role in the profile"
            ),
            FixAction::NothingIfSaved => f.write_str("none needed if you saved the settings"),
            FixAction::NextBootReplays => f.write_str(
                "none needed: the next boot replays the journal; shut a node down before you \
                 remove its card",
            ),
            FixAction::NextBootRemoves => f.write_str("none needed: the next boot removes them"),
            FixAction::TimeServerSets => {
                f.write_str("none needed once the node reaches a time server")
            }
        }
    }
}

impl Serialize for Fix {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One action of each kind.
    fn actions() -> Vec<FixAction> {
        vec![
            FixAction::Rewrite,
            FixAction::RewriteBeforeBoot,
            FixAction::CorrectLine,
            FixAction::AddLine,
            FixAction::RemoveLine,
            FixAction::OnNode("chmod 0600 /root/.ssh/id_ed25519".into()),
            FixAction::OnOneNode("rm /etc/docker/key.json".into()),
            FixAction::Rebuild,
            FixAction::RebuildOne,
            FixAction::LeaveOutOrRebuildOne,
            FixAction::RemoveObstacle { path: "/etc/hostname".into() },
            FixAction::Adapt { advice: Some("install Docker in the base image".into()) },
            FixAction::Adapt { advice: None },
            FixAction::SetPassword { user: "odroid".into() },
            FixAction::RestorePassword,
            FixAction::ChangeSetting,
            FixAction::CheckProgram { program: "setup.service".into() },
            FixAction::InstallSshServer,
            FixAction::GrowPartition { partition: 2 },
            FixAction::GrowFilesystem { partition: 2 },
            FixAction::RestorePartition,
            FixAction::CheckFilesystem { partition: 2 },
            FixAction::CheckFilesystemOrRebuild { partition: 2 },
            FixAction::RestoreSource { path: "httpd.tar".into() },
            FixAction::FollowStatus,
            FixAction::BootNearManager,
            FixAction::BootAllNodes,
            FixAction::CorrectService,
            FixAction::SettleRole { verb: "demote", node: "n1".into() },
            FixAction::NothingIfSaved,
            FixAction::NextBootReplays,
            FixAction::NextBootRemoves,
            FixAction::TimeServerSets,
        ]
    }

    #[test]
    fn the_words_of_every_fix() {
        let mut text = String::new();
        for action in actions() {
            let name = format!("{action:?}");
            let mut fix = Fix::from(action);
            text += &format!("{name}\n    {fix}\n");
            let (profile, node) = (PathBuf::from("mc1.yaml"), "n1".to_owned());
            fix.rebuild = Some(BuildCommand { profile: profile.clone(), node: node.clone() });
            let rebuilt = fix.to_string();
            let target = "/dev/sdb".to_owned();
            fix.apply = Some(ApplyCommand { profile, node, target, base: None, grow: false });
            let applied = fix.to_string();
            for words in [rebuilt, applied] {
                if !text.ends_with(&format!("    {words}\n")) {
                    text += &format!("    {words}\n");
                }
            }
        }
        assert_eq!(text, include_str!("fix.txt"), "\n{text}");
    }

    #[test]
    fn json_has_the_words() {
        let json = serde_json::to_string(&Fix::from(FixAction::AddLine)).expect("a string");
        assert_eq!(json, "\"add the line, or build the card again\"");
    }
}
