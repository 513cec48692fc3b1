//! Keys whose private half is in the image: everyone who has the image can log in with
//! them, so no account accepts them. Nor does one accept those that the profile names.

use std::collections::BTreeSet;

use system_model::{
    Systemd,
    accounts::{Accounts, User},
    sshd::{DEFAULT_KEY_FILES, ImageKeys, Login, SshdCommand, SshdConfig, parse_authorized_keys},
};

use super::authorized_keys;
use crate::{
    Attributes, ImageKeyPolicy, Note, Purpose, SystemFiles,
    render::{
        RenderError,
        context::Context,
        text::{decode, encode},
    },
};

/// A key that came with the image and that no account accepts any longer.
pub(super) struct ImageKey {
    /// The path of the private half, if that is in the image; otherwise the profile names the
    /// key.
    pub private: Option<String>,
    /// The public half in base64.
    pub public: String,
}

/// Returns the image's keys, without those that nodecard gives nodes. The private half of a key
/// that lets somebody in is looked for in the whole image.
pub(super) fn find(from: &Context<'_>) -> Result<Vec<ImageKey>, RenderError> {
    let base64 = |public: &str| public.split(' ').nth(1).unwrap_or_default().trim().to_owned();
    let mut own: BTreeSet<String> = [base64(from.keys.cluster().public())].into();
    for node in &from.cluster.nodes {
        own.insert(base64(&from.keys.host(&node.name)?.public_without_comment()));
    }
    let accounts = Accounts::read(from.system)?;
    let cluster = from.cluster;
    let of_profile = cluster.key_users().into_iter().flat_map(|user| cluster.authorized_keys(user));
    let expected: Vec<&str> = of_profile.collect();
    let mut wanted = authorized(from.system, &accounts)?;
    wanted.retain(|key| {
        !own.contains(key) && !expected.iter().any(|line| line.contains(key.as_str()))
    });
    let found = ImageKeys::read_wanted(from.system, &accounts, &wanted)?;
    let keys = found.keys.into_iter().filter_map(|key| {
        let public = key.public.filter(|public| !own.contains(public))?;
        Some(ImageKey { private: Some(key.private), public })
    });
    Ok(keys.collect())
}

/// Removes the lines of these keys (in base64) from the key files of every account but
/// those of `done`, whose files are written already.
pub(super) fn remove_lines(
    to: &mut Context<'_>,
    keys: &[ImageKey],
    done: &[&str],
) -> Result<(), RenderError> {
    if keys.is_empty() {
        return Ok(());
    }
    let barred: Vec<String> = keys.iter().map(|key| key.public.clone()).collect();
    let accounts = Accounts::read(to.system)?;
    let mut seen = BTreeSet::new();
    for (index, user, path) in key_files(to.system, &accounts)? {
        // The usual files of these users were written before.
        if index < DEFAULT_KEY_FILES.len() && done.contains(&user.name.as_str()) {
            continue;
        }
        if !seen.insert(path.clone()) || to.rendered.edits.iter().any(|e| e.path == path) {
            continue;
        }
        // sshd does not read a loop of symlinks, or a file that is too large.
        let Ok(Some(old)) = to.system.read(&path) else { continue };
        let old = decode(&old);
        let new = authorized_keys::render(&old, &barred, &[]);
        if old == new {
            continue;
        }
        let gone = || keys.iter().filter(|key| old.contains(&key.public));
        let keys: Vec<String> = gone().filter_map(|key| key.private.clone()).collect();
        if !keys.is_empty() {
            let (user, path) = (user.name.clone(), path.clone());
            to.note(Note::RemovedKeyLines { user, path, keys });
        }
        if gone().any(|key| key.private.is_none()) {
            to.note(Note::RemovedImageKeys { path: path.clone() });
        }
        let purpose = Purpose::AuthorizedKeys { user: user.name.clone() };
        to.write(purpose, path, encode(&new), Attributes::root(0o600));
    }
    Ok(())
}

/// Returns the keys of the image's key files that the profile's `ssh.image_keys` removes.
pub(super) fn named(from: &Context<'_>) -> Result<Vec<ImageKey>, RenderError> {
    let of_profile = |public| ImageKey { private: None, public };
    match &from.cluster.ssh.image_keys {
        ImageKeyPolicy::Keep => Ok(Vec::new()),
        ImageKeyPolicy::These(keys) => Ok(keys.iter().cloned().map(of_profile).collect()),
        ImageKeyPolicy::Remove => {
            let cluster = from.cluster;
            let own =
                cluster.key_users().into_iter().flat_map(|user| cluster.authorized_keys(user));
            let mut own: Vec<&str> = own.collect();
            own.push(from.keys.cluster().public());
            let mut keys = authorized(from.system, &Accounts::read(from.system)?)?;
            keys.retain(|key| !own.iter().any(|line| line.contains(key.as_str())));
            Ok(keys.into_iter().map(of_profile).collect())
        }
    }
}

/// Returns the keys (in base64) that any account's key files let in.
fn authorized(
    system: &dyn SystemFiles,
    accounts: &Accounts,
) -> Result<BTreeSet<String>, RenderError> {
    let mut keys = BTreeSet::new();
    for (_, _, path) in key_files(system, accounts)? {
        let Ok(Some(text)) = system.read_text(&path) else { continue };
        keys.extend(parse_authorized_keys(&text).into_iter().map(|line| line.key));
    }
    Ok(keys)
}

/// Returns the files in which sshd may look for the keys of each user, with the place of each
/// in the list of patterns; the usual ones come first.
pub(in crate::render) fn key_files<'a>(
    system: &dyn SystemFiles,
    accounts: &'a Accounts,
) -> Result<Vec<(usize, &'a User, String)>, RenderError> {
    let command = SshdCommand::read(system, &Systemd::read_later_boots(system)?)?;
    let config = SshdConfig::read_as(system, accounts, &Login::anybody(), &command)?;
    let patterns: Vec<String> = DEFAULT_KEY_FILES
        .iter()
        .map(|pattern| (*pattern).to_owned())
        .chain(config.all_key_files().iter().cloned())
        .collect();
    let mut files = Vec::new();
    for user in accounts.users() {
        for (index, pattern) in patterns.iter().enumerate() {
            files.extend(SshdConfig::key_file(pattern, user).map(|path| (index, user, path)));
        }
    }
    Ok(files)
}
