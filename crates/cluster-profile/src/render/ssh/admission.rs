//! Whom a user's ~/.ssh/authorized_keys lets in, with home and modes as sshd insists.

use super::authorized_keys;
use crate::{
    Attributes, Change, Purpose,
    render::{
        RenderError,
        accounts::{self, User},
        context::Context,
        text::{decode, encode},
    },
};

/// The directory of a user's keys.
pub(super) fn directory(user: &User) -> String {
    format!("{}/.ssh", user.home.trim_end_matches('/'))
}

/// Has a user's authorized_keys let in `wanted` lines, and no line with a word of
/// `barred`, such as a key in base64. Other lines survive.
///
/// What it reads is the system, not earlier edits: all that one user is to have goes
/// into one call.
pub(in crate::render) fn admit<'a>(
    to: &mut Context<'_>,
    user: &User,
    wanted: impl IntoIterator<Item = &'a str>,
    barred: &[String],
) -> Result<(), RenderError> {
    let ssh = directory(user);
    let owned = |mode| Attributes::exactly(mode, user.uid, user.gid);
    guard_home(to, user)?;
    let name = || user.name.clone();
    to.edit(
        Purpose::SshDirectory { user: name() },
        ssh.clone(),
        Change::Directory { attributes: owned(0o700) },
    );

    let wanted: Vec<String> = wanted.into_iter().map(|line| decode(line.as_bytes())).collect();
    let path = format!("{ssh}/authorized_keys");
    let old = to.read(&path)?.unwrap_or_default();
    let new = authorized_keys::render(&old, barred, &wanted);
    to.write(Purpose::AuthorizedKeys { user: name() }, path, encode(&new), owned(0o600));
    // sshd reads this one too.
    let path = format!("{ssh}/authorized_keys2");
    if let Some(old) = to.read(&path)? {
        let new = authorized_keys::render(&old, barred, &[]);
        to.rewrite(Purpose::AuthorizedKeys { user: name() }, &path, &old, &new);
    }

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

/// sshd takes no keys from a home that others can write to, and a home that is
/// missing must not become root's. One that is right stays as it is, since its owner
/// may have reasons.
fn guard_home(to: &mut Context<'_>, user: &User) -> Result<(), RenderError> {
    let owned = |mode, enforce| Attributes { mode, uid: user.uid, gid: user.gid, enforce };
    let purpose = Purpose::HomeDirectory { user: user.name.clone() };
    match to.system.mode(&user.home)? {
        None => {
            let attributes = owned(0o755, false);
            to.edit(purpose, user.home.clone(), Change::Directory { attributes });
        }
        Some(mode) if mode & 0o022 != 0 && user.home != "/" => {
            let attributes = owned(mode & !0o022, true);
            to.edit(purpose, user.home.clone(), Change::Directory { attributes });
            to.note(format!(
                "{} could be written to by others, for which sshd refuses keys; now only by {}",
                user.home, user.name
            ));
        }
        Some(_) => {}
    }
    Ok(())
}
