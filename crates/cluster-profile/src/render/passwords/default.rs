//! Passwords that everybody knows, on cards to be made.

use super::{SHADOW, SHADOWED, set, shadow};
use crate::{
    Cluster, DefaultPassword, Password, SystemError, SystemFiles,
    passwords::default_password,
    render::{Note, RenderError, accounts, text},
};

/// More logins are not looked at: trying passwords takes time.
const MOST_USERS: usize = 100;

/// What there is to say of passwords that everybody knows on cards that are made from
/// this system: one note, with the lines for the profile, or none.
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
        let field = match user.password == SHADOWED {
            true => shadow::password(&shadow, &user.name),
            false => Some(user.password.as_str()),
        };
        let Some(is) = field.and_then(|field| default_password(&user.name, field)) else {
            continue;
        };
        known.push(match is {
            DefaultPassword::Empty => format!("{} has none", user.name),
            DefaultPassword::Word(word) => format!("{} has `{word}`", user.name),
        });
        lines.push(format!("{}: {{password: 'HASH'}}", user.name));
    }
    if known.is_empty() {
        return Ok(Vec::new());
    }
    let note = format!(
        "passwords that everybody knows: {}; `users: {{{}}}` in the profile sets others, with \
         hashes as `openssl passwd -6` prints them, or write `{{locked: true}}` for whom keys are \
         enough",
        known.join(", "),
        lines.join(", ")
    );
    Ok(vec![Note { text: text::printable(&note), hindrance: false }])
}
