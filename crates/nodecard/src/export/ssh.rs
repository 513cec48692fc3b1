//! For OpenSSH's client.

use std::fmt::Write as _;

use cluster_profile::Node;

use crate::{
    Error, Project,
    access::{identity_files, names},
};

/// Returns lines of known_hosts for all nodes, by name and address.
pub(super) fn known_hosts(project: &Project) -> Result<String, Error> {
    let cluster = project.cluster();
    let mut text = String::new();
    for node in &cluster.nodes {
        let hosts = names(cluster, node).join(",");
        let key = project.keys()?.host(&node.name)?.public_without_comment();
        let _ = writeln!(text, "{hosts},{} {key}", node.address);
    }
    Ok(text)
}

/// Returns the options that make ssh accept the node's own host key and no other, whatever
/// the user's known_hosts says.
pub(super) fn host_key_options(
    project: &Project,
    node: &Node,
) -> Result<[(&'static str, String); 3], Error> {
    let key = project.keys()?.host(&node.name)?.public_without_comment();
    Ok([
        ("HostKeyAlias", node.name.clone()),
        // Names and keys have no characters that ssh expands or splits at.
        ("KnownHostsCommand", format!("/bin/echo {} {key}", node.name)),
        ("StrictHostKeyChecking", "yes".to_owned()),
    ])
}

/// Returns a file for ssh_config(5).
pub(super) fn config(project: &Project, user: Option<&str>) -> Result<String, Error> {
    let cluster = project.cluster();
    let identities = match user {
        Some(user) => identity_files(project, user)?,
        None => Vec::new(),
    };
    let mut text = format!(
        "# The nodes of {}, for ssh_config(5): `Include` this file at the beginning of\n\
         # ~/.ssh/config, or use it with `ssh -F`. OpenSSH before 8.5 does not know\n\
         # KnownHostsCommand, and needs their host keys in a known_hosts file.\n\
         IgnoreUnknown KnownHostsCommand\n",
        cluster.name
    );
    for node in &cluster.nodes {
        let _ = write!(text, "\nHost {} {}\n", names(cluster, node).join(" "), node.address);
        let _ = writeln!(text, "    HostName {}", node.address);
        if let Some(user) = user {
            let _ = writeln!(text, "    User {user}");
        }
        for file in &identities {
            let _ = writeln!(text, "    IdentityFile {}", quoted(&file.display().to_string()));
        }
        for (option, value) in host_key_options(project, node)? {
            let _ = writeln!(text, "    {option} {value}");
        }
    }
    Ok(text)
}

/// Returns a path as ssh_config(5) reads it: in quotes, and without tokens.
fn quoted(path: &str) -> String {
    format!("\"{}\"", path.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%"))
}
