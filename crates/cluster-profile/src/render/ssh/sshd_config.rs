//! sshd's configuration: host keys that are gone.

use super::host_keys::KEY;
use crate::{
    Purpose,
    render::{RenderError, context::Context, text::lines},
};

const CONFIG: &str = "/etc/ssh/sshd_config";
const DIRECTORY: &str = "/etc/ssh/sshd_config.d";

/// Comments out host keys that are gone.
pub(super) fn adapt(to: &mut Context<'_>) -> Result<(), RenderError> {
    let mut files = vec![CONFIG.to_owned()];
    let names = to.list(DIRECTORY)?;
    files.extend(names.iter().filter(|n| n.ends_with(".conf")).map(|n| format!("{DIRECTORY}/{n}")));
    for path in files {
        let Some(old) = to.read(&path)? else { continue };
        let new = adapt_host_keys(&old);
        to.rewrite(Purpose::SshdConfig, &path, &old, &new);
    }
    Ok(())
}

/// Returns the keyword of a line in lower case, and its value.
fn setting(line: &str) -> Option<(String, &str)> {
    let line = line.trim_ascii();
    let end = line.find(|c: char| c.is_ascii_whitespace() || c == '=')?;
    let (keyword, value) = line.split_at(end);
    let value = value.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '=');
    let value = value.split('#').next().unwrap_or_default().trim_ascii();
    (!keyword.starts_with('#')).then(|| (keyword.to_ascii_lowercase(), value.trim_matches('"')))
}

fn host_key(line: &str) -> Option<&str> {
    setting(line).filter(|(keyword, _)| keyword == "hostkey").map(|(_, value)| value)
}

/// Returns the text with host keys that are gone as comments, since sshd complains about
/// missing ones. Named keys replace the defaults, so the node's is added if there are any.
fn adapt_host_keys(old: &str) -> String {
    let gone = |path: &str| path.starts_with("/etc/ssh/ssh_host_") && path != KEY;
    let remaining = || old.lines().filter_map(host_key).filter(|path| !gone(path));
    let mut missing = remaining().next().is_some() && !remaining().any(|path| path == KEY);
    let mut out = String::with_capacity(old.len() + 64);
    for line in lines(old) {
        let named = host_key(line);
        // Before the first one that is named: what follows `Match` is not global.
        if missing && named.is_some() {
            out.push_str(&format!("HostKey {KEY}\n"));
            missing = false;
        }
        if named.is_some_and(gone) {
            out.push('#');
        }
        out.push_str(line);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_keys_that_are_gone_become_comments() {
        let old = "Port 22\nHostKey /etc/ssh/ssh_host_rsa_key\n#HostKey /etc/ssh/ssh_host_dsa_key\n\
                   hostkey=/etc/ssh/ssh_host_ed25519_key\r\nUsePAM yes";
        let new = adapt_host_keys(old);
        assert_eq!(
            new,
            "Port 22\n#HostKey /etc/ssh/ssh_host_rsa_key\n#HostKey /etc/ssh/ssh_host_dsa_key\n\
             hostkey=/etc/ssh/ssh_host_ed25519_key\r\nUsePAM yes"
        );
        assert_eq!(adapt_host_keys(&new), new);
    }

    #[test]
    fn our_key_is_among_those_that_are_named() {
        let old = "HostKey /etc/ssh/ssh_host_rsa_key\nHostKey /etc/keys/own\nMatch User x\n";
        let new = adapt_host_keys(old);
        assert_eq!(
            new,
            "HostKey /etc/ssh/ssh_host_ed25519_key\n#HostKey /etc/ssh/ssh_host_rsa_key\n\
             HostKey /etc/keys/own\nMatch User x\n"
        );
        assert_eq!(adapt_host_keys(&new), new);
        // Without any, the defaults have ours.
        assert_eq!(adapt_host_keys("Port 22\n"), "Port 22\n");
    }
}
