//! Owners and modes on the way to a user's keys.

use super::{
    hindrance::{Hindrance, HindranceKind, Repair},
    host::SshHost,
};
use crate::{
    FileKind, FileMetadata, SystemError,
    accounts::{Accounts, User},
    walk::{End, Identity, READ, SEARCH, walk},
};

/// Which server's rules apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rules {
    /// sshd with StrictModes: the file and each directory up to the home (or the root) belong
    /// to the user or root, and nobody else may write to them (`safe_path` in OpenSSH's misc.c).
    Strict,
    /// sshd without StrictModes.
    Lax,
    /// dropbear: the home, .ssh and the file (`checkpubkeyperms` in svr-authpubkey.c).
    Dropbear,
}

/// Hindrances on the way to a key file, sure ones first, then perhaps.
#[derive(Default)]
pub(super) struct OnTheWay {
    pub certain: Vec<Hindrance>,
    pub uncertain: Vec<Hindrance>,
}

/// Checks the way to a key file, or as much of it as exists.
pub(super) fn check(
    host: &SshHost<'_>,
    user: &User,
    path: &str,
    rules: Rules,
) -> Result<OnTheWay, SystemError> {
    let mut found = OnTheWay::default();
    let SshHost { files, accounts, mounts, .. } = host;
    let files = *files;
    let way = walk(files, path)?;
    let home = match walk(files, &user.home)?.end {
        End::Found(home, _) => Some(home),
        _ => None,
    };
    let gids = accounts.group_ids(user);
    let identity = Identity { uid: user.uid, gids: &gids };
    let checked = Checked { accounts, user, home: home.as_deref(), identity, rules };
    let inside = |path: &str| {
        home.as_deref().is_some_and(|home| path == home || path.starts_with(&format!("{home}/")))
    };

    // Where a key file would be made if it is missing, the directories still count.
    let real = match &way.end {
        End::Found(real, _) | End::Missing(real) => real.clone(),
        End::NotADirectory(real, _) => {
            let repair = inside(real).then(|| Repair::Remove(real.clone()));
            let kind = HindranceKind::WrongKind(real.clone());
            found.certain.push(Hindrance { kind, at: None, repair });
            real.clone()
        }
        End::Loop(at) => {
            let repair = Some(Repair::Remove(at.clone())).filter(|_| inside(at));
            let kind = HindranceKind::SymlinkLoop(at.clone());
            found.certain.push(Hindrance { kind, at: None, repair });
            return Ok(found);
        }
    };
    // What the image has there is not what sshd will read.
    if let Some(mount) = mounts.hiding(&real) {
        let kind = HindranceKind::Hidden { path: real, point: mount.point.clone() };
        let hindrance = Hindrance { kind, at: Some(mount.at.clone()), repair: None };
        let list = if mount.may_fail { &mut found.uncertain } else { &mut found.certain };
        list.push(hindrance);
        return Ok(found);
    }
    for (directory, metadata) in &way.directories {
        let judged = checked.ancestor(directory, &real);
        checked.one(directory, metadata, SEARCH, judged, &mut found);
    }
    if let End::Found(file, metadata) = &way.end {
        if metadata.kind == FileKind::Regular {
            checked.one(file, metadata, READ, true, &mut found);
        } else {
            let kind = HindranceKind::WrongKind(file.clone());
            let repair = Some(Repair::Remove(file.clone())).filter(|_| inside(file));
            found.certain.push(Hindrance { kind, at: None, repair });
        }
    }
    Ok(found)
}

struct Checked<'a> {
    accounts: &'a Accounts,
    user: &'a User,
    home: Option<&'a str>,
    identity: Identity<'a>,
    rules: Rules,
}

impl Checked<'_> {
    /// Whether owner and mode of a directory count: those that the file is in, from its own
    /// up to the home, or to the root if it is not in the home.
    fn ancestor(&self, directory: &str, file: &str) -> bool {
        let below = |path: &str, above: &str| {
            above == "/" || path == above || path.starts_with(&format!("{above}/"))
        };
        if !below(file, directory) {
            return false;
        }
        match self.home {
            Some(home) if below(file, home) => below(directory, home),
            _ => self.rules == Rules::Strict,
        }
    }

    fn one(
        &self,
        path: &str,
        file: &FileMetadata,
        permission: u16,
        judged: bool,
        found: &mut OnTheWay,
    ) {
        let repair = self.repair(path, file, permission);
        let mut add = |kind, certain: bool| {
            let hindrance = Hindrance { kind, at: None, repair: repair.clone() };
            let list = if certain { &mut found.certain } else { &mut found.uncertain };
            list.push(hindrance);
        };
        // dropbear opens the file as root before 2024.84, as the user since.
        let as_root = self.rules == Rules::Dropbear;
        if !self.identity.may(file, permission) {
            let path = path.to_owned();
            let kind = if permission == SEARCH {
                HindranceKind::NotSearchable(path)
            } else {
                HindranceKind::NotReadable(path)
            };
            return add(kind, !as_root);
        }
        if !judged || self.rules == Rules::Lax {
            return;
        }
        if file.uid != 0 && file.uid != self.user.uid {
            return add(HindranceKind::WrongOwner { path: path.to_owned(), uid: file.uid }, true);
        }
        if file.mode & 0o022 != 0 {
            // Debian's sshd lets a private group write.
            let private = file.mode & 0o002 == 0
                && self.rules == Rules::Strict
                && self.accounts.is_private_group(file.gid, self.user);
            let kind = HindranceKind::WritableByOthers { path: path.to_owned(), mode: file.mode };
            add(kind, !private);
        }
    }

    /// What makes it right: the home and what is in it become the user's, directories above
    /// it root's. A directory like /tmp stays.
    fn repair(&self, path: &str, file: &FileMetadata, permission: u16) -> Option<Repair> {
        if file.mode & 0o1000 != 0 {
            return None;
        }
        let own = self.home.is_some_and(|home| {
            home != "/" && (path == home || path.starts_with(&format!("{home}/")))
        });
        // The home of another user, such as /root, is not opened for this one.
        let is_foreign = |other: &User| {
            let home = other.home.trim_end_matches('/');
            other.name != self.user.name
                && (other.uid == 0 || other.uid >= 1000)
                && other.has_home()
                && !home.is_empty()
                && Some(home) != self.home
                && (path == home || path.starts_with(&format!("{home}/")))
        };
        if !own && self.accounts.users().iter().any(is_foreign) {
            return None;
        }
        let (uid, gid) = if own && file.uid == self.user.uid {
            (file.uid, file.gid)
        } else if own {
            (self.user.uid, self.user.gid)
        } else {
            // A directory of a third user would stay that user's.
            (0, if file.uid == 0 { file.gid } else { 0 })
        };
        let needed = match (own, permission) {
            (true, SEARCH) => 0o700,
            (true, _) => 0o600,
            (false, SEARCH) => 0o711,
            (false, _) => 0o644,
        };
        Some(Repair::Attributes {
            path: path.to_owned(),
            mode: file.mode & !0o022 | needed,
            uid,
            gid,
        })
    }
}
