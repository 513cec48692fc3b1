//! The `files:` of the profile and of each node.

use super::{
    fields::{Fields, Problems, Spanned},
    inputs::Inputs,
    ssh::is_user_name,
};
use crate::{
    cluster::{ExtraFile, Owner, OwnerId},
    problem::Place,
    yaml::Value,
};

/// Extra files are configuration and small programs, not data.
const LARGEST_FILE: u64 = 8 << 20;

/// The files that nodecard itself writes on every card, and what determines them.
const OWN_FILES: [(&str, &str); 6] = [
    ("/etc/hostname", "a node's `name`"),
    ("/etc/hosts", "`nodes` and `hosts`"),
    ("/etc/machine-id", "the cluster's keys"),
    ("/etc/ssh/ssh_known_hosts", "the cluster's keys"),
    ("/etc/ssh/ssh_host_ed25519_key", "the cluster's keys"),
    ("/etc/ssh/ssh_host_ed25519_key.pub", "the cluster's keys"),
];

/// The directories at the root whose contents Linux creates at every boot.
const VOLATILE: [&str; 5] = ["proc", "sys", "dev", "run", "tmp"];

pub(super) fn read(fields: &mut Fields<'_>, inputs: &Inputs) -> Vec<ExtraFile> {
    let problems = fields.problems;
    let mut files: Vec<(ExtraFile, Place)> = Vec::new();
    for item in fields.list("files") {
        let Some((file, place)) = read_one(item, inputs, problems) else { continue };
        if let Some((_, first)) = files.iter().find(|(other, _)| other.path == file.path) {
            problems.conflict(
                &place,
                format!("{} appears twice", file.path),
                "keep one of them",
                (first, "first used here"),
            );
        }
        let inside = |a: &str, b: &str| b.strip_prefix(a).is_some_and(|rest| rest.starts_with('/'));
        let conflict = files
            .iter()
            .find(|(other, _)| inside(&other.path, &file.path) || inside(&file.path, &other.path));
        if let Some((other, first)) = conflict {
            problems.conflict(
                &place,
                format!("{} and {} cannot both be files", other.path, file.path),
                "change one of the paths: one of them would have to be a directory",
                (first, "the other file"),
            );
        }
        files.push((file, place));
    }
    files.into_iter().map(|(file, _)| file).collect()
}

fn read_one(value: Value, inputs: &Inputs, problems: &Problems) -> Option<(ExtraFile, Place)> {
    let mut fields = Fields::of(value, "a file", problems)?;
    let place = fields.place();
    let path = fields.require_scalar("path", "path: /etc/motd");
    let content = fields.scalar("content");
    let source = fields.scalar("source");
    let mode = fields.scalar("mode").and_then(|mode| self::mode(&mode, problems));
    let owner = fields.scalar("owner").and_then(|owner| self::owner(&owner, problems));
    fields.finish();
    let contents = match (content, source) {
        (Some(content), None) => Some(content.value.into_bytes()),
        (None, Some(source)) => inputs.read(&source, LARGEST_FILE, problems),
        (Some(content), Some(source)) => {
            let message = "a file cannot have both `content` and `source`";
            let help = "keep `content` for the text itself, or `source` for the path of a file";
            let other = (&content.place, "the content is set here");
            problems.conflict(&source.place, message, help, other);
            None
        }
        (None, None) => {
            let help = "add `content: TEXT`, or `source: PATH` for a file on this computer";
            problems.add(&place, "a file has neither `content` nor `source`", help);
            None
        }
    };
    let path = path?;
    check_path(&path, problems)?;
    Some((ExtraFile { path: path.value, contents: contents?, mode, owner }, path.place))
}

/// Returns the path on a partition that is given by its number.
fn boot_relative(path: &str) -> Option<&str> {
    let (number, rest) = path.strip_prefix('p')?.split_once(':')?;
    let is_number = (1..=3).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit());
    is_number.then_some(rest)
}

fn check_path(at: &Spanned<String>, problems: &Problems) -> Option<()> {
    // A file on a partition that is not mounted: p1:/config.txt.
    let path = boot_relative(&at.value).unwrap_or(&at.value);
    let parts = || path.split('/').skip(1);
    let message = if !path.starts_with('/') {
        format!("{path:?} is not absolute")
    } else if parts().any(|part| part == ".." || part == ".") {
        format!("{path:?} contains `.` or `..`")
    } else if parts().any(str::is_empty) {
        format!("{path:?} does not name a file")
    } else if path.len() > 4095 || parts().any(|part| part.len() > 255) {
        "this path is longer than Linux allows".to_owned()
    } else if path.contains('\0') {
        format!("{path:?} contains a NUL character")
    } else if path.len() < at.value.len() {
        return Some(());
    } else if let Some(top) = parts().next().filter(|top| VOLATILE.contains(top)) {
        format!("{path} would be lost: the contents of /{top} do not survive a boot")
    } else if let Some((_, by)) = OWN_FILES.iter().find(|(own, _)| *own == path) {
        let help = format!("remove it here: its contents follow from {by}");
        problems.add(&at.place, format!("{path} is written by nodecard itself"), help);
        return None;
    } else {
        return Some(());
    };
    problems.add(&at.place, message, "write an absolute path on the card, such as /etc/motd");
    None
}

/// Reads a mode, which is octal in any form: `0644`, `644` or `0o644`.
fn mode(at: &Spanned<String>, problems: &Problems) -> Option<u16> {
    let digits = at.value.strip_prefix("0o").unwrap_or(&at.value);
    let parsed = u16::from_str_radix(digits, 8).ok().filter(|mode| *mode <= 0o7777);
    if parsed.is_none() || digits.len() < 3 || digits.starts_with('+') {
        let message = format!("{:?} is not a file mode", at.value);
        problems.add(&at.place, message, "write octal permission bits, such as 0644 or 0755");
        return None;
    }
    parsed
}

fn owner(at: &Spanned<String>, problems: &Problems) -> Option<Owner> {
    let (user, group) = match at.value.split_once(':') {
        Some((user, group)) => (user, Some(group)),
        None => (at.value.as_str(), None),
    };
    let owner = id(user).and_then(|user| match group.map(id) {
        Some(None) => None,
        Some(group) => Some(Owner { user, group }),
        None => Some(Owner { user, group: None }),
    });
    if owner.is_none() {
        let message = format!("{:?} is not an owner", at.value);
        let help = "write a user, user:group, or numbers, such as 1000:1000";
        problems.add(&at.place, message, help);
    }
    owner
}

fn id(text: &str) -> Option<OwnerId> {
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        // The highest number means "unchanged" to chown(2).
        return text.parse().ok().filter(|id| *id != u32::MAX).map(OwnerId::Number);
    }
    is_user_name(text).then(|| OwnerId::Name(text.to_owned()))
}
