//! Users that the profile makes, and the groups, shell and sudo of others.
//!
//! It comes before everything else: the users exist for the rest of rendering, which sees the
//! system through [`Overlay`].

use std::collections::BTreeMap;

use system_model::{
    BootPartition, FileKind, FileMetadata, Starts, WantedFiles,
    accounts::{Accounts, GROUP, GSHADOW, PASSWD, SHADOW, ShellState},
    sshd::{HindranceKind, usable_shell},
};

use super::{RenderError, context::Context, refused::Refused, text};
use crate::{
    Account, AccountPart, Attributes, Change, Cluster, Note, Password, Purpose, SystemError,
    SystemFiles,
};

/// The system with the files that the profile's users change.
pub(super) struct Overlay<'a> {
    system: &'a dyn SystemFiles,
    files: BTreeMap<&'static str, Vec<u8>>,
    /// Users with a password who get a shell that the profile does not name.
    given_shells: Vec<GivenShell>,
}

/// A shell that a user gets, as a password would be of no use with the one of the image.
struct GivenShell {
    user: String,
    /// What is wrong with the image's.
    wrong: HindranceKind,
    shell: String,
}

impl<'a> Overlay<'a> {
    /// Returns the system with the profile's users in it.
    pub fn new(
        cluster: &Cluster,
        system: &'a dyn SystemFiles,
        refused: &mut Refused,
    ) -> Result<Self, RenderError> {
        let mut overlay = Overlay { system, files: BTreeMap::new(), given_shells: Vec::new() };
        for account in &cluster.users {
            // What follows must not complain of a user who is made without what is wrong.
            let mut account = account.clone();
            if let Some(given) = shell_for_password(&account, &overlay)? {
                account.shell = Some(given.shell.clone());
                overlay.given_shells.push(given);
            }
            if !account.changes_accounts() {
                continue;
            }
            for reason in lacking(&account, &overlay)? {
                match &reason {
                    RenderError::UnknownGroup { group, .. } => {
                        account.groups.retain(|one| one != group);
                    }
                    _ => account.shell = None,
                }
                refused.add(reason)?;
            }
            let databases = || Databases::read(&overlay);
            let mut files = databases()?.with(&account, &overlay, Uid::Free).map(Some);
            match &files {
                Err(RenderError::OtherUid { .. }) => {
                    refused.go_on(files)?;
                    account.uid = None;
                    files = databases()?.with(&account, &overlay, Uid::Free).map(Some);
                }
                Err(RenderError::TakenUid { .. }) => {
                    refused.go_on(files)?;
                    files = databases()?.with(&account, &overlay, Uid::Any).map(Some);
                }
                _ => {}
            }
            let Some(files) = refused.go_on(files)? else { continue };
            for (path, old, new) in files.changes() {
                debug_assert_ne!(old, new);
                overlay.files.insert(path, text::encode(new));
            }
        }
        Ok(overlay)
    }

    /// Returns whether a user is in the system itself.
    fn is_new(&self, name: &str) -> Result<bool, RenderError> {
        Ok(Accounts::read(self.system)?.user(name).is_none())
    }
}

impl SystemFiles for Overlay<'_> {
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, SystemError> {
        match self.files.get(path) {
            Some(contents) => Ok(Some(contents.clone())),
            None => self.system.read(path),
        }
    }

    fn read_start(&self, path: &str, most: usize) -> Result<Option<Vec<u8>>, SystemError> {
        match self.files.get(path) {
            Some(contents) => Ok(Some(contents.iter().copied().take(most).collect())),
            None => self.system.read_start(path, most),
        }
    }

    fn list(&self, path: &str) -> Result<Option<Vec<String>>, SystemError> {
        self.system.list(path)
    }

    fn metadata(&self, path: &str) -> Result<Option<FileMetadata>, SystemError> {
        self.system.metadata(path)
    }

    fn read_link(&self, path: &str) -> Result<Option<String>, SystemError> {
        self.system.read_link(path)
    }

    fn starts(
        &self,
        directory: &str,
        wanted: &WantedFiles,
        skips: &dyn Fn(&str) -> bool,
    ) -> Result<Starts, SystemError> {
        self.system.starts(directory, wanted, skips)
    }

    fn boot_partitions(&self) -> Vec<BootPartition> {
        self.system.boot_partitions()
    }

    fn mode(&self, path: &str) -> Result<Option<u16>, SystemError> {
        self.system.mode(path)
    }

    fn exists(&self, path: &str) -> Result<bool, SystemError> {
        self.system.exists(path)
    }
}

