//! The way back from a card to a base image: what makes a system one node of one cluster is
//! removed, so that cards of other nodes can be made from it, and others can have it.
//!
//! What rendering puts on a card states its purpose, and [`part_of`] says for each purpose
//! which part of the identity takes it away again. So the two cannot drift apart.

mod accounts;
mod network;
mod part;

use cluster_keys::ClusterKeys;
use system_model::{
    FileKind, Systemd,
    accounts::Accounts,
    sshd::{DropbearConfig, Login, SshdCommand, SshdConfig, is_private_key},
};

pub use network::KeptAddress;
pub use part::{IdentityPart, RemovedPart, part_of};

use super::{
    RenderError, cloud_seed,
    context::View,
    first_boot, hosts, identity, swarm,
    text::{self, encode},
};
use crate::{
    Attributes, Change, ClonedState, Cluster, FileEdit, KeyHalf, Purpose, SystemError, SystemFiles,
};

/// The host name of an image that is nobody's: it resolves everywhere.
const NEUTRAL_NAME: &str = "localhost";

/// The edits that turn a node's system back into one that is nobody's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Neutral {
    /// The edits, to be made in this order.
    pub edits: Vec<FileEdit>,
    /// What they remove or reset.
    pub removed: Vec<RemovedPart>,
    /// The fixed addresses that stay: IPv6 addresses, those of other interfaces than the profile's,
    /// and those in files that are too unusual to be changed.
    pub kept: Vec<KeptAddress>,
}

/// Returns the edits that take the identity of a node out of a system.
///
/// Without the profile of its cluster, what only the profile tells from an owner's own settings
/// stays: keys in authorized_keys, known hosts, and lines of other hosts in /etc/hosts.
///
/// # Errors
/// [`RenderError`] if the system cannot be read.
pub fn render_neutral(
    owner: Option<(&Cluster, &ClusterKeys)>,
    system: &dyn SystemFiles,
) -> Result<Neutral, RenderError> {
    let mut to = Strip { system, owner, part: IdentityPart::HostName, neutral: Neutral::default() };
    for part in IdentityPart::ALL {
        to.part = part;
        remove(&mut to, part)?;
    }
    to.neutral.kept = network::kept(&to)?;
    Ok(to.neutral)
}

fn remove(to: &mut Strip<'_>, part: IdentityPart) -> Result<(), RenderError> {
    match part {
        // Before the host name, which it looks for.
        IdentityPart::Hosts => forget_hosts(to)?,
        IdentityPart::HostName => reset_host_name(to)?,
        IdentityPart::Address => network::to_dhcp(to)?,
        IdentityPart::MachineId => reset_machine_id(to)?,
        IdentityPart::HostKeys => remove_host_keys(to)?,
        IdentityPart::ClusterKeys => accounts::remove_cluster_keys(to)?,
        IdentityPart::AuthorizedKeys => accounts::remove_authorized_keys(to)?,
        IdentityPart::KnownHosts => accounts::remove_known_hosts(to)?,
        IdentityPart::Swarm => {
            let leftover = Purpose::Swarm(crate::SwarmPart::Leftover);
            // A directory may be a symlink, with which its files would not go.
            if system_model::real_path(to.system, swarm::KEY)?.as_deref() != Some(swarm::KEY) {
                to.remove_if_there(leftover.clone(), swarm::KEY)?;
            }
            for path in swarm::PATHS {
                to.remove_if_there(leftover.clone(), path)?;
            }
        }
        IdentityPart::CloudSeed => remove_cloud_seed(to)?,
        IdentityPart::Docker => {
            to.forget(&[ClonedState::DockerIdentity, ClonedState::DockerSwarm])?;
        }
        IdentityPart::Leases => to.forget(&[ClonedState::Dhcp])?,
        IdentityPart::Seeds => to.forget(&[
            ClonedState::RandomSeed,
            ClonedState::NetworkManagerSecret,
            ClonedState::CredentialSecret,
        ])?,
    }
    Ok(())
}

/// The edits so far, and what they are made for.
struct Strip<'a> {
    system: &'a dyn SystemFiles,
    owner: Option<(&'a Cluster, &'a ClusterKeys)>,
    /// The part that is being removed.
    part: IdentityPart,
    neutral: Neutral,
}

