//! Default passwords on cards that are made.

use super::{SHADOW, SHADOWED, set, shadow};
use crate::{
    Cluster, DefaultPassword, Password, SystemError, SystemFiles,
    passwords::default_password,
    render::{Note, NoteKind, RenderError, accounts, text},
};

/// More users are not looked at: trying passwords takes time.
const MOST_USERS: usize = 100;

/// Returns a note about default passwords on cards that are made from this system, with the
/// lines that would set others; empty if all users have others.
///
/// It takes some milliseconds for each user.
///
/// # Errors
/// [`RenderError`].
pub fn default_password_notes(
    cluster: &Cluster,
    system: &dyn SystemFiles,
) -> Result<Vec<Note>, RenderError> {
    let read = |path| -> Result<_, SystemError> {
        Ok(system.read(path)?.map(|bytes| text::decode(&bytes)).unwrap_or_default())
    };
    let written = cluster.files.iter().find(|file| file.path == SHADOW);
    let mut shadow = match written {
        Some(file) => text::decode(&file.contents),
        None => read(SHADOW)?,
    };
    if written.is_none() {
        let wanted: Vec<(&str, &Password)> = cluster
            .users
            .iter()
            .filter_map(|account| Some((account.name.as_str(), account.password.as_ref()?)))
            .collect();
        shadow = set(&shadow, &wanted, "");
    }
    let (mut known, mut lines) = (Vec::new(), Vec::new());
    let users: Vec<_> = accounts::parse(&read("/etc/passwd")?);
    for user in users.iter().filter(|user| user.can_log_in()).take(MOST_USERS) {
        let field = if user.password == SHADOWED {
            shadow::password(&shadow, &user.name)
        } else {
            Some(user.password.as_str())
        };
        let Some(is) = field.and_then(|field| default_password(&user.name, field)) else {
            continue;
        };
        known.push(match is {
            DefaultPassword::Empty => format!("{} (no password)", user.name),
            DefaultPassword::Word(word) => format!("{} (`{word}`)", user.name),
        });
        lines.push(format!("{}: {{password: 'HASH'}}", user.name));
    }
    if known.is_empty() {
        return Ok(Vec::new());
    }
    let note = format!(
        "default passwords still set: {}; to set others, add `users: {{{}}}` to the profile, \
         with hashes from `nodecard password`, or `{{locked: true}}` for users who log in by key",
        known.join(", "),
        lines.join(", ")
    );
    Ok(vec![Note { text: plain_text::escaped(&note), kind: NoteKind::Plain }])
}