/// Returns the shell that an existing user gets who is given a password, where the user's own is
/// missing or ends every login, and the profile names none.
fn shell_for_password(
    account: &Account,
    system: &dyn SystemFiles,
) -> Result<Option<GivenShell>, RenderError> {
    if !matches!(account.password, Some(Password::Hash(_))) || account.shell.is_some() {
        return Ok(None);
    }
    let accounts = Accounts::read(system)?;
    // Without any shell, the image is a part of a system.
    let (Some(user), Some(shell)) = (accounts.user(&account.name), usable_shell(system)?) else {
        return Ok(None);
    };
    let state = ShellState::of(system, user)?;
    let wrong = HindranceKind::Shell(user.login_shell().to_owned(), state);
    let given = GivenShell { user: account.name.clone(), wrong, shell };
    Ok(Some(given).filter(|_| state != ShellState::Usable))
}

/// Returns what of an account the system does not have: the shell and the groups.
fn lacking(account: &Account, system: &dyn SystemFiles) -> Result<Vec<RenderError>, RenderError> {
    let mut found = Vec::new();
    let user = || account.name.clone();
    if let Some(shell) = &account.shell
        && system.metadata(shell)?.is_none()
    {
        found.push(RenderError::NoShell { user: user(), shell: shell.clone() });
    }
    let accounts = Accounts::read(system)?;
    let unknown = account.groups.iter().filter(|group| accounts.group(group).is_none());
    found.extend(
        unknown.map(|group| RenderError::UnknownGroup { user: user(), group: group.clone() }),
    );
    Ok(found)
}

/// Writes what the overlay changes, with homes and sudoers files.
pub(super) fn write(to: &mut Context<'_>, overlay: &Overlay<'_>) -> Result<(), RenderError> {
    for (path, contents) in &overlay.files {
        let (purpose, mode) = match *path {
            SHADOW => (Purpose::Passwords, 0o640),
            GSHADOW => (Purpose::Account(AccountPart::GroupPasswords), 0o640),
            GROUP => (Purpose::Account(AccountPart::Groups), 0o644),
            _ => (Purpose::Account(AccountPart::Users), 0o644),
        };
        to.write(purpose, *path, contents.clone(), Attributes::root(mode));
    }
    for GivenShell { user, wrong, shell } in &overlay.given_shells {
        let how = format!("{user} has {shell} now, in {PASSWD}");
        to.note(Note::LoginCorrected { user: user.clone(), what: wrong.to_string(), how });
    }
    let accounts = Accounts::read(overlay)?;
    let cluster = to.cluster;
    for account in &cluster.users {
        let Some(user) = accounts.user(&account.name).filter(|_| account.changes_accounts()) else {
            continue;
        };
        let is_missing = to.system.metadata(&user.home)?.is_none();
        if account.create && user.has_home() && (is_missing || overlay.is_new(&account.name)?) {
            let purpose = Purpose::HomeDirectory { user: user.name.clone() };
            let attributes = Attributes::exactly(0o750, user.uid, user.gid);
            to.edit(purpose, user.home.clone(), Change::Directory { attributes });
            skeleton(to, "/etc/skel", &user.home, (user.uid, user.gid))?;
        }
        if account.sudo {
            sudo(to, &user.name)?;
        }
    }
    Ok(())
}

