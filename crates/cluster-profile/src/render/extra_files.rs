//! The profile's extra files.

use super::{RenderError, accounts, context::Context};
use crate::{
    Attributes, Change, ExtraFile, ExtraFileKind, FileEdit, Note, Owner, OwnerId, Purpose,
};

/// Checks their owners, and notes what the user may not expect.
pub(super) fn check(to: &mut Context<'_>, files: &[ExtraFile]) -> Result<(), RenderError> {
    for file in files {
        to.go_on(|to| check_one(to, file))?;
    }
    Ok(())
}

fn check_one(to: &mut Context<'_>, file: &ExtraFile) -> Result<(), RenderError> {
    owner(to, file)?;
    if boot_path(to, &file.path)?.is_some() {
        note_lost_attributes(to, file);
        return Ok(());
    }
    note_surprises(to, file)?;
    // An edit sets both mode and owner, or neither.
    if file.mode.is_some() != file.owner.is_some() && to.exists(&file.path)? {
        let (given, other, becomes) = match file.mode {
            Some(_) => ("mode", "owner", "root:root"),
            None => ("owner", "mode", "0644"),
        };
        to.note(Note::FileAttribute { path: file.path.clone(), given, other, becomes });
    }
    Ok(())
}

/// Notes files whose place has an effect that the profile's author may not expect.
fn note_surprises(to: &mut Context<'_>, file: &ExtraFile) -> Result<(), RenderError> {
    let path = &file.path;
    let with_keys = to.cluster.key_users();
    let listed = |user: &accounts::User| with_keys.contains(&user.name.as_str());
    for user in accounts::users(to)?.iter().filter(|user| listed(user)) {
        let ssh = format!("{}/.ssh/", user.home.trim_end_matches('/'));
        if path.starts_with(&ssh) {
            to.note(Note::FileReplaces { path: path.clone() });
        }
    }
    if path == "/etc/shadow" && to.cluster.users.iter().any(|user| user.password.is_some()) {
        to.note(Note::FileReplacesPasswords);
    }
    Ok(())
}

/// Returns the path of a file on a boot partition as the system has it, or `None` for a file of
/// the root filesystem. `p1:/config.txt` is on partition 1, wherever that is mounted.
fn boot_path(from: &Context<'_>, path: &str) -> Result<Option<String>, RenderError> {
    let partitions = from.system.boot_partitions();
    if path.starts_with('/') {
        let on_boot = partitions.iter().any(|boot| boot.relative(path).is_some());
        return Ok(on_boot.then(|| path.to_owned()));
    }
    let named = path.strip_prefix('p').and_then(|rest| rest.split_once(':'));
    let found = named.and_then(|(number, rest)| {
        let number = number.parse::<u32>().ok()?;
        let boot = partitions.iter().find(|boot| boot.number == number)?;
        Some(format!("{}{rest}", boot.prefix))
    });
    let none = || RenderError::NoBootPartition { path: path.to_owned() };
    found.map(Some).ok_or_else(none)
}

/// Notes owner and mode of a file whose boot partition, FAT, knows neither.
fn note_lost_attributes(to: &mut Context<'_>, file: &ExtraFile) {
    if file.mode.is_some() || file.owner.is_some() {
        to.note(Note::FileOnFat { path: file.path.clone() });
    }
}

/// Writes them after everything else, so that they have the last word.
pub(super) fn write(to: &mut Context<'_>, files: &[ExtraFile]) -> Result<(), RenderError> {
    for file in files {
        let edit = to.go_on(|to| edit(to, file).map(Some))?;
        to.rendered.edits.extend(edit);
    }
    Ok(())
}

/// Returns the edit that writes a file.
pub(super) fn edit(from: &Context<'_>, file: &ExtraFile) -> Result<FileEdit, RenderError> {
    if let Some(path) = boot_path(from, &file.path)? {
        let attributes = Attributes::root(0o644);
        let change = Change::Write { contents: file.contents.clone(), attributes };
        return Ok(FileEdit { path, change, purpose: Purpose::ExtraFile(ExtraFileKind::Plain) });
    }
    let owner = owner(from, file)?;
    let (uid, gid) = owner.unwrap_or((0, 0));
    let enforce = file.mode.is_some() || owner.is_some();
    let attributes = Attributes { mode: file.mode.unwrap_or(0o644), uid, gid, enforce };
    let change = Change::Write { contents: file.contents.clone(), attributes };
    let purpose = Purpose::ExtraFile(kind(&file.path));
    Ok(FileEdit { path: file.path.clone(), change, purpose })
}

/// Returns what a file of the profile's is to the system, by the place its author chose.
fn kind(path: &str) -> ExtraFileKind {
    let is_public = path.ends_with(".pub");
    if path.starts_with("/etc/shadow") || path.starts_with("/etc/gshadow") {
        ExtraFileKind::PasswordDatabase
    } else if path.starts_with("/etc/ssh/ssh_host_") && !is_public {
        ExtraFileKind::HostKey
    } else if path.contains("/.ssh/") || path.starts_with("/etc/ssh/ssh_host_") {
        ExtraFileKind::Ssh
    } else if path.starts_with("/etc/NetworkManager/system-connections/") {
        ExtraFileKind::NetworkManager
    } else {
        ExtraFileKind::Plain
    }
}

fn owner(from: &Context<'_>, file: &ExtraFile) -> Result<Option<(u32, u32)>, RenderError> {
    file.owner.as_ref().map(|owner| look_up(from, &file.path, owner)).transpose()
}

/// Returns the numbers of a user and a group.
fn look_up(from: &Context<'_>, path: &str, owner: &Owner) -> Result<(u32, u32), RenderError> {
    let users = accounts::users(from)?;
    let unknown = |kind, name: &dyn ToString, table| RenderError::UnknownOwner {
        path: path.to_owned(),
        kind,
        name: name.to_string(),
        table,
    };
    let user = users.iter().find(|user| match &owner.user {
        OwnerId::Name(name) => user.name == *name,
        OwnerId::Number(number) => user.uid == *number,
    });
    let uid = match (&owner.user, user) {
        (OwnerId::Number(number), _) => *number,
        (OwnerId::Name(_), Some(user)) => user.uid,
        (OwnerId::Name(name), None) => return Err(unknown("user", name, "/etc/passwd")),
    };
    let gid = match (&owner.group, user) {
        (Some(OwnerId::Number(number)), _) => *number,
        (Some(OwnerId::Name(name)), _) => {
            let groups = accounts::groups(from)?;
            let found = groups.iter().find(|(group, _)| group == name);
            found.ok_or_else(|| unknown("group", name, "/etc/group"))?.1
        }
        (None, Some(user)) => user.gid,
        // Without the user there is no telling which group is meant.
        (None, None) => return Err(unknown("user", &uid, "/etc/passwd")),
    };
    Ok((uid, gid))
}
