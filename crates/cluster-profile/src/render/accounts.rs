//! The image's users and groups: /etc/passwd and /etc/group.

use super::{RenderError, context::Context, text};

/// A line of /etc/passwd.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct User {
    pub name: String,
    /// The second field, `x` where /etc/shadow has the password.
    pub password: String,
    pub uid: u32,
    pub gid: u32,
    pub home: String,
    shell: String,
}

impl User {
    /// Returns whether a person can log in as this user; others are services.
    pub fn can_log_in(&self) -> bool {
        let barred = ["/nologin", "/false", "/sync", "/halt", "/shutdown"];
        !barred.iter().any(|shell| self.shell.ends_with(shell))
    }

    /// Returns whether there is a place for keys.
    pub fn has_home(&self) -> bool {
        self.home.starts_with('/') && self.home != "/nonexistent"
    }
}

/// Returns the image's users. Lines that are not valid are skipped, as the C library does.
pub(super) fn users(from: &Context<'_>) -> Result<Vec<User>, RenderError> {
    const PASSWD: &str = "/etc/passwd";
    let text = from.read(PASSWD)?.ok_or(RenderError::NoLinux { path: PASSWD })?;
    Ok(parse(&text))
}

/// Returns the users of an /etc/passwd.
pub(super) fn parse(passwd: &str) -> Vec<User> {
    passwd.lines().filter_map(user).collect()
}

fn user(line: &str) -> Option<User> {
    let mut fields = line.trim_end_matches('\r').split(':');
    let name = fields.next().filter(|name| !name.is_empty() && !name.starts_with('#'))?;
    let password = fields.next()?.to_owned();
    let uid = fields.next()?.parse().ok()?;
    let gid = fields.next()?.parse().ok()?;
    let _comment = fields.next()?;
    // Only a home whose path is UTF-8 is used.
    let home = String::from_utf8(text::encode(fields.next()?)).unwrap_or_default();
    let shell = fields.next().unwrap_or_default().to_owned();
    Some(User { name: name.to_owned(), password, uid, gid, home, shell })
}

/// Returns the user whom the profile names below `key`.
pub(super) fn find<'a>(
    users: &'a [User],
    name: &str,
    key: &'static str,
) -> Result<&'a User, RenderError> {
    users.iter().find(|user| user.name == name).ok_or_else(|| {
        let logins: Vec<&str> =
            users.iter().filter(|user| user.can_log_in()).map(|user| user.name.as_str()).collect();
        RenderError::UnknownUser {
            key,
            user: name.to_owned(),
            known: plain_text::escaped(&logins.join(", ")),
            maker: None,
            place: None,
        }
    })
}

/// Returns the groups' names and numbers.
pub(super) fn groups(from: &Context<'_>) -> Result<Vec<(String, u32)>, RenderError> {
    let text = from.read("/etc/group")?.unwrap_or_default();
    let group = |line: &str| {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| !name.is_empty())?;
        Some((name.to_owned(), fields.nth(1)?.parse().ok()?))
    };
    Ok(text.lines().filter_map(group).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_passwd_are_read_as_the_c_library_does() {
        let odroid = user("odroid:x:1000:1001:odroid,,,:/home/odroid:/bin/bash").expect("a user");
        assert_eq!((odroid.uid, odroid.gid, odroid.home.as_str()), (1000, 1001, "/home/odroid"));
        assert!(odroid.can_log_in() && odroid.has_home());
        let joerg = |line| user(&text::decode(line)).expect("a user");
        assert_eq!(joerg(b"j:x:1:1::/home/j\xc3\xb6rg:/bin/sh").home, "/home/j\u{f6}rg");
        assert!(!joerg(b"j:x:1:1::/home/j\xf6rg:/bin/sh").has_home());
        let sync = user("sync:x:4:65534:sync:/bin:/bin/sync").expect("a user");
        assert!(!sync.can_log_in());
        let shell_left_out = user("a:x:0:0::/root:").expect("a user");
        assert!(shell_left_out.can_log_in());
        for line in
            ["", "+::::::", "#a:x:1:1::/:", "a:x:-1:1::/:", "a:x:1", "a:x:99999999999:1::/:"]
        {
            assert_eq!(user(line), None, "{line}");
        }
    }
}
