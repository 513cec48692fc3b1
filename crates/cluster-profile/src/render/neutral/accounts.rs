//! What the cluster left in the homes of users: its key pair, lines that let its users in, and
//! known hosts.

use std::collections::BTreeSet;

use system_model::accounts::Accounts;

use super::Strip;
use crate::{
    KeyHalf, Purpose, Role,
    render::{
        RenderError,
        ssh::{KnownNodes, SYSTEM_KNOWN_HOSTS, key_files, without_keys},
        swarm,
    },
};

/// More files in one ~/.ssh are not looked through.
const MAX_NAMES: usize = 1000;

/// Returns the users with homes: their names, and their homes without a slash at the end.
fn homes(to: &Strip<'_>) -> Result<Vec<(String, String)>, RenderError> {
    let accounts = Accounts::read(to.system)?;
    let users = accounts.users().iter().filter(|user| user.has_home());
    let home = |home: &str| home.trim_end_matches('/').to_owned();
    Ok(users.map(|user| (user.name.clone(), home(&user.home))).collect())
}

/// Removes the cluster's key pair, under whatever name.
pub(super) fn remove_cluster_keys(to: &mut Strip<'_>) -> Result<(), RenderError> {
    let Some((_, keys)) = to.owner else { return Ok(()) };
    let (private, public) = (keys.cluster().private(), keys.cluster().public());
    let key = |text: &str| text.split(' ').nth(1).unwrap_or_default().trim().to_owned();
    let public = key(public);
    let mut seen = BTreeSet::new();
    for (user, home) in homes(to)? {
        let directory = format!("{home}/.ssh");
        for name in to.list(&directory)?.into_iter().take(MAX_NAMES) {
            let path = format!("{directory}/{name}");
            // A loop of symlinks, or a file that is too large, is no key.
            let Ok(Some(text)) = to.read(&path) else { continue };
            let half = KeyHalf::of_file(&name);
            let is_cluster = match half {
                KeyHalf::Private => text == private,
                KeyHalf::Public => key(&text) == public,
            };
            if is_cluster && seen.insert(path.clone()) {
                to.remove(Purpose::ClusterKey { user: user.clone(), half }, &path)?;
            }
        }
    }
    Ok(())
}

/// Removes the lines that let the cluster's users, the profile's keys and the swarm's nodes in.
pub(super) fn remove_authorized_keys(to: &mut Strip<'_>) -> Result<(), RenderError> {
    let mut barred = vec![swarm::TOKEN_COMMAND.to_owned()];
    if let Some((cluster, keys)) = to.owner {
        let mut lines = vec![keys.cluster().public().to_owned()];
        for user in cluster.key_users() {
            lines.extend(cluster.authorized_keys(user).into_iter().map(str::to_owned));
        }
        if cluster.swarm.is_some() {
            for role in [Role::Manager, Role::Worker] {
                lines.push(swarm::role_key(&cluster.name, keys, role)?.public().to_owned());
            }
        }
        // In base64, every key begins with the length of its type.
        let words = lines.iter().flat_map(|line| line.split_ascii_whitespace());
        barred.extend(words.filter(|word| word.starts_with("AAAA")).map(str::to_owned));
    }
    let accounts = Accounts::read(to.system)?;
    let mut seen = BTreeSet::new();
    for (_, user, path) in key_files(to.system, &accounts)? {
        if !seen.insert(path.clone()) {
            continue;
        }
        // A loop of symlinks, or a file that is too large, is none that sshd reads.
        let Ok(Some(old)) = to.read(&path) else { continue };
        let new = without_keys(&old, &barred);
        let purpose = Purpose::AuthorizedKeys { user: user.name.clone() };
        to.rewrite_or_remove(purpose, &path, &old, &new)?;
    }
    Ok(())
}

/// Removes what the system's and the users' known hosts say about the nodes.
pub(super) fn remove_known_hosts(to: &mut Strip<'_>) -> Result<(), RenderError> {
    let Some((cluster, keys)) = to.owner else { return Ok(()) };
    let nodes = KnownNodes::of(cluster, keys)?;
    if let Some(old) = to.read(SYSTEM_KNOWN_HOSTS)? {
        let new = nodes.remove_from(&old);
        to.rewrite_or_remove(Purpose::SystemKnownHosts, SYSTEM_KNOWN_HOSTS, &old, &new)?;
    }
    let mut seen = BTreeSet::new();
    for (user, home) in homes(to)? {
        let path = format!("{home}/.ssh/known_hosts");
        if !seen.insert(path.clone()) {
            continue;
        }
        let Ok(Some(old)) = to.read(&path) else { continue };
        let new = nodes.remove_from(&old);
        to.rewrite_or_remove(Purpose::UserKnownHosts { user }, &path, &old, &new)?;
    }
    Ok(())
}
