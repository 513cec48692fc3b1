//! Secrets in an image, which everybody who gets the image would have: where they are, never what
//! they are.
//!
//! Sources: wpa_supplicant.conf(5), nm-settings-keyfile(5), netplan(5), interfaces(5) with
//! wpa_supplicant's README.Debian, iwd.network(5), shadow(5), docker-login(1), netrc(5),
//! git-credential-store(1), wg(8), cloud-init's cc_set_passwords.py and cc_users_groups.py.

mod homes;
mod wifi;

use std::fmt;

use crate::{
    FileKind, SystemError, SystemFiles,
    accounts::{Accounts, PasswordState},
    sshd::ImageKeys,
};

/// No file with a secret that matters here is larger, in bytes.
const LARGEST: u64 = 1 << 20;
/// More files in one directory are not looked through.
const MAX_NAMES: usize = 1000;

/// A secret in an image.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Secret {
    /// What it is.
    pub kind: SecretKind,
    /// The file or directory that holds it.
    pub path: String,
    /// Whose it is, if the file says so.
    pub users: Vec<String>,
}

/// A kind of secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum SecretKind {
    /// A private key.
    PrivateKey,
    /// Hashes of passwords.
    PasswordHash,
    /// The passphrase of a Wi-Fi network.
    Wifi,
    /// A password in the user-data of cloud-init, or in another file for the first boot.
    FirstBootPassword,
    /// A token or password for another service.
    Token,
    /// What was typed, which may hold passwords.
    History,
}

impl SecretKind {
    /// Returns its name, as it is in reports.
    pub fn name(self) -> &'static str {
        match self {
            SecretKind::PrivateKey => "private key",
            SecretKind::PasswordHash => "password hash",
            SecretKind::Wifi => "Wi-Fi passphrase",
            SecretKind::FirstBootPassword => "first-boot password",
            SecretKind::Token => "token",
            SecretKind::History => "history",
        }
    }
}

impl fmt::Display for SecretKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Returns the secrets of an image, by kind and path.
///
/// # Errors
/// [`SystemError`] if a directory or the accounts cannot be read. Files that cannot be read are
/// left out.
pub fn secrets(files: &dyn SystemFiles) -> Result<Vec<Secret>, SystemError> {
    let mut found = Found { files, secrets: Vec::new() };
    let accounts = Accounts::read(files)?;
    for key in ImageKeys::read(files, &accounts, &[])?.keys {
        found.add(SecretKind::PrivateKey, key.private);
    }
    hashes(&mut found, &accounts);
    wifi::find(&mut found)?;
    first_boot(&mut found)?;
    homes::find(&mut found, &accounts)?;
    system_tokens(&mut found)?;
    let mut secrets = found.secrets;
    secrets.sort();
    secrets.dedup_by(|a, b| a.path == b.path);
    Ok(secrets)
}

/// The secrets so far.
struct Found<'a> {
    files: &'a dyn SystemFiles,
    secrets: Vec<Secret>,
}

impl Found<'_> {
    fn add(&mut self, kind: SecretKind, path: impl Into<String>) {
        self.secrets.push(Secret { kind, path: path.into(), users: Vec::new() });
    }

    /// Returns the text of a regular file that may hold a secret.
    fn text(&self, path: &str) -> Option<String> {
        let found = self.files.metadata(path).ok().flatten()?;
        if found.kind != FileKind::Regular || found.size == 0 || found.size > LARGEST {
            return None;
        }
        self.files.read_text(path).ok().flatten()
    }

    /// Returns the paths in a directory.
    fn paths(&self, directory: &str) -> Vec<String> {
        let names = self.files.list(directory).ok().flatten().unwrap_or_default();
        names.into_iter().take(MAX_NAMES).map(|name| format!("{directory}/{name}")).collect()
    }

    /// Adds a file if it is there and not empty.
    fn add_if_full(&mut self, kind: SecretKind, path: &str) {
        let found = self.files.metadata(path).ok().flatten();
        if found.is_some_and(|found| found.kind == FileKind::Regular && found.size > 0) {
            self.add(kind, path);
        }
    }

    /// Adds a file if one of its lines sets one of these keys to something.
    fn add_if_set(&mut self, kind: SecretKind, path: &str, keys: &[&str]) {
        let sets = |line: &str| {
            let line = line.trim_start_matches(['{', ' ', '\t', '-']);
            let Some((key, value)) = line.split_once([':', '=', ' ', '\t']) else { return false };
            let key = key.trim().trim_matches(['"', '\'']);
            let value = value.trim_start_matches([':', '=', ' ', '\t']).trim();
            keys.iter().any(|wanted| key.eq_ignore_ascii_case(wanted)) && !value.is_empty()
        };
        if self.text(path).is_some_and(|text| text.lines().map(str::trim).any(sets)) {
            self.add(kind, path);
        }
    }
}

