//! Secrets in home directories.

use super::{Found, SecretKind};
use crate::{SystemError, accounts::Accounts};

/// Files that keep what was typed.
const HISTORIES: [&str; 12] = [
    ".bash_history",
    ".zsh_history",
    ".histfile",
    ".sh_history",
    ".ash_history",
    ".local/share/fish/fish_history",
    ".python_history",
    ".mysql_history",
    ".psql_history",
    ".sqlite_history",
    ".rediscli_history",
    ".node_repl_history",
];

/// Files that hold tokens or passwords, and the keys that give them away; none where the whole
/// file is one.
const TOKENS: [(&str, &[&str]); 11] = [
    (".docker/config.json", &["auth", "identitytoken", "registrytoken"]),
    (".netrc", &[]),
    (".git-credentials", &[]),
    (".aws/credentials", &[]),
    (".config/gh/hosts.yml", &["oauth_token"]),
    (".kube/config", &["token", "client-key-data", "password"]),
    (".npmrc", &[]),
    (".pypirc", &["password"]),
    (".config/rclone/rclone.conf", &[]),
    (".vault-token", &[]),
    (".my.cnf", &["password"]),
];

pub(super) fn find(found: &mut Found<'_>, accounts: &Accounts) -> Result<(), SystemError> {
    let own = accounts.users().iter().filter(|user| user.has_home() && user.home != "/");
    let mut homes: Vec<String> =
        own.map(|user| user.home.trim_end_matches('/').to_owned()).collect();
    homes.push("/root".to_owned());
    homes.extend(found.paths("/home"));
    homes.sort();
    homes.dedup();
    for home in homes {
        for name in HISTORIES {
            found.add_if_full(SecretKind::History, &format!("{home}/{name}"));
        }
        for (name, keys) in TOKENS {
            let path = format!("{home}/{name}");
            match keys {
                [] => found.add_if_full(SecretKind::Token, &path),
                keys => found.add_if_set(SecretKind::Token, &path, keys),
            }
        }
        for path in found.paths(&format!("{home}/.gnupg/private-keys-v1.d")) {
            found.add_if_full(SecretKind::PrivateKey, &path);
        }
    }
    Ok(())
}
