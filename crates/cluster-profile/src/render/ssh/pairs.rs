//! Key pairs that an image ships: everybody who has the image has them.

use crate::{
    SystemError,
    render::{accounts::User, context::Context},
};

/// A key pair in a user's ~/.ssh.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pair {
    /// The private half's path.
    pub private: String,
    /// Whether there is a `.pub` beside it.
    pub has_public: bool,
    /// The public key in base64, if it is known.
    pub key: Option<String>,
}

/// Files in ~/.ssh that are never private keys.
const OTHER_FILES: [&str; 6] =
    ["authorized_keys", "authorized_keys2", "known_hosts", "known_hosts.old", "config", "rc"];

/// Returns a user's pairs, except for the cluster's.
pub(super) fn shipped(from: &Context<'_>, user: &User) -> Result<Vec<Pair>, SystemError> {
    let directory = format!("{}/.ssh", user.home.trim_end_matches('/'));
    let names = from.list(&directory)?;
    let cluster = from.keys.cluster();
    let mut pairs = Vec::new();
    for name in &names {
        if name.ends_with(".pub") || OTHER_FILES.contains(&name.as_str()) {
            continue;
        }
        let private = format!("{directory}/{name}");
        // A file that is too large, or a loop of symlinks, is not a key.
        let Ok(Some(text)) = from.read(&private) else { continue };
        let public_path = format!("{private}.pub");
        let has_public = names.contains(&format!("{name}.pub"));
        let is_key = text.contains("PRIVATE KEY-----") || has_public || is_default(name);
        if !is_key || text == cluster.private() {
            continue;
        }
        let public = if has_public { from.read(&public_path)? } else { None };
        let key = public
            .and_then(|public| public.split_ascii_whitespace().nth(1).map(str::to_owned))
            .or_else(|| derive(&text));
        pairs.push(Pair { private, has_public, key });
    }
    Ok(pairs)
}

/// Returns whether ssh tries a key of this name automatically.
fn is_default(name: &str) -> bool {
    matches!(name, "id_rsa" | "id_dsa" | "id_ecdsa" | "id_ed25519" | "identity")
}

/// Returns the public key that a private one in OpenSSH's own format contains, encrypted or
/// not.
fn derive(private: &str) -> Option<String> {
    let key = ssh_key::PrivateKey::from_openssh(private).ok()?;
    let line = key.public_key().to_openssh().ok()?;
    line.split_ascii_whitespace().nth(1).map(str::to_owned)
}