fn hashes(found: &mut Found<'_>, accounts: &Accounts) {
    // A lock before a hash does not hide it.
    let has_hash = |name: &str| {
        let entry = accounts.shadow(name);
        let field = entry.map(|entry| entry.password.trim_start_matches('!'));
        field.is_some_and(|field| PasswordState::of(field) == PasswordState::Set)
    };
    let users = accounts.users().iter().filter(|user| has_hash(&user.name));
    let users: Vec<String> = users.map(|user| user.name.clone()).collect();
    if !users.is_empty() {
        let (kind, path) = (SecretKind::PasswordHash, "/etc/shadow".to_owned());
        found.secrets.push(Secret { kind, path, users });
    }
    // Backups that the shadow tools make, with older hashes. Group passwords are rare.
    for path in ["/etc/shadow-", "/etc/gshadow", "/etc/gshadow-"] {
        let has_hash = |text: &String| {
            text.lines().any(|line| line.split(':').nth(1).is_some_and(|field| field.len() > 12))
        };
        if found.text(path).as_ref().is_some_and(has_hash) {
            found.add(SecretKind::PasswordHash, path);
        }
    }
}

/// User-data of cloud-init, and what Raspberry Pi OS reads at its first boot.
fn first_boot(found: &mut Found<'_>) -> Result<(), SystemError> {
    const KEYS: [&str; 7] = [
        "password",
        "passwd",
        "hashed_passwd",
        "plain_text_passwd",
        "chpasswd",
        "hashed-passwd",
        "password_encrypted",
    ];
    let mut files = Vec::new();
    for directory in ["/var/lib/cloud/seed", "/var/lib/cloud/instances"] {
        for place in found.paths(directory) {
            files.extend(
                ["user-data", "user-data.txt", "vendor-data", "vendor-data.txt"]
                    .map(|name| format!("{place}/{name}")),
            );
        }
    }
    for partition in found.files.boot_partitions() {
        let prefix = partition.prefix;
        files.extend(["user-data", "custom.toml"].map(|name| format!("{prefix}/{name}")));
        for name in ["userconf.txt", "userconf"] {
            found.add_if_full(SecretKind::FirstBootPassword, &format!("{prefix}/{name}"));
        }
    }
    for path in files {
        found.add_if_set(SecretKind::FirstBootPassword, &path, &KEYS);
    }
    Ok(())
}

/// Secrets of services of the whole system.
fn system_tokens(found: &mut Found<'_>) -> Result<(), SystemError> {
    for path in found.paths("/etc/wireguard") {
        found.add_if_set(SecretKind::PrivateKey, &path, &["PrivateKey", "PresharedKey"]);
    }
    for path in found.paths("/etc/ssl/private") {
        found.add_if_full(SecretKind::PrivateKey, &path);
    }
    for path in [
        "/var/lib/tailscale/tailscaled.state",
        "/var/lib/rancher/k3s/server/token",
        "/var/lib/rancher/k3s/agent/client-kubelet.key",
        "/etc/kubernetes/admin.conf",
        "/etc/samba/private/passdb.tdb",
    ] {
        found.add_if_full(SecretKind::Token, path);
    }
    Ok(())
}
