//! Known hosts: /etc/ssh/ssh_known_hosts, and stale lines in users' own files.

use std::collections::BTreeSet;

use crate::{
    Attributes, Purpose,
    render::{
        RenderError,
        accounts::User,
        context::Context,
        text::{encode, end_last_line, lines},
    },
};

/// Writes the keys of all nodes for every user. Lines about other hosts survive.
pub(super) fn write_global(to: &mut Context<'_>) -> Result<(), RenderError> {
    const GLOBAL: &str = "/etc/ssh/ssh_known_hosts";
    let old = to.read(GLOBAL)?.unwrap_or_default();
    let mut new = without(&old, &nodes(to));
    end_last_line(&mut new);
    for node in &to.cluster.nodes {
        let key = to.keys.host(&node.name)?.public_without_comment();
        let others = to.cluster.hosts.iter().filter(|(_, address)| *address == node.address);
        let aliases: String = others.map(|(name, _)| format!(",{name}")).collect();
        new.push_str(&format!("{}{aliases},{} {key}\n", node.name, node.address));
    }
    // Every user's ssh reads it.
    to.write(Purpose::SystemKnownHosts, GLOBAL, encode(&new), Attributes::exactly(0o644, 0, 0));
    Ok(())
}

/// Removes what a user's own file says about the nodes.
///
/// Hashed lines stay: they do not show which host they are about, and they do no harm,
/// since ssh knows a host if any of its files has the key.
pub(super) fn clean_own(to: &mut Context<'_>, user: &User) -> Result<(), RenderError> {
    let path = format!("{}/.ssh/known_hosts", user.home.trim_end_matches('/'));
    if let Some(old) = to.read(&path)? {
        let new = without(&old, &nodes(to));
        to.rewrite(Purpose::UserKnownHosts { user: user.name.clone() }, &path, &old, &new);
    }
    Ok(())
}

/// Returns the nodes' names and addresses.
fn nodes(from: &Context<'_>) -> BTreeSet<String> {
    let nodes = from.cluster.nodes.iter();
    let is_node = |address| from.cluster.nodes.iter().any(|node| node.address == address);
    let aliases = from.cluster.hosts.iter().filter(|(_, address)| is_node(*address));
    nodes
        .flat_map(|node| [node.name.clone(), node.address.to_string()])
        .chain(aliases.map(|(name, _)| name.clone()))
        .collect()
}

/// Returns the file without `hosts`; a line that is also about others loses only these.
fn without(text: &str, hosts: &BTreeSet<String>) -> String {
    let mut out = String::with_capacity(text.len());
    for line in lines(text) {
        let first = line.split_ascii_whitespace().next().unwrap_or_default();
        // Comments, hashed names, and lines about authorities.
        if first.is_empty() || first.starts_with(['#', '|', '@']) {
            out.push_str(line);
            continue;
        }
        let others: Vec<&str> =
            first.split(',').filter(|name| !hosts.contains(&name.to_ascii_lowercase())).collect();
        if others.len() == first.split(',').count() {
            out.push_str(line);
        } else if !others.is_empty() {
            out.push_str(&line.replacen(first, &others.join(","), 1));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_hosts_go() {
        let hosts = ["n1", "10.0.0.1"].map(str::to_owned).into_iter().collect();
        let text = "# n1\nn1,10.0.0.1 ssh-rsa A\n|1|x|y ssh-rsa B\nnas,N1 ssh-rsa C\n\
                    @revoked n1 ssh-rsa D\n[n1]:2222 ssh-rsa E";
        assert_eq!(
            without(text, &hosts),
            "# n1\n|1|x|y ssh-rsa B\nnas ssh-rsa C\n@revoked n1 ssh-rsa D\n[n1]:2222 ssh-rsa E"
        );
    }
}
