//! Default passwords on cards that are made.

use super::{SHADOW, SHADOWED, set, shadow};
use crate::{
    Cluster, DefaultPassword, Note, Password, SystemError, SystemFiles,
    passwords::default_password,
    render::{RenderError, accounts, text},
};

/// More users are not looked at: trying passwords takes time.
const MOST_USERS: usize = 100;

/// Returns a note about default passwords on cards that are made from this system; empty if
/// all users have others.
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
    let mut known = Vec::new();
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
        let word = match is {
            DefaultPassword::Empty => None,
            DefaultPassword::Word(word) => Some(word.to_string()),
        };
        known.push((user.name.clone(), word));
    }
    let note = (!known.is_empty()).then_some(Note::DefaultPasswords { users: known });
    Ok(note.into_iter().collect())
}
