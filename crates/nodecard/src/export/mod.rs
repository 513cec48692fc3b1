//! What other tools on the owner's computer need to know about a cluster.

mod ansible;
mod json;
mod ssh;

use std::fmt::Write as _;

use crate::{
    Error, Project,
    access::{names, usual_user},
};

/// The form of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExportForm {
    /// A file for ssh_config(5), which knows the host keys itself.
    SshConfig,
    /// Lines of known_hosts, as sshd(8) describes them.
    KnownHosts,
    /// Lines of hosts(5).
    Hosts,
    /// An inventory of Ansible in YAML.
    Ansible,
    /// A file of hosts for pssh and similar programs: `user@address` lines.
    Pssh,
    /// Everything, for programs.
    Json {
        /// Whether the private keys are part of it.
        private_keys: bool,
    },
}

impl Project {
    /// Returns what other tools need to know about the nodes. Tools log in as `user`; by
    /// default, as the first user of the profile with keys who is not root.
    ///
    /// No form contains a private key, except JSON if they are asked for.
    ///
    /// # Errors
    /// [`Error::NoKeys`] or [`Error::Keys`] if the form contains keys and they cannot be
    /// read; [`Error::NoSuchUser`].
    pub fn export(&self, form: ExportForm, user: Option<&str>) -> Result<String, Error> {
        let cluster = self.cluster();
        if let Some(user) = user
            && !cluster.key_users().contains(&user)
        {
            return Err(Error::NoSuchUser {
                name: user.to_owned(),
                profile: cluster.path.clone(),
                known: cluster.key_users().into_iter().map(str::to_owned).collect(),
            });
        }
        let user = user.or_else(|| usual_user(cluster));
        match form {
            ExportForm::SshConfig => ssh::config(self, user),
            ExportForm::KnownHosts => ssh::known_hosts(self),
            ExportForm::Hosts => Ok(hosts(self)),
            ExportForm::Ansible => ansible::inventory(self, user),
            ExportForm::Pssh => Ok(pssh(self, user)),
            ExportForm::Json { private_keys } => json::export(self, user, private_keys),
        }
    }
}

fn hosts(project: &Project) -> String {
    let cluster = project.cluster();
    let mut text = format!("# The nodes of {}\n", cluster.name);
    for node in &cluster.nodes {
        let _ = writeln!(text, "{}\t{}", node.address, names(cluster, node).join(" "));
    }
    let is_node = |address| cluster.nodes.iter().any(|node| node.address == address);
    for (name, address) in cluster.hosts.iter().filter(|(_, address)| !is_node(*address)) {
        let _ = writeln!(text, "{address}\t{name}");
    }
    text
}

fn pssh(project: &Project, user: Option<&str>) -> String {
    let user = user.map(|user| format!("{user}@")).unwrap_or_default();
    let nodes = project.cluster().nodes.iter();
    nodes.map(|node| format!("{user}{}\n", node.address)).collect()
}
