//! For Ansible.

use std::fmt::Write as _;

use cluster_profile::{Node, Role};
use serde_json::Value;

use super::ssh::host_key_options;
use crate::{Error, Project, access::identity_files};

/// Returns an inventory in YAML: a group of all nodes, and with a swarm, groups of managers
/// and workers.
pub(super) fn inventory(project: &Project, user: Option<&str>) -> Result<String, Error> {
    let cluster = project.cluster();
    let group = group_name(project);
    let mut text = format!(
        "# The nodes of {}, for Ansible: ansible -i FILE {group} -m ping\n{group}:\n  hosts:\n",
        cluster.name
    );
    for node in &cluster.nodes {
        let _ = writeln!(text, "    {}:", scalar(&node.name));
        let _ = writeln!(text, "      ansible_host: {}", node.address);
        let options = host_key_options(project, node)?;
        let options: Vec<String> =
            options.iter().map(|(name, value)| format!("-o '{name}={value}'")).collect();
        let _ = writeln!(text, "      ansible_ssh_common_args: {}", scalar(&options.join(" ")));
    }
    if let Some(user) = user {
        let _ = writeln!(text, "  vars:\n    ansible_user: {}", scalar(user));
        if let Some(file) = identity_files(project, user)?.first() {
            let file = scalar(&file.display().to_string());
            let _ = writeln!(text, "    ansible_ssh_private_key_file: {file}");
        }
    }
    if cluster.swarm.is_some() {
        text += "  children:\n";
        for (name, role) in [("managers", Role::Manager), ("workers", Role::Worker)] {
            let of_role = |node: &&Node| node.role == role;
            let nodes: Vec<&Node> = cluster.nodes.iter().filter(of_role).collect();
            if !nodes.is_empty() {
                let _ = writeln!(text, "    {group}_{name}:\n      hosts:");
            }
            for node in nodes {
                let _ = writeln!(text, "        {}:", scalar(&node.name));
            }
        }
    }
    Ok(text)
}

/// Returns the cluster's name as the name of a group: Ansible wants letters, digits and
/// underscores, and no name that a host has or that it uses itself.
fn group_name(project: &Project) -> String {
    let cluster = project.cluster();
    let fits = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let mut name: String = cluster.name.chars().map(fits).collect();
    let is_taken = ["all", "ungrouped"].contains(&name.as_str())
        || cluster.nodes.iter().any(|node| node.name == name);
    if is_taken {
        name += "_cluster";
    }
    if name.starts_with(|c: char| c.is_ascii_digit()) { format!("cluster_{name}") } else { name }
}

/// Returns a text as a scalar of YAML, of which JSON is a part.
fn scalar(text: &str) -> String {
    Value::from(text).to_string()
}
