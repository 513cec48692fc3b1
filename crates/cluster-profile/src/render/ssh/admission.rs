//! A user's ~/.ssh/authorized_keys, with home and modes as sshd insists on them.

use system_model::FileKind;

use super::authorized_keys;
use crate::{
    Attributes, Change, Note, Purpose,
    render::{
        RenderError,
        accounts::User,
        context::Context,
        text::{decode, encode},
    },
};

/// Returns the directory of a user's keys.
pub(super) fn directory(user: &User) -> String {
    format!("{}/.ssh", user.home.trim_end_matches('/'))
}

/// Writes a user's authorized_keys with the `wanted` lines, and without lines that hold a
/// word of `barred`, such as a key in base64. Other lines survive.
///
/// It reads the system, not the result of earlier edits, so everything for one user has to
/// go into one call.
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
    let is_file = to.system.metadata(&ssh)?.is_some_and(|it| it.kind != FileKind::Directory);
    if to.system.read_link(&ssh)?.is_none() && is_file {
        to.remove(Purpose::SshDirectory { user: name() }, ssh.clone());
        to.note(Note::RemovedObstacle { path: ssh.clone() });
    }
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
    Ok(())
}

/// Makes a user's home acceptable to sshd: it accepts no keys from a home that others can
/// write to. A home that is missing must not become root's. One that is acceptable stays
/// as it is, since its owner may have reasons.
fn guard_home(to: &mut Context<'_>, user: &User) -> Result<(), RenderError> {
    let owned = |mode, enforce| Attributes { mode, uid: user.uid, gid: user.gid, enforce };
    let purpose = Purpose::HomeDirectory { user: user.name.clone() };
    match to.system.mode(&user.home)? {
        None => {
            let attributes = owned(0o755, false);
            to.edit(purpose, user.home.clone(), Change::Directory { attributes });
        }
        Some(mode)
            if mode & 0o022 != 0
                && user.home != "/"
                && to.system.read_link(&user.home)?.is_none() =>
        {
            let attributes = owned(mode & !0o022, true);
            to.edit(purpose, user.home.clone(), Change::Directory { attributes });
            to.note(Note::RemovedWriteAccess { path: user.home.clone() });
        }
        Some(_) => {}
    }
    Ok(())
}
