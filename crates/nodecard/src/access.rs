//! How the owner's computer gets into the nodes: their names, their users and the keys.

use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
};

use cluster_profile::{Cluster, Node};

use crate::{Error, Project};

/// No file with a public key is larger.
const LARGEST_KEY_FILE: u64 = 64 * 1024;

/// Returns a node's name, and the further names that `hosts` gives its address.
pub(crate) fn names<'a>(cluster: &'a Cluster, node: &'a Node) -> Vec<&'a str> {
    let aliases = cluster.hosts.iter().filter(|(_, address)| *address == node.address);
    std::iter::once(node.name.as_str()).chain(aliases.map(|(name, _)| name.as_str())).collect()
}

/// Returns the user whom tools log in as, unless another is chosen: the first that is not
/// root.
pub(crate) fn usual_user(cluster: &Cluster) -> Option<&str> {
    let users = cluster.key_users();
    users.iter().find(|user| **user != "root").or(users.first()).copied()
}

/// Returns the private keys on this computer that a user of the nodes accepts: the owner's,
/// and the cluster's. Where only an agent has the owner's private key, it is the file of the
/// public one, which ssh takes as well.
pub(crate) fn identity_files(project: &Project, user: &str) -> Result<Vec<PathBuf>, Error> {
    let cluster = project.cluster();
    let accepted = cluster.authorized_keys(user);
    let accepted: Vec<&str> = accepted.into_iter().filter_map(key_of).collect();
    let mut files = match platform::directories::home() {
        Some(home) => owned_keys(&home.join(".ssh"), &accepted),
        None => Vec::new(),
    };
    if cluster.ssh.users.iter().any(|name| name == user) {
        let directory = project.keys()?.directory();
        let directory = std::path::absolute(directory).unwrap_or_else(|_| directory.to_owned());
        files.push(directory.join("id_ed25519"));
    }
    Ok(files)
}

/// Returns the key itself of a line of authorized_keys or of a .pub file.
pub(crate) fn key_of(line: &str) -> Option<&str> {
    // In base 64, every key begins with the length of its type.
    line.split_ascii_whitespace().find(|word| word.starts_with("AAAA"))
}

/// Returns the keys in a directory whose public half is accepted, by name.
fn owned_keys(directory: &Path, accepted: &[&str]) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "pub"))
        .filter(|path| {
            let text = read_small(path).unwrap_or_default();
            text.lines().filter_map(key_of).any(|key| accepted.contains(&key))
        })
        .map(|path| Some(path.with_extension("")).filter(|path| path.is_file()).unwrap_or(path))
        .collect();
    files.sort();
    files
}

fn read_small(path: &Path) -> Option<String> {
    // Opening a pipe would wait for its other end.
    if !fs::metadata(path).ok()?.is_file() {
        return None;
    }
    let mut text = String::new();
    fs::File::open(path).ok()?.take(LARGEST_KEY_FILE).read_to_string(&mut text).ok()?;
    Some(text)
}
