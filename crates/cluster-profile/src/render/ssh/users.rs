//! Users who can log in by key, and those who can log in from any node to any other.

use super::{
    admission,
    image_keys::{self, ImageKey},
    known_hosts, pairs,
};
use crate::{
    Attributes, ClonedState, KeyHalf, Note, Purpose,
    render::{
        RenderError,
        accounts::{self, User},
        context::Context,
        swarm,
        text::lines,
    },
};

const GLOBAL_CONFIG: &str = "/etc/ssh/ssh_config";
const GLOBAL_DIRECTORY: &str = "/etc/ssh/ssh_config.d";
const ROOT: &str = "root";

/// Writes the profile's authorized keys, and gives those of `ssh.users` the cluster's pair.
///
/// Pairs that the image ships are public knowledge. Those of these users are removed, and
/// so are the lines that authorize any pair from the image, for every account.
pub(super) fn write(to: &mut Context<'_>) -> Result<(), RenderError> {
    let cluster = to.cluster;
    let for_root = swarm::admitted(to)?;
    let mut users = cluster.key_users();
    if !for_root.is_empty() && !users.contains(&ROOT) {
        users.push(ROOT);
    }
    // A key pair on a card in use may be its owner's.
    let mut of_image = if to.is_in_use { Vec::new() } else { image_keys::find(to)? };
    let all = accounts::users(to)?;
    let logins: Vec<User> = all.iter().filter(|user| user.can_log_in()).cloned().collect();
    let mut barred = swarm::barred(to)?;
    for user in logins.iter().filter(|user| user.has_home()) {
        let pairs = pairs::shipped(to, user)?;
        if !pairs.is_empty() && !cluster.ssh.users.contains(&user.name) {
            let paths = pairs.iter().map(|pair| pair.private.clone()).collect();
            to.note(Note::KeysLeft { user: user.name.clone(), paths });
        }
        for pair in pairs.into_iter().filter(|_| !to.is_in_use) {
            let Some(public) = pair.key else { continue };
            if of_image.iter().all(|key| key.public != public) {
                of_image.push(ImageKey { private: Some(pair.private), public });
            }
        }
    }
    if !to.is_in_use {
        of_image.extend(image_keys::named(to)?);
    }
    barred.extend(of_image.iter().map(|key| key.public.clone()));
    if users.is_empty() {
        return image_keys::remove_lines(to, &of_image, &[]);
    }
    let done = users.clone();
    let (mut homes, mut gone) = (Vec::new(), Vec::new());
    for name in users {
        let from_nodes = cluster.ssh.users.iter().any(|user| user == name);
        let own = cluster.users.iter().any(|account| account.name == name);
        let key = match (from_nodes, own) {
            (true, _) => "ssh.users",
            (false, true) => "users",
            (false, false) => "swarm",
        };
        let user = accounts::find(&all, name, key).and_then(|user| match user.has_home() {
            true => Ok(Some(user)),
            false => Err(RenderError::NoHome { key, user: name.into(), home: user.home.clone() }),
        });
        let Some(user) = to.refused.go_on(user)? else { continue };
        let pair = from_nodes.then(|| to.keys.cluster().public());
        let tokens = for_root.iter().filter(|_| name == ROOT).map(String::as_str);
        let wanted = pair.into_iter().chain(cluster.authorized_keys(name)).chain(tokens);
        admission::admit(to, user, wanted, &barred)?;
        if from_nodes {
            give_pair(to, user, &mut gone)?;
            homes.push(user.home.as_str());
        }
    }
    image_keys::remove_lines(to, &of_image, &done)?;
    if cluster.ssh.users.is_empty() {
        return Ok(());
    }
    // Files that every user's ssh reads.
    let names = to.list(GLOBAL_DIRECTORY)?.into_iter().filter(|name| name.ends_with(".conf"));
    let files: Vec<_> = names.map(|name| format!("{GLOBAL_DIRECTORY}/{name}")).collect();
    for path in [GLOBAL_CONFIG.to_owned()].iter().chain(&files) {
        forget_identities(to, path, &homes, &gone)?;
        let text = to.read(path)?.unwrap_or_default();
        let elsewhere = text.lines().map(str::trim_ascii).find(|line| {
            let keyword = line.split(['=', ' ', '\t']).next().unwrap_or_default();
            keyword.eq_ignore_ascii_case("globalknownhostsfile")
                && !line.contains("/etc/ssh/ssh_known_hosts")
        });
        if let Some(line) = elsewhere {
            to.note(Note::KnownHostsElsewhere { path: path.clone(), line: line.to_owned() });
        }
    }
    Ok(())
}

/// Gives a user the cluster's pair instead of those that the image ships.
fn give_pair(
    to: &mut Context<'_>,
    user: &User,
    all_gone: &mut Vec<String>,
) -> Result<(), RenderError> {
    let ssh = admission::directory(user);
    let owned = |mode| Attributes::exactly(mode, user.uid, user.gid);
    let key = format!("{ssh}/id_ed25519");
    let mut gone = Vec::new();
    for pair in pairs::shipped(to, user)? {
        gone.push(pair.private.clone());
        if pair.key.is_none() {
            let authorized_keys = format!("{ssh}/authorized_keys");
            to.note(Note::KeyLineUnknown { path: pair.private.clone(), authorized_keys });
        }
        if pair.private == key {
            continue;
        }
        if pair.has_public {
            let purpose = Purpose::Cloned(ClonedState::UserKey(KeyHalf::Public));
            to.remove(purpose, format!("{}.pub", pair.private));
        }
        to.remove(Purpose::Cloned(ClonedState::UserKey(KeyHalf::Private)), pair.private);
    }
    if !gone.is_empty() {
        to.note(Note::RemovedKeys { user: user.name.clone(), paths: gone.clone() });
    }
    gone.retain(|private| *private != key);
    forget_identities(to, &format!("{ssh}/config"), &[&user.home], &gone)?;

    let pair = to.keys.cluster();
    let purpose = |half| Purpose::ClusterKey { user: user.name.clone(), half };
    to.write(purpose(KeyHalf::Private), key.clone(), pair.private(), owned(0o600));
    to.write(purpose(KeyHalf::Public), format!("{key}.pub"), pair.public(), owned(0o644));
    known_hosts::clean_own(to, user)?;
    all_gone.extend(gone);
    Ok(())
}

/// Comments out each `IdentityFile` that is gone, which would keep ssh from trying the
/// cluster's key.
fn forget_identities(
    to: &mut Context<'_>,
    path: &str,
    homes: &[&str],
    gone: &[String],
) -> Result<(), RenderError> {
    let Some(old) = to.read(path)? else { return Ok(()) };
    let names_gone = |line: &str| {
        let mut words = line.split(|c: char| c.is_ascii_whitespace() || c == '=' || c == '"');
        let mut words = words.by_ref().filter(|word| !word.is_empty());
        let keyword = words.next().unwrap_or_default();
        let file = words.next().unwrap_or_default();
        let of = |home: &&str| {
            let home = home.trim_end_matches('/');
            match file.strip_prefix("~/").or(file.strip_prefix("%d/")) {
                Some(rest) => format!("{home}/{rest}"),
                None => file.to_owned(),
            }
        };
        keyword.eq_ignore_ascii_case("identityfile")
            && homes.iter().map(of).any(|file| gone.contains(&file))
    };
    let comment = |line: &&str| {
        if names_gone(line) { format!("#{line}") } else { (*line).to_owned() }
    };
    let new: String = lines(&old).iter().map(comment).collect();
    to.rewrite(Purpose::SshConfig, path, &old, &new);
    Ok(())
}
