//! Keys whose private half is in the image: everyone who has the image can log in with
//! them, so no account accepts them.

use std::collections::BTreeSet;

use system_model::{
    accounts::Accounts,
    sshd::{DEFAULT_KEY_FILES, ImageKeys, Login, SshdConfig},
};

use super::authorized_keys;
use crate::{
    Attributes, Note, Purpose,
    render::{
        RenderError,
        context::Context,
        text::{decode, encode},
    },
};

/// A key whose private half is in the image.
pub(super) struct ImageKey {
    /// The private half's path.
    pub private: String,
    /// The public half in base64.
    pub public: String,
}

/// Returns the image's keys, without those that nodecard gives nodes.
pub(super) fn find(from: &Context<'_>) -> Result<Vec<ImageKey>, RenderError> {
    let base64 = |public: &str| public.split(' ').nth(1).unwrap_or_default().trim().to_owned();
    let mut own: BTreeSet<String> = [base64(from.keys.cluster().public())].into();
    for node in &from.cluster.nodes {
        own.insert(base64(&from.keys.host(&node.name)?.public_without_comment()));
    }
    let accounts = Accounts::read(from.system)?;
    let found = ImageKeys::read(from.system, &accounts, &[])?;
    let keys = found.keys.into_iter().filter_map(|key| {
        let public = key.public.filter(|public| !own.contains(public))?;
        Some(ImageKey { private: key.private, public })
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
    let anybody = Login {
        user: String::new(),
        from: [0, 0, 0, 0].into(),
        to: [0, 0, 0, 0].into(),
        port: 22,
        today: 0,
    };
    let config = SshdConfig::read(to.system, &accounts, &anybody)?;
    let patterns: Vec<String> = DEFAULT_KEY_FILES
        .iter()
        .map(|pattern| (*pattern).to_owned())
        .chain(config.all_key_files().iter().cloned())
        .collect();
    let mut seen = BTreeSet::new();
    for user in accounts.users() {
        for (index, pattern) in patterns.iter().enumerate() {
            // The usual files of these users were written before.
            if index < DEFAULT_KEY_FILES.len() && done.contains(&user.name.as_str()) {
                continue;
            }
            let Some(path) = SshdConfig::key_file(pattern, user) else { continue };
            if !seen.insert(path.clone()) || to.rendered.edits.iter().any(|e| e.path == path) {
                continue;
            }
            // A loop of symlinks, or a file that is too large, is none that sshd reads.
            let Ok(Some(old)) = to.system.read(&path) else { continue };
            let old = decode(&old);
            let new = authorized_keys::render(&old, &barred, &[]);
            if old == new {
                continue;
            }
            let keys = keys
                .iter()
                .filter(|key| old.contains(&key.public) && !new.contains(&key.public))
                .map(|key| key.private.clone())
                .collect();
            let (user_name, file) = (user.name.clone(), path.clone());
            to.note(Note::RemovedKeyLines { user: user_name, path: file, keys });
            let purpose = Purpose::AuthorizedKeys { user: user.name.clone() };
            to.write(purpose, path, encode(&new), Attributes::root(0o600));
        }
    }
    Ok(())
}