impl<'a> Strip<'a> {
    fn view(&self, interface: &'a str) -> View<'a> {
        View { system: self.system, interface }
    }

    fn read(&self, path: &str) -> Result<Option<String>, SystemError> {
        self.view("").read(path)
    }

    fn list(&self, path: &str) -> Result<Vec<String>, SystemError> {
        self.view("").list(path)
    }

    fn edit(&mut self, purpose: Purpose, path: &str, change: Change) {
        let part = self.part;
        match self.neutral.removed.iter_mut().find(|removed| removed.part == part) {
            Some(removed) if removed.paths.iter().any(|known| known == path) => {}
            Some(removed) => removed.paths.push(path.to_owned()),
            None => self.neutral.removed.push(RemovedPart { part, paths: vec![path.to_owned()] }),
        }
        self.neutral.edits.push(FileEdit { path: path.to_owned(), change, purpose });
    }

    /// Removes a file, or a directory with everything below it. Where a symlink has the name, the
    /// file that it leads to is removed too if it is what the name says: a private key, or a
    /// file that is called the same.
    fn remove(&mut self, purpose: Purpose, path: &str) -> Result<(), SystemError> {
        let behind = self.behind(path)?;
        self.edit(purpose.clone(), path, Change::Remove);
        let is_removed = |path: &str| self.neutral.edits.iter().any(|edit| edit.path == path);
        if let Some(real) = behind.filter(|real| !is_removed(real)) {
            self.edit(purpose, &real, Change::Remove);
        }
        Ok(())
    }

    /// Removes a file, unless it is removed already.
    fn remove_once(&mut self, purpose: Purpose, path: &str) -> Result<(), SystemError> {
        let is_known = self.neutral.edits.iter().any(|edit| edit.path == path);
        if is_known { Ok(()) } else { self.remove(purpose, path) }
    }

    fn behind(&self, path: &str) -> Result<Option<String>, SystemError> {
        if self.system.read_link(path)?.is_none() {
            return Ok(None);
        }
        let Some(real) = system_model::real_path(self.system, path)? else { return Ok(None) };
        let found = self.system.metadata(&real)?;
        if found.is_none_or(|found| found.kind != FileKind::Regular) {
            return Ok(None);
        }
        let name = |path: &str| path.rsplit('/').next().map(str::to_owned);
        let is_same = || name(&real) == name(path);
        // A file that is too large is no key.
        let is_key = || self.system.read(&real).ok().flatten().is_some_and(|b| is_private_key(&b));
        Ok((is_same() || is_key()).then_some(real))
    }

    fn remove_if_there(&mut self, purpose: Purpose, path: &str) -> Result<(), SystemError> {
        if self.system.exists(path)? { self.remove(purpose, path) } else { Ok(()) }
    }

    /// Writes text back if it has changed, with the attributes that the file has.
    fn rewrite(&mut self, purpose: Purpose, path: &str, old: &str, new: &str) {
        if old != new {
            let (contents, attributes) = (encode(new), Attributes::root(0o644));
            self.edit(purpose, path, Change::Write { contents, attributes });
        }
    }

    /// Writes text back if it has changed. A file of which only blank lines are left is removed,
    /// but not a symlink, which would leave the text in the file that it leads to.
    fn rewrite_or_remove(
        &mut self,
        purpose: Purpose,
        path: &str,
        old: &str,
        new: &str,
    ) -> Result<(), SystemError> {
        let is_empty = old != new && new.trim_ascii().is_empty();
        if is_empty && self.system.read_link(path)?.is_none() {
            self.edit(purpose, path, Change::Remove);
        } else {
            self.rewrite(purpose, path, old, new);
        }
        Ok(())
    }

    /// Returns the directory that a symlink in the place of Docker's swarm state leads to, if
    /// that is all it holds.
    fn swarm_state_behind(
        &self,
        state: ClonedState,
        path: &str,
    ) -> Result<Option<String>, SystemError> {
        /// What swarmkit keeps in the directory (moby's daemon/cluster/cluster.go, noderunner.go).
        const NAMES: [&str; 5] =
            ["certificates", "docker-state.json", "raft", "state.json", "worker"];
        if state != ClonedState::DockerSwarm {
            return Ok(None);
        }
        let Some(real) = system_model::real_path(self.system, path)? else { return Ok(None) };
        let names = self.list(&real)?;
        Ok(names.iter().all(|name| NAMES.contains(&name.as_str())).then_some(real))
    }

    /// Removes state that identifies an installation.
    fn forget(&mut self, states: &[ClonedState]) -> Result<(), RenderError> {
        for found in identity::cloned(self.system)? {
            if !states.contains(&found.state) {
                continue;
            }
            let (purpose, path) = (Purpose::Cloned(found.state), found.path);
            match found.change {
                Change::Remove => self.remove(purpose, &path)?,
                // Clearing stops at a symlink.
                change if self.system.read_link(&path)?.is_some() => {
                    if let Some(real) = self.swarm_state_behind(found.state, &path)? {
                        self.edit(purpose, &real, change);
                    }
                }
                change => self.edit(purpose, &path, change),
            }
        }
        Ok(())
    }
}

fn reset_host_name(to: &mut Strip<'_>) -> Result<(), SystemError> {
    const PATH: &str = "/etc/hostname";
    let Some(old) = to.read(PATH)? else { return Ok(()) };
    let new = format!("{NEUTRAL_NAME}\n");
    // Unlike in other files nothing of the old text stays, so it has to be a host name's file.
    if old != new && to.system.read_link(PATH)?.is_some() {
        to.remove(Purpose::HostName, PATH)?;
    }
    to.rewrite(Purpose::HostName, PATH, &old, &new);
    Ok(())
}

fn forget_hosts(to: &mut Strip<'_>) -> Result<(), SystemError> {
    const PATH: &str = "/etc/hosts";
    let Some(old) = to.read(PATH)? else { return Ok(()) };
    let name = to.read("/etc/hostname")?.unwrap_or_default();
    let new = hosts::without_cluster(&old, &name, to.owner.map(|(cluster, _)| cluster));
    to.rewrite(Purpose::Hosts, PATH, &old, &new);
    Ok(())
}

/// Leaves an empty machine id, in whose place systemd puts a new one at the next boot.
fn reset_machine_id(to: &mut Strip<'_>) -> Result<(), SystemError> {
    const DBUS: &str = "/var/lib/dbus/machine-id";
    let is_empty = to.system.read(identity::MACHINE_ID)?.is_some_and(|id| id.is_empty());
    if to.system.exists(identity::MACHINE_ID)? && !is_empty {
        // It may be a symlink to D-Bus's.
        to.remove(Purpose::MachineId, identity::MACHINE_ID)?;
        let (contents, attributes) = (Vec::new(), Attributes::exactly(0o444, 0, 0));
        let write = Change::Write { contents, attributes };
        to.neutral.edits.push(FileEdit {
            path: identity::MACHINE_ID.to_owned(),
            change: write,
            purpose: Purpose::MachineId,
        });
    }
    if to.system.exists(DBUS)? && to.system.read_link(DBUS)?.is_none() {
        let target = identity::MACHINE_ID.to_owned();
        to.edit(Purpose::DbusMachineId, DBUS, Change::Symlink { target });
    }
    Ok(())
}

/// Returns the files that the settings of ssh servers name as host keys and their certificates.
fn named_host_keys(system: &dyn SystemFiles) -> Result<Vec<String>, SystemError> {
    let accounts = Accounts::read(system)?;
    let command = SshdCommand::read(system, &Systemd::read_later_boots(system)?)?;
    let config = SshdConfig::read_as(system, &accounts, &Login::anybody(), &command)?;
    let words = ["hostkey", "hostcertificate"].map(|keyword| config.words(keyword));
    let mut paths: Vec<String> = words.into_iter().flatten().map(|(path, _)| path.into()).collect();
    paths.extend(DropbearConfig::read(system)?.host_keys);
    paths.retain(|path| path.starts_with('/'));
    Ok(paths)
}

/// Returns whether a file holds a host key, its public half or its certificate. One that is too
/// large holds none.
fn holds_host_key(system: &dyn SystemFiles, path: &str) -> bool {
    let Ok(Some(contents)) = system.read(path) else { return false };
    let is_public = |text: &str| {
        let word = text.split_ascii_whitespace().next().unwrap_or_default();
        ["ssh-", "ecdsa-sha2-", "sk-"].iter().any(|kind| word.starts_with(kind))
    };
    is_private_key(&contents) || std::str::from_utf8(&contents).is_ok_and(is_public)
}

/// Removes the host keys of all ssh servers. Those of the profile's `files` are among them.
fn remove_host_keys(to: &mut Strip<'_>) -> Result<(), SystemError> {
    for path in named_host_keys(to.system)? {
        let cert = format!("{path}-cert.pub");
        for path in [path.clone(), format!("{path}.pub"), cert] {
            if holds_host_key(to.system, &path) {
                let half = KeyHalf::of_file(&path);
                to.remove_once(Purpose::Cloned(ClonedState::HostKey(half)), &path)?;
            }
        }
    }
    let is_openssh = |name: &str| name.starts_with("ssh_host_");
    let is_dropbear = |name: &str| name.starts_with("dropbear_") && name.contains("host_key");
    for name in to.list("/etc/ssh")?.into_iter().filter(|name| is_openssh(name)) {
        let purpose = Purpose::Cloned(ClonedState::HostKey(KeyHalf::of_file(&name)));
        to.remove_once(purpose, &format!("/etc/ssh/{name}"))?;
    }
    for name in to.list("/etc/dropbear")?.into_iter().filter(|name| is_dropbear(name)) {
        let purpose = Purpose::Cloned(ClonedState::HostKey(KeyHalf::of_file(&name)));
        to.remove_once(purpose, &format!("/etc/dropbear/{name}"))?;
    }
    Ok(())
}

/// Removes the seed that nodecard wrote for cloud-init: it names the node.
fn remove_cloud_seed(to: &mut Strip<'_>) -> Result<(), RenderError> {
    let model = first_boot::model(to.system)?;
    let Some(cloud_init) = model.cloud_init() else { return Ok(()) };
    let directory = cloud_seed::directory(cloud_init);
    for name in cloud_seed::FILES {
        let path = format!("{directory}{name}");
        let text = to.read(&path)?.unwrap_or_default();
        if text::lines(&text).iter().take(2).any(|line| line.starts_with("# Written by nodecard")) {
            to.remove(Purpose::CloudSeed, &path)?;
        }
    }
    Ok(())
}
