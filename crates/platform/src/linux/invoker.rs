//! Finding and becoming the user who called sudo, doas or pkexec.

use std::{
    env,
    ffi::OsString,
    fs, io,
    os::unix::{ffi::OsStringExt as _, process::CommandExt as _},
    path::{Path, PathBuf},
    process::Command,
};

use rustix::{
    process::{Gid, Uid, geteuid, getuid},
    thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid},
};

use crate::invoker::InvokerError;

pub(crate) fn become_invoker() -> Vec<InvokerError> {
    let mut failed = Vec::new();
    if !geteuid().is_root() || !getuid().is_root() {
        return failed;
    }
    let Some(user) = Invoker::find(env::var_os) else { return failed };
    if let Some(home) = &user.home
        && env::var_os("HOME").as_deref() != Some(home.as_os_str())
    {
        // The environment of a running program cannot be changed safely, so it starts again.
        let mut again = Command::new("/proc/self/exe");
        again.args(env::args_os().skip(1)).env("HOME", home).env_remove("XDG_CACHE_HOME");
        if let Some(name) = env::args_os().next() {
            again.arg0(name);
        }
        let source = again.exec();
        failed.push(InvokerError::Home { name: user.name.clone(), source });
    }
    if let Err(source) = user.impersonate() {
        failed.push(InvokerError::Identity { name: user.name.clone(), source });
    }
    failed
}

/// A user who called sudo, doas or pkexec.
#[derive(Debug, PartialEq, Eq)]
struct Invoker {
    name: String,
    uid: u32,
    gid: u32,
    home: Option<PathBuf>,
}

impl Invoker {
    /// Finds the user by what sudo(8), doas(1) and pkexec(1) put into the environment.
    fn find(variable: impl Fn(&'static str) -> Option<OsString>) -> Option<Self> {
        let text = |name| variable(name)?.into_string().ok();
        let number = |name| text(name)?.parse::<u32>().ok();
        if let Some(uid) = number("SUDO_UID") {
            if text("SUDO_COMMAND").is_some_and(|command| is_root_session(&command)) {
                return None;
            }
            let entry = account(&uid.to_string());
            let home = variable("SUDO_HOME").map(PathBuf::from);
            let name = text("SUDO_USER").unwrap_or_else(|| uid.to_string());
            let gid = number("SUDO_GID").or(entry.as_ref().map(|entry| entry.gid))?;
            let home = home.or(entry.and_then(|entry| entry.home));
            let home = home.filter(|home| home.is_absolute());
            return Invoker { name, uid, gid, home }.unless_root();
        }
        let key = text("DOAS_USER").or_else(|| text("PKEXEC_UID"))?;
        account(&key)?.unless_root()
    }

    fn unless_root(self) -> Option<Self> {
        (self.uid != 0).then_some(self)
    }

    fn impersonate(&self) -> io::Result<()> {
        let (uid, gid) = (Uid::from_raw(self.uid), Gid::from_raw(self.gid));
        let groups = fs::read_to_string("/etc/group").unwrap_or_default();
        let groups: Vec<Gid> = groups_of(&groups, &self.name).map(Gid::from_raw).collect();
        set_thread_groups(&[&[gid][..], &groups].concat())?;
        set_thread_res_gid(gid, gid, Gid::ROOT)?;
        set_thread_res_uid(uid, uid, Uid::ROOT)?;
        Ok(())
    }
}

/// Returns whether sudo started a shell for a session as root, or su, and not a program or a
/// script.
fn is_root_session(command: &str) -> bool {
    let mut words = command.split_whitespace();
    let program = words.next().unwrap_or_default();
    let name = program.rsplit('/').next().unwrap_or_default();
    let is_shell = matches!(name, "su" | "sh" | "ash" | "dash" | "bash" | "zsh" | "fish" | "ksh");
    is_shell && words.all(|word| word.starts_with('-') && !word.contains('c'))
}

/// Returns the account with this name or number.
fn account(key: &str) -> Option<Invoker> {
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    if let Some(found) = passwd.lines().find_map(|line| parse(line, key)) {
        return Some(found);
    }
    // Users of a directory service are not in the file.
    let output = Command::new("/usr/bin/getent").args(["passwd", key]).output().ok()?;
    parse(String::from_utf8(output.stdout).ok()?.lines().next()?, key)
}

/// Reads a line of passwd(5), if its name or number is `key`.
fn parse(line: &str, key: &str) -> Option<Invoker> {
    let fields: Vec<&str> = line.split(':').collect();
    let [name, _, uid, gid, _, home, _] = fields[..] else { return None };
    if name != key && uid != key {
        return None;
    }
    let home = Path::new(&OsString::from_vec(home.into())).to_owned();
    Some(Invoker {
        name: name.to_owned(),
        uid: uid.parse().ok()?,
        gid: gid.parse().ok()?,
        home: home.is_absolute().then_some(home),
    })
}

/// Returns the numbers of the groups in group(5) that list a user.
fn groups_of<'a>(groups: &'a str, user: &'a str) -> impl Iterator<Item = u32> + 'a {
    groups.lines().filter_map(move |line| {
        let fields: Vec<&str> = line.split(':').collect();
        let [_, _, gid, members] = fields[..] else { return None };
        members.split(',').any(|member| member == user).then(|| gid.parse().ok()).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(variables: &[(&str, &str)]) -> Option<Invoker> {
        Invoker::find(|name| {
            let found = variables.iter().find(|(other, _)| *other == name);
            found.map(|(_, value)| OsString::from(value))
        })
    }

    #[test]
    fn the_user_is_found_however_root_was_reached() {
        let ana = |home: Option<&str>| Invoker {
            name: "ana".into(),
            uid: 54321,
            gid: 54322,
            home: home.map(PathBuf::from),
        };
        let sudo = [("SUDO_UID", "54321"), ("SUDO_GID", "54322"), ("SUDO_USER", "ana")];
        assert_eq!(find(&sudo), Some(ana(None)));
        let with = |more: &[(&'static str, &'static str)]| find(&[&sudo[..], more].concat());
        assert_eq!(with(&[("SUDO_HOME", "/home/ana")]), Some(ana(Some("/home/ana"))));
        assert_eq!(with(&[("SUDO_COMMAND", "/usr/bin/nodecard flash c")]), Some(ana(None)));
        assert_eq!(with(&[("SUDO_COMMAND", "/bin/sh ./flash-all.sh")]), Some(ana(None)));
        assert_eq!(with(&[("SUDO_COMMAND", "/bin/sh -c nodecard")]), Some(ana(None)));
        assert_eq!(with(&[("SUDO_COMMAND", "/bin/bash")]), None);
        assert_eq!(with(&[("SUDO_COMMAND", "/usr/bin/su -")]), None);
        assert_eq!(find(&[("SUDO_UID", "0"), ("SUDO_GID", "0")]), None);
        assert_eq!(find(&[("DOAS_USER", "root")]), None);
        assert_eq!(find(&[]), None);
        let nobody = find(&[("DOAS_USER", "nobody")]).unwrap();
        assert_ne!(nobody.uid, 0);
        assert_eq!(find(&[("PKEXEC_UID", &nobody.uid.to_string())]), Some(nobody));
    }

    #[test]
    fn groups_are_those_that_list_the_user() {
        let groups = "root:x:0:\ndisk:x:6:ana,bob\naudio:x:29:anabel\nvideo:x:44:bob,ana\n";
        assert_eq!(groups_of(groups, "ana").collect::<Vec<_>>(), [6, 44]);
    }
}
