//! Users who may go from any node to any other.

use super::{authorized_keys, known_hosts, pairs};
use crate::{
    Attributes, Change,
    render::{
        RenderError,
        accounts::{self, User},
        context::Context,
        text::{decode, encode, lines, printable},
    },
};

const GLOBAL_CONFIG: &str = "/etc/ssh/ssh_config";
const GLOBAL_DIRECTORY: &str = "/etc/ssh/ssh_config.d";

/// Gives each user of the profile the cluster's key pair, and lets it in.
///
/// Pairs that the image ships are public knowledge: those of these users go, and
/// so do the lines that let them, or another user's, in.
pub(super) fn write(to: &mut Context<'_>) -> Result<(), RenderError> {
    if to.cluster.ssh.users.is_empty() {
        return Ok(());
    }
    let all = accounts::users(to)?;
    let logins: Vec<User> = all.iter().filter(|user| user.can_log_in()).cloned().collect();
    let mut barred = Vec::new();
    for user in logins.iter().filter(|user| user.has_home()) {
        let pairs = pairs::shipped(to, user)?;
        if !pairs.is_empty() && !to.cluster.ssh.users.contains(&user.name) {
            to.note(format!(
                "the image ships {}, a key that everyone with the image has; it was left, since \
                 `ssh.users` does not name {}",
                join(pairs.iter().map(|pair| pair.private.as_str())),
                user.name
            ));
        }
        barred.extend(pairs.into_iter().filter_map(|pair| pair.key));
    }
    let (mut homes, mut gone) = (Vec::new(), Vec::new());
    for name in &to.cluster.ssh.users {
        let user =
            all.iter().find(|user| user.name == *name).ok_or_else(|| RenderError::UnknownUser {
                user: name.clone(),
                known: printable(&join(logins.iter().map(|user| user.name.as_str()))),
            })?;
        if !user.has_home() {
            return Err(RenderError::NoHome { user: name.clone(), home: user.home.clone() });
        }
        one(to, user, &barred, &mut gone)?;
        homes.push(user.home.as_str());
    }
    // What every user's ssh reads.
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
            to.hindrance(format!(
                "{path} in the image says `{line}`, so ssh will ask about the other nodes; change \
                 it in the base image or with `files:`"
            ));
        }
    }
    Ok(())
}

/// sshd takes no keys from a home that others can write to, and a home that is
/// missing must not become root's.
fn guard_home(to: &mut Context<'_>, user: &User) -> Result<(), RenderError> {
    let owned = |mode, enforce| Attributes { mode, uid: user.uid, gid: user.gid, enforce };
    match to.system.mode(&user.home)? {
        None => {
            let attributes = owned(0o755, false);
            to.edit(user.home.clone(), Change::Directory { attributes });
        }
        Some(mode) if mode & 0o022 != 0 && user.home != "/" => {
            let attributes = owned(mode & !0o022, true);
            to.edit(user.home.clone(), Change::Directory { attributes });
            to.note(format!(
                "{} could be written to by others, for which sshd refuses keys; now only by {}",
                user.home, user.name
            ));
        }
        Some(_) => {}
    }
    Ok(())
}

fn join<'a>(words: impl Iterator<Item = &'a str>) -> String {
    words.collect::<Vec<_>>().join(", ")
}

/// What sshd insists on: nobody else may write there, nor read private keys.
/// The home itself is left as it is, since its owner may have reasons.
fn one(
    to: &mut Context<'_>,
    user: &User,
    barred: &[String],
    all_gone: &mut Vec<String>,
) -> Result<(), RenderError> {
    let ssh = format!("{}/.ssh", user.home.trim_end_matches('/'));
    let owned = |mode| Attributes::exactly(mode, user.uid, user.gid);
    let key = format!("{ssh}/id_ed25519");
    guard_home(to, user)?;
    to.edit(ssh.clone(), Change::Directory { attributes: owned(0o700) });

    let mut gone = Vec::new();
    for pair in pairs::shipped(to, user)? {
        gone.push(pair.private.clone());
        if pair.key.is_none() {
            to.note(format!(
                "whom {} lets in could not be told (it has no .pub beside it); look through \
                 {ssh}/authorized_keys for its line",
                pair.private
            ));
        }
        if pair.private == key {
            continue;
        }
        if pair.has_public {
            to.remove(format!("{}.pub", pair.private));
        }
        to.remove(pair.private);
    }
    if !gone.is_empty() {
        to.note(format!(
            "removed {}, which everyone with the image has, and what let it in; {} has the \
             cluster's own key",
            join(gone.iter().map(String::as_str)),
            user.name
        ));
    }
    gone.retain(|private| *private != key);
    forget_identities(to, &format!("{ssh}/config"), &[&user.home], &gone)?;

    let pair = to.keys.cluster();
    to.write(key.clone(), pair.private(), owned(0o600));
    to.write(format!("{key}.pub"), pair.public(), owned(0o644));
    let lines = [pair.public()]
        .into_iter()
        .chain(to.cluster.ssh.authorized_keys.iter().map(String::as_str));
    let wanted: Vec<String> = lines.map(|line| decode(line.as_bytes())).collect();
    let path = format!("{ssh}/authorized_keys");
    let old = to.read(&path)?.unwrap_or_default();
    let new = authorized_keys::render(&old, barred, &wanted);
    to.write(path, encode(&new), owned(0o600));
    // sshd reads this one too.
    let path = format!("{ssh}/authorized_keys2");
    if let Some(old) = to.read(&path)? {
        to.rewrite(&path, &old, &authorized_keys::render(&old, barred, &[]));
    }
    known_hosts::clean_own(to, user)?;

    all_gone.extend(gone);
    if !user.can_log_in() {
        to.hindrance(format!("{}'s shell in the image lets nobody log in", user.name));
    }
    if accounts::password_expired(to, &user.name)? {
        to.hindrance(format!(
            "the image wants a new password of {} at the first login, and refuses commands over \
             ssh until then",
            user.name
        ));
    }
    Ok(())
}

/// An `IdentityFile` that is gone would keep ssh from trying the cluster's key.
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
    let comment = |line: &&str| match names_gone(line) {
        true => format!("#{line}"),
        false => (*line).to_owned(),
    };
    let new: String = lines(&old).iter().map(comment).collect();
    to.rewrite(path, &old, &new);
    Ok(())
}
