//! The users and groups of an image, as the C library reads them.
//!
//! Sources: glibc `nss/nss_files/files-parse.c`, `files-XXX.c`, `shadow/fgetspent_r.c`;
//! passwd(5), group(5), shadow(5), login.defs(5); Debian's adduser(8).

mod fields;
mod group;
mod ids;
mod passwd;
mod shadow;
mod shell;

pub use group::Group;
pub use passwd::User;
pub use shadow::{PasswordState, ShadowEntry};
pub use shell::ShellState;

use crate::{SystemError, SystemFiles};

/// The files of users, groups and passwords.
pub const PASSWD: &str = "/etc/passwd";
/// The groups.
pub const GROUP: &str = "/etc/group";
/// The passwords of users.
pub const SHADOW: &str = "/etc/shadow";
/// The passwords of groups.
pub const GSHADOW: &str = "/etc/gshadow";

/// The users and groups of an image.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Accounts {
    users: Vec<User>,
    groups: Vec<Group>,
    shadow: Vec<ShadowEntry>,
}

impl Accounts {
    /// Reads /etc/passwd, /etc/group and /etc/shadow. A file that is missing has no entries.
    ///
    /// # Errors
    /// [`SystemError`] if a file cannot be read.
    pub fn read(files: &dyn SystemFiles) -> Result<Self, SystemError> {
        let text = |path| Ok::<_, SystemError>(files.read_text(path)?.unwrap_or_default());
        Ok(Accounts {
            users: passwd::parse(&text(PASSWD)?),
            groups: group::parse(&text(GROUP)?),
            shadow: shadow::parse(&text(SHADOW)?),
        })
    }

    /// Returns the users, those of duplicate names too, in the order of /etc/passwd.
    pub fn users(&self) -> &[User] {
        &self.users
    }

    /// Returns the groups in the order of /etc/group.
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// Returns the user of this name: the first one, as getpwnam(3) does.
    pub fn user(&self, name: &str) -> Option<&User> {
        self.users.iter().find(|user| user.name == name)
    }

    /// Returns the group of this name: the first one, as getgrnam(3) does.
    pub fn group(&self, name: &str) -> Option<&Group> {
        self.groups.iter().find(|group| group.name == name)
    }

    /// Returns the group with this number: the first one, as getgrgid(3) does.
    pub fn group_of_id(&self, gid: u32) -> Option<&Group> {
        self.groups.iter().find(|group| group.gid == gid)
    }

    /// Returns a user's line of /etc/shadow.
    pub fn shadow(&self, name: &str) -> Option<&ShadowEntry> {
        self.shadow.iter().find(|entry| entry.name == name)
    }

    /// Returns the state of a user's password, wherever it is kept: a second field other than
    /// `x` in /etc/passwd holds the password itself.
    pub fn password_state(&self, user: &User) -> PasswordState {
        if user.password != "x" {
            return PasswordState::of(&user.password);
        }
        // Without a line in /etc/shadow no password can be right.
        self.shadow(&user.name).map_or(PasswordState::Impossible, |entry| entry.state())
    }

    /// Returns the numbers of a user's groups as getgrouplist(3) does: the primary group
    /// first, then those whose member lists have the user.
    pub fn group_ids(&self, user: &User) -> Vec<u32> {
        let mut ids = vec![user.gid];
        for group in &self.groups {
            if group.members.contains(&user.name) && !ids.contains(&group.gid) {
                ids.push(group.gid);
            }
        }
        ids
    }

    /// Returns the names of a user's groups, the primary group first. A number without a
    /// line in /etc/group has none.
    pub fn group_names(&self, user: &User) -> Vec<&str> {
        let ids = self.group_ids(user);
        ids.iter().filter_map(|gid| self.group_of_id(*gid)).map(|g| g.name.as_str()).collect()
    }

    /// Returns whether a group has a user as its only member, as the private groups that
    /// adduser makes.
    pub fn is_private_group(&self, gid: u32, user: &User) -> bool {
        gid == user.gid
            && self.users.iter().all(|other| other.gid != gid || other.name == user.name)
            && self
                .groups
                .iter()
                .filter(|group| group.gid == gid)
                .all(|group| group.members.iter().all(|member| *member == user.name))
    }

    /// Returns the number that adduser(8) gives the next user and the group of the same
    /// name: the lowest in the range of /etc/adduser.conf (`FIRST_UID` to `LAST_UID`), else of
    /// /etc/login.defs (`UID_MIN` to `UID_MAX`), that is free as both. `None` if all are taken.
    ///
    /// # Errors
    /// [`SystemError`] if a file cannot be read.
    pub fn next_free_id(&self, files: &dyn SystemFiles) -> Result<Option<u32>, SystemError> {
        let range = ids::Range::read(files)?;
        let free = |id: &u32| {
            self.users.iter().all(|user| user.uid != *id)
                && self.groups.iter().all(|group| group.gid != *id)
        };
        Ok((range.first..=range.last).find(free))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryFiles;

    #[test]
    fn the_first_of_duplicate_names_counts() {
        let mut files = MemoryFiles::new();
        files.write(PASSWD, "pi:x:1000:1000:::\npi:x:1001:1001::/b:/bin/sh\n+pi::::::\n");
        files.write(GROUP, "pi:x:1000:\nsudo:x:27:root,pi\nadm:x:4:pi\nsudo:x:28:pi\n");
        files.write(SHADOW, "pi:!:1:0:99999:7:::\n");
        let accounts = Accounts::read(&files).expect("readable");
        let pi = accounts.user("pi").expect("a user");
        assert_eq!((pi.uid, pi.login_shell(), pi.has_home()), (1000, "/bin/sh", false));
        assert_eq!(accounts.group_ids(pi), [1000, 27, 4, 28]);
        assert_eq!(accounts.group_names(pi), ["pi", "sudo", "adm", "sudo"]);
        assert_eq!(accounts.password_state(pi), PasswordState::Locked);
        assert!(accounts.user("+pi").is_none() && accounts.group("adm").is_some());
    }

    #[test]
    fn the_next_number_is_free_for_user_and_group() {
        let mut files = MemoryFiles::new();
        files.write(PASSWD, "root:x:0:0:::\npi:x:1000:1000:::\nx:x:1002:100:::\n");
        files.write(GROUP, "pi:x:1000:\ngpio:x:1001:\n");
        let next = |files: &MemoryFiles| {
            Accounts::read(files).expect("readable").next_free_id(files).expect("readable")
        };
        assert_eq!(next(&files), Some(1003));
        files.write("/etc/login.defs", "#UID_MIN 5\nUID_MIN\t\t 1500\nUID_MAX 60000\n");
        assert_eq!(next(&files), Some(1500));
        files.write("/etc/adduser.conf", "FIRST_UID=1000\nLAST_UID=1001\n");
        assert_eq!(next(&files), None);
    }

    #[test]
    fn passwords_are_told_apart() {
        for (field, expected) in [
            ("", PasswordState::Empty),
            ("!", PasswordState::Locked),
            ("!$6$x$y", PasswordState::Locked),
            ("*", PasswordState::Impossible),
            ("x", PasswordState::Impossible),
            ("$y$j9T$a$b", PasswordState::Set),
            ("ab01234567890", PasswordState::Set),
        ] {
            assert_eq!(PasswordState::of(field), expected, "{field}");
        }
    }
}