/// Copies a directory of /etc/skel to a new home. What is there already stays.
fn skeleton(
    to: &mut Context<'_>,
    from: &str,
    home: &str,
    owner: (u32, u32),
) -> Result<(), RenderError> {
    for name in to.list(from)? {
        let (source, target) = (format!("{from}/{name}"), format!("{home}/{name}"));
        let purpose = || Purpose::Account(AccountPart::Skeleton);
        if let Some(link) = to.system.read_link(&source)? {
            if !to.exists(&target)? {
                to.edit(purpose(), target, Change::Symlink { target: link });
            }
            continue;
        }
        let Some(metadata) = to.system.metadata(&source)? else { continue };
        let attributes = Attributes::exactly(metadata.mode, owner.0, owner.1);
        match metadata.kind {
            FileKind::Directory => {
                to.edit(purpose(), target.clone(), Change::Directory { attributes });
                skeleton(to, &source, &target, owner)?;
            }
            FileKind::Regular if !to.exists(&target)? => {
                let contents = to.system.read(&source)?.unwrap_or_default();
                to.write(purpose(), target, contents, attributes);
            }
            _ => {}
        }
    }
    Ok(())
}

fn sudo(to: &mut Context<'_>, user: &str) -> Result<(), RenderError> {
    if !to.exists("/usr/bin/sudo")? {
        to.note(Note::NoSudo { user: user.to_owned() });
    }
    let sudoers = to.read("/etc/sudoers")?;
    if sudoers.is_some_and(|text| !text.contains("includedir /etc/sudoers.d")) {
        to.note(Note::SudoersNotRead { user: user.to_owned() });
    }
    // sudo ignores files with a dot in their names.
    let file: String = user.chars().map(|c| if matches!(c, '.' | '$') { '_' } else { c }).collect();
    to.write(
        Purpose::Account(AccountPart::Sudo),
        format!("/etc/sudoers.d/nodecard-{file}"),
        format!("{user} ALL=(ALL:ALL) NOPASSWD: ALL\n"),
        Attributes::exactly(0o440, 0, 0),
    );
    Ok(())
}

/// Which numbers a new user may get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Uid {
    /// One that nobody has.
    Free,
    /// Whatever the profile says. That it is taken has been said.
    Any,
}

/// The four files of users and groups. A file that the image does not have is not made.
struct Databases {
    files: Vec<Database>,
}

struct Database {
    path: &'static str,
    old: String,
    new: String,
}

impl Databases {
    fn read(system: &dyn SystemFiles) -> Result<Self, RenderError> {
        let mut files = Vec::new();
        for path in [PASSWD, GROUP, SHADOW, GSHADOW] {
            match system.read(path)?.map(|bytes| text::decode(&bytes)) {
                Some(old) => files.push(Database { path, new: old.clone(), old }),
                None if path == PASSWD => return Err(RenderError::NoLinux { path }),
                None => {}
            }
        }
        Ok(Databases { files })
    }

    /// Returns the files that differ, with their old and new text.
    fn changes(&self) -> impl Iterator<Item = (&'static str, &str, &str)> {
        let files = self.files.iter().map(|file| (file.path, &*file.old, &*file.new));
        files.filter(|(_, old, new)| old != new)
    }

    fn append(&mut self, path: &str, line: &str) {
        if let Some(file) = self.files.iter_mut().find(|file| file.path == path) {
            text::end_last_line(&mut file.new);
            file.new.push_str(line);
            file.new.push('\n');
        }
    }

    /// Changes a field of the first line that begins with `name`.
    fn set_field(
        &mut self,
        path: &str,
        name: &str,
        field: usize,
        change: impl FnOnce(&str) -> String,
    ) {
        let Some(file) = self.files.iter_mut().find(|file| file.path == path) else { return };
        let mut change = Some(change);
        let lines = text::lines(&file.new).into_iter().map(|line| {
            let (body, end) = line.strip_suffix('\n').map_or((line, ""), |body| (body, "\n"));
            let mut fields: Vec<String> = body.split(':').map(str::to_owned).collect();
            if fields.first().is_none_or(|first| first != name) {
                return line.to_owned();
            }
            if let Some(value) = fields.get_mut(field)
                && let Some(change) = change.take()
            {
                *value = change(value);
            }
            fields.join(":") + end
        });
        file.new = lines.collect();
    }

