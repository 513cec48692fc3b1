//! Users' passwords, in /etc/shadow.

mod default;
mod libcrypt;
mod shadow;

pub use default::default_password_notes;

use super::{RenderError, accounts, context::Context, text};
use crate::{Attributes, Note, Password, Purpose};

const SHADOW: &str = "/etc/shadow";
/// A field that is not a hash (crypt(5)). `!` would lock the password as well, but without
/// PAM sshd then rejects keys too.
const LOCKED: &str = "*";
/// The password field of /etc/passwd that refers to /etc/shadow.
const SHADOWED: &str = "x";
const DAY: u64 = 24 * 60 * 60;

/// Sets the passwords of the profile, and locks the users that it locks.
pub(super) fn write(to: &mut Context<'_>) -> Result<(), RenderError> {
    let cluster = to.cluster;
    let users = accounts::users(to)?;
    let mut wanted = Vec::new();
    for account in &cluster.users {
        let user = accounts::find(&users, &account.name, "users").map(Some);
        let Some(user) = to.refused.go_on(user)? else { continue };
        let Some(password) = &account.password else { continue };
        if user.password != SHADOWED {
            let user = account.name.clone();
            to.refused.add(RenderError::NotShadowed { user })?;
            continue;
        }
        wanted.push((account.name.as_str(), password));
    }
    if to.system.mode(SHADOW)?.is_some_and(|mode| mode & 0o004 != 0) {
        to.note(Note::ShadowReadable);
    }
    if wanted.is_empty() {
        return Ok(());
    }
    note_unknown_methods(to, &wanted)?;
    let old = to.read(SHADOW)?.ok_or(RenderError::NoLinux { path: SHADOW })?;
    let new = set(&old, &wanted, &today(to));
    if old != new {
        to.write(Purpose::Passwords, SHADOW, text::encode(&new), Attributes::root(0o640));
    }
    Ok(())
}

fn set(old: &str, wanted: &[(&str, &Password)], today: &str) -> String {
    wanted.iter().fold(old.to_owned(), |text, (user, password)| {
        shadow::set(&text, user, field(password), today)
    })
}

fn field(password: &Password) -> &str {
    match password {
        Password::Hash(hash) => hash.as_str(),
        Password::Locked => LOCKED,
    }
}

/// Returns the day of the build, or that of the cluster's keys if it is later. Day 0 would
/// ask for a new password at the first login; an empty field asks for nothing.
fn today(from: &Context<'_>) -> String {
    match from.now.max(from.keys.created()) / DAY {
        0 => String::new(),
        day => day.to_string(),
    }
}

/// Notes hashes that the image's libcrypt does not support: their users could not log in.
fn note_unknown_methods(
    to: &mut Context<'_>,
    wanted: &[(&str, &Password)],
) -> Result<(), RenderError> {
    for (user, password) in wanted {
        let Password::Hash(hash) = password else { continue };
        let Some(method) = hash.method().filter(|method| !method.is_of_glibc()) else { continue };
        if libcrypt::is_of_glibc(to)? {
            let prefix = method.prefix().to_string();
            to.note(Note::HashUnsupported { user: user.to_string(), prefix });
        }
    }
    Ok(())
}
