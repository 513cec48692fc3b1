//! Lists of algorithms (`kex_assemble_names` in OpenSSH's kex-names.c).

use super::patterns;

/// The algorithm that cluster keys and host keys have.
pub const ED25519: &str = "ssh-ed25519";

/// The defaults of HostKeyAlgorithms and PubkeyAcceptedAlgorithms (`KEX_DEFAULT_PK_ALG` in
/// OpenSSH's myproposal.h, 8.8 to 10.x).
const DEFAULT: [&str; 16] = [
    "ssh-ed25519-cert-v01@openssh.com",
    "ecdsa-sha2-nistp256-cert-v01@openssh.com",
    "ecdsa-sha2-nistp384-cert-v01@openssh.com",
    "ecdsa-sha2-nistp521-cert-v01@openssh.com",
    "sk-ssh-ed25519-cert-v01@openssh.com",
    "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com",
    "rsa-sha2-512-cert-v01@openssh.com",
    "rsa-sha2-256-cert-v01@openssh.com",
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
    "rsa-sha2-512",
    "rsa-sha2-256",
];

/// Those that are known, but no default.
const OTHERS: [&str; 5] = [
    "ssh-rsa",
    "ssh-rsa-cert-v01@openssh.com",
    "ssh-dss",
    "ssh-dss-cert-v01@openssh.com",
    "webauthn-sk-ecdsa-sha2-nistp256@openssh.com",
];

/// Returns the algorithms that a value of HostKeyAlgorithms or PubkeyAcceptedAlgorithms
/// stands for: a list of patterns, or changes of the defaults that begin with `+`, `-` or `^`.
pub fn assemble(value: Option<&str>) -> Vec<&'static str> {
    let value = value.unwrap_or_default();
    let mut names: Vec<&'static str> = Vec::new();
    let (changes, list) = match value.as_bytes().first() {
        None => return DEFAULT.to_vec(),
        Some(b'+') => {
            names.extend(DEFAULT);
            (None, value.get(1..).unwrap_or_default())
        }
        Some(b'-') => {
            let out = value.get(1..).unwrap_or_default();
            let kept = |name: &&str| patterns::list(name, out) != patterns::ListMatch::Yes;
            return DEFAULT.into_iter().filter(kept).collect();
        }
        Some(b'^') => (Some(DEFAULT), value.get(1..).unwrap_or_default()),
        Some(_) => (None, value),
    };
    for pattern in list.split(',') {
        for name in DEFAULT.into_iter().chain(OTHERS) {
            if patterns::matches(name, pattern) && !names.contains(&name) {
                names.push(name);
            }
        }
    }
    for name in changes.into_iter().flatten() {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_of_the_defaults_are_applied() {
        let serves = |value: &str| assemble(Some(value)).contains(&ED25519);
        assert!(assemble(None).contains(&ED25519));
        for (value, expected) in [
            ("+ssh-rsa", true),
            ("^ssh-rsa", true),
            ("-ssh-ed25519", false),
            ("-*ed25519*", false),
            ("-ssh-rsa", true),
            ("rsa-sha2-512,rsa-sha2-256", false),
            ("ssh-*", true),
            ("ssh-ed25519-cert-v01@openssh.com", false),
        ] {
            assert_eq!(serves(value), expected, "{value}");
        }
    }
}