    /// Makes a user, or gives one that exists its groups and shell.
    fn with(
        mut self,
        account: &Account,
        system: &dyn SystemFiles,
        uid: Uid,
    ) -> Result<Self, RenderError> {
        let accounts = Accounts::read(system)?;
        let name = &account.name;
        match (accounts.user(name), account.uid) {
            (Some(user), Some(uid)) if user.uid != uid => {
                return Err(RenderError::OtherUid { user: name.clone(), uid, found: user.uid });
            }
            (Some(user), _) => {
                if let Some(shell) = account.shell.as_ref().filter(|shell| **shell != user.shell) {
                    self.set_field(PASSWD, name, 6, |_| shell.clone());
                }
            }
            (None, _) if account.create => self.create(account, &accounts, system, uid)?,
            // The passwords report users that do not exist.
            (None, _) => return Ok(self),
        }
        for group in &account.groups {
            let is_member = accounts.group(group).is_some_and(|g| g.members.contains(name));
            let add = |members: &str| match members {
                "" => name.clone(),
                _ if members.split(',').any(|member| member == name) => members.to_owned(),
                members => format!("{members},{name}"),
            };
            if !is_member {
                self.set_field(GROUP, group, 3, add);
                self.set_field(GSHADOW, group, 3, add);
            }
        }
        Ok(self)
    }

    fn create(
        &mut self,
        account: &Account,
        accounts: &Accounts,
        system: &dyn SystemFiles,
        checked: Uid,
    ) -> Result<(), RenderError> {
        let name = &account.name;
        let free = accounts.next_free_id(system)?;
        let none = || RenderError::NoFreeUid { user: name.clone() };
        let uid = match account.uid {
            Some(uid) => match accounts.users().iter().find(|user| user.uid == uid) {
                Some(other) if checked == Uid::Free => {
                    let owner = other.name.clone();
                    return Err(RenderError::TakenUid { user: name.clone(), uid, owner });
                }
                _ => uid,
            },
            None => free.ok_or_else(none)?,
        };
        let gid = match accounts.group(name) {
            Some(group) => group.gid,
            None => {
                let gid = match accounts.group_of_id(uid) {
                    None => uid,
                    Some(_) => free.ok_or_else(none)?,
                };
                self.append(GROUP, &format!("{name}:x:{gid}:"));
                self.append(GSHADOW, &format!("{name}:!::"));
                gid
            }
        };
        let shell = match &account.shell {
            Some(shell) => shell.clone(),
            None if system.metadata("/bin/bash")?.is_some() => "/bin/bash".to_owned(),
            None => "/bin/sh".to_owned(),
        };
        self.append(PASSWD, &format!("{name}:x:{uid}:{gid}::/home/{name}:{shell}"));
        let has_entry = accounts.shadow(name).is_some();
        if !has_entry {
            // No password is right. With `!`, sshd without PAM would reject keys as well.
            self.append(SHADOW, &format!("{name}:*::0:99999:7:::"));
        }
        Ok(())
    }
}

impl Account {
    /// Returns whether the profile says more than its password and keys.
    fn changes_accounts(&self) -> bool {
        self.create || self.sudo || self.shell.is_some() || !self.groups.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_field_of_the_first_line_changes() {
        let old = "a:x:1:b\nab:x:2:\na:x:3:\r\n";
        let file = Database { path: GROUP, old: old.to_owned(), new: old.to_owned() };
        let mut databases = Databases { files: vec![file] };
        databases.set_field(GROUP, "a", 3, |members| format!("{members},c"));
        databases.set_field(GROUP, "none", 3, |_| unreachable!());
        databases.append(GROUP, "n:x:4:");
        let (_, _, new) = databases.changes().next().expect("a change");
        assert_eq!(new, "a:x:1:b,c\nab:x:2:\na:x:3:\r\nn:x:4:\n");
    }
}
