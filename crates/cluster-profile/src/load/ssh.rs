//! The profile's `ssh:`.

use ssh_key::{PublicKey, authorized_keys::Entry};

use super::{
    fields::{At, Fields, Problems},
    inputs::Inputs,
};
use crate::{cluster::Ssh, problem::Place};

/// Room for hundreds of keys.
const LARGEST_KEY_FILE: u64 = 64 * 1024;

pub(super) fn read(fields: &mut Fields<'_>, inputs: &Inputs) -> Ssh {
    let problems = fields.problems;
    let mut ssh = Ssh { users: Vec::new(), authorized_keys: Vec::new() };
    let Some(value) = fields.take("ssh") else { return ssh };
    let Some(mut fields) = Fields::of(value, "`ssh`", problems) else { return ssh };
    for user in fields.scalars("users") {
        if ssh.users.contains(&user.value) {
            problems.add(&user.place, format!("{} is there twice", user.value), "remove one");
        } else if !is_user_name(&user.value) {
            let message = format!("{:?} is no user's name", user.value);
            problems.add(&user.place, message, "write a login name, such as root or odroid");
        } else {
            ssh.users.push(user.value);
        }
    }
    let (keys, first) = authorized_keys(&mut fields, inputs);
    if let (Some(place), true) = (first, ssh.users.is_empty()) {
        let help = "name who takes these keys, such as `users: [root]`";
        problems.add(&place, "there are authorized keys but no `users`", help);
    }
    ssh.authorized_keys = keys;
    fields.finish();
    ssh
}

/// The lines that `authorized_keys` stands for, and where its first entry is.
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

/// What useradd(8) takes, a little wider.
pub(crate) fn is_user_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '$');
    (1..=32).contains(&name.len()) && !name.starts_with('-') && name.chars().all(fits)
}

/// The lines of authorized_keys that an entry stands for: a public key's file, or
/// a public key itself.
fn key_lines(at: &At<String>, inputs: &Inputs, problems: &Problems) -> Vec<String> {
    // A path with a space in it after such a beginning would be a strange one.
    let inline = ["ssh-", "ecdsa-", "sk-"].iter().any(|start| at.value.starts_with(start));
    let (text, name) = if inline && at.value.contains(' ') {
        (at.value.clone(), "this key".to_owned())
    } else {
        let Some(bytes) = inputs.read(at, LARGEST_KEY_FILE, problems) else { return Vec::new() };
        (String::from_utf8_lossy(&bytes).into_owned(), at.value.clone())
    };
    // Nothing of the file goes into a message: it may be the private half.
    if text.contains("PRIVATE KEY-----") || text.starts_with("PuTTY-User-Key-File") {
        let help = if inline {
            "write the public key".to_owned()
        } else {
            format!("name the public half, which lies beside it: {name}.pub")
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
            let help = "one line for each key, as `ssh-keygen` writes them into a .pub file: \
                        `ssh-ed25519 AAAA… name`";
            problems.add(&at.place, format!("{name} is no public key in OpenSSH's format"), help);
            return Vec::new();
        }
        lines.push(line.to_owned());
    }
    if lines.is_empty() {
        problems.add(&at.place, format!("{name} holds no key"), "name a .pub file");
    }
    lines
}
