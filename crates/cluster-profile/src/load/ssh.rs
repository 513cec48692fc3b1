//! The profile's `ssh:`.

use ssh_key::{PublicKey, authorized_keys::Entry};

use super::{
    fields::{Fields, Problems, Spanned},
    inputs::Inputs,
};
use crate::{
    cluster::{ImageKeyPolicy, Ssh},
    problem::Place,
};

/// Large enough for hundreds of keys.
const LARGEST_KEY_FILE: u64 = 64 * 1024;

pub(super) fn read(fields: &mut Fields<'_>, inputs: &Inputs) -> Ssh {
    let problems = fields.problems;
    let mut ssh = Ssh {
        users: Vec::new(),
        user_lines: Vec::new(),
        authorized_keys: Vec::new(),
        image_keys: ImageKeyPolicy::Keep,
    };
    let Some(value) = fields.take("ssh") else { return ssh };
    let Some(mut fields) = Fields::of(value, "`ssh`", problems) else { return ssh };
    let mut users: Vec<Spanned<String>> = Vec::new();
    for user in fields.scalars("users") {
        if let Some(first) = users.iter().find(|other| other.value == user.value) {
            let message = format!("{} appears twice", user.value);
            let other = (&first.place, "first used here");
            problems.conflict(&user.place, message, "keep one of them", other);
        } else if !is_user_name(&user.value) {
            let message = format!("{:?} is not a user name", user.value);
            problems.add(&user.place, message, "write a login name, such as root or odroid");
        } else {
            users.push(user);
        }
    }
    ssh.user_lines = users.iter().map(|user| user.place.line).collect();
    ssh.users = users.into_iter().map(|user| user.value).collect();
    let (keys, first) = authorized_keys(&mut fields, inputs);
    if let (Some(place), true) = (first, ssh.users.is_empty()) {
        let help = "add the users that accept these keys, such as `users: [root]`";
        problems.add(&place, "`authorized_keys` needs `users`", help);
    }
    ssh.authorized_keys = keys;
    ssh.image_keys = image_keys(&mut fields, inputs);
    fields.finish();
    ssh
}

/// Returns what the profile says of public keys that came with the image.
fn image_keys(fields: &mut Fields<'_>, inputs: &Inputs) -> ImageKeyPolicy {
    let entries = fields.scalars("image_keys");
    match entries.as_slice() {
        [] => return ImageKeyPolicy::Keep,
        [only] if only.value == "keep" => return ImageKeyPolicy::Keep,
        [only] if only.value == "remove" => return ImageKeyPolicy::Remove,
        _ => {}
    }
    let mut keys = Vec::new();
    for entry in &entries {
        for line in key_lines(entry, inputs, fields.problems) {
            keys.extend(
                line.split_ascii_whitespace()
                    .find(|word| word.starts_with("AAAA"))
                    .map(str::to_owned),
            );
        }
    }
    ImageKeyPolicy::These(keys)
}

/// Returns the lines that `authorized_keys` stands for, and the place of its first entry.
pub(super) fn authorized_keys(
    fields: &mut Fields<'_>,
    inputs: &Inputs,
) -> (Vec<String>, Option<Place>) {
    let keys = fields.scalars("authorized_keys");
    let mut lines = Vec::new();
    for key in &keys {
        for line in key_lines(key, inputs, fields.problems) {
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
    }
    (lines, keys.into_iter().next().map(|key| key.place))
}

/// Returns whether a name can be a user's. The rules are a little wider than useradd(8)'s.
pub(crate) fn is_user_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '$');
    (1..=32).contains(&name.len()) && !name.starts_with('-') && name.chars().all(fits)
}

/// Returns the lines of authorized_keys that an entry stands for, which is the path of a
/// public key or a public key itself.
fn key_lines(at: &Spanned<String>, inputs: &Inputs, problems: &Problems) -> Vec<String> {
    // Hardly any path starts like this and contains a space.
    let inline = ["ssh-", "ecdsa-", "sk-"].iter().any(|start| at.value.starts_with(start));
    let (text, name) = if inline && at.value.contains(' ') {
        (at.value.clone(), "this key".to_owned())
    } else {
        let Some(bytes) = inputs.read(at, LARGEST_KEY_FILE, problems) else { return Vec::new() };
        (String::from_utf8_lossy(&bytes).into_owned(), at.value.clone())
    };
    // Messages must not quote the file, which may be a private key.
    if text.contains("PRIVATE KEY-----") || text.starts_with("PuTTY-User-Key-File") {
        let help = if inline {
            "write the public key".to_owned()
        } else {
            format!("write the path of the public key beside it: {name}.pub")
        };
        problems.add(&at.place, format!("{name} is a private key"), help);
        return Vec::new();
    }
    let mut lines = Vec::new();
    for line in text.lines().map(str::trim) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let known = PublicKey::from_openssh(line).is_ok() || line.parse::<Entry>().is_ok();
        if !known || line.contains('\0') {
            let help = "write one line per key, as in the .pub files of `ssh-keygen`: \
                        `ssh-ed25519 AAAA… name`";
            let message = format!("{name} is not a public key in OpenSSH's format");
            problems.add(&at.place, message, help);
            return Vec::new();
        }
        lines.push(line.to_owned());
    }
    if lines.is_empty() {
        let help = "write the path of a .pub file";
        problems.add(&at.place, format!("{name} does not contain a key"), help);
    }
    lines
}
