//! The text of a new profile.

use std::fmt::Write as _;

use super::{NewPassword, NewProfile, NewUser, SwarmServices};

/// Where the schema of profiles is, for editors with a YAML language server.
const SCHEMA: &str = "# yaml-language-server: $schema=https://raw.githubusercontent.com/nodecard/nodecard/main/crates/cluster-profile/src/profile.schema.json\n";

const SERVICES: &str = "  services:
    # Shows in a browser what runs where, at port 8080 of every node.
    - name: dsv
      image: alexellis2/visualizer-arm
      publish: [\"8080:8080\"]
      constraints: [node.role==manager]
      mounts: [{source: /var/run/docker.sock, target: /var/run/docker.sock}]
    # A web server on three nodes, at port 80 of every node.
    - name: httpd
      image: mdreambot/arm32-busybox-httpd
      replicas: 3
      publish: [\"80:80\"]
";

/// Returns the text of a profile, with comments.
pub(super) fn text(profile: &NewProfile) -> String {
    let mut text = String::from(SCHEMA);
    let _ = write!(
        text,
        "# The cluster {name}. Check the profile, find the card reader, and write the cards:\n#\n\
         #     nodecard check {name}.yaml\n#     nodecard devices\n\
         #     nodecard flash {name}.yaml NODE=DEVICE ...\n#\n\
         # docs/profile.md explains every key.\n\n\
         # The cluster's name, used in the comments of keys and in reports.\n\
         cluster: {cluster}\n\n\
         # The base image of every card{base_words}. It is never changed.\nbase: {base}\n\n\
         # The size printed on the cards. Images are 5% smaller, so that they fit every card sold\n\
         # as this size; `nodecard flash` grows each card to its real size.\ncard: {card}\n",
        name = profile.cluster,
        cluster = scalar(&profile.cluster),
        base_words = profile
            .base_words
            .as_ref()
            .map(|words| format!(": {}", comment(words)))
            .unwrap_or_default(),
        base = scalar(&profile.base),
        card = profile.card,
    );
    network(&mut text, profile);
    nodes(&mut text, profile);
    users(&mut text, profile);
    swarm(&mut text, profile);
    text
}

fn network(text: &mut String, profile: &NewProfile) {
    let gateway = profile.gateway.map(|gateway| format!("  gateway: {gateway}\n"));
    let servers: Vec<String> = profile.dns.iter().map(ToString::to_string).collect();
    let dns = if servers.is_empty() {
        "  # dns: [192.168.1.1]\n".to_owned()
    } else {
        format!("  dns: [{}]\n", servers.join(", "))
    };
    let _ = write!(
        text,
        "\n# The network of the nodes; the gateway is your router. What sets the addresses (ifupdown,\n\
         # netplan ...) is detected from the image.\nnetwork:\n  interface: {}\n  prefix: {}\n{}{dns}",
        scalar(&profile.interface),
        profile.prefix,
        gateway.unwrap_or_default(),
    );
}

fn nodes(text: &mut String, profile: &NewProfile) {
    *text += "\n# The boards. Their addresses must be outside the range that the router assigns by DHCP.\nnodes:\n";
    for (number, (name, address)) in profile.nodes.iter().enumerate() {
        let role = if profile.swarm.is_some() && number == 0 { ", role: manager" } else { "" };
        let _ = writeln!(text, "  - {{name: {}, address: {address}{role}}}", scalar(name));
    }
}

fn users(text: &mut String, profile: &NewProfile) {
    let names: Vec<String> = profile.users.iter().map(|user| scalar(&user.name)).collect();
    if !names.is_empty() {
        let _ = write!(
            text,
            "\nssh:\n  # Who can log in from any node to any other without a password.\n  \
             users: [{}]\n",
            names.join(", ")
        );
        let keys: Vec<String> = profile.keys.iter().map(|key| scalar(key)).collect();
        *text += "  # Who can log in from outside as any of them: paths of public keys.\n";
        let _ = if keys.is_empty() {
            writeln!(text, "  # authorized_keys: [~/.ssh/id_ed25519.pub]")
        } else {
            writeln!(text, "  authorized_keys: [{}]", keys.join(", "))
        };
    }
    let settings: Vec<String> = profile.users.iter().filter_map(account).collect();
    let title = "\n# `locked` means that only keys are accepted. For `password`, put a hash from \
                 `nodecard\n# password` in single quotes.\n";
    if settings.is_empty() {
        *text += title;
        *text += "# users:\n#   root: {locked: true}\n";
    } else {
        let _ = write!(text, "{title}users:\n{}", settings.concat());
    }
}

/// Returns the line about a user, unless everything stays as in the image.
fn account(user: &NewUser) -> Option<String> {
    let mut settings = Vec::new();
    if user.create {
        settings.push("create: true, groups: [sudo], sudo: nopasswd".to_owned());
    }
    match &user.password {
        NewPassword::OfImage => {}
        NewPassword::Locked => settings.push("locked: true".to_owned()),
        NewPassword::Hash(hash) => settings.push(format!("password: '{}'", hash.as_str())),
    }
    (!settings.is_empty())
        .then(|| format!("  {}: {{{}}}\n", scalar(&user.name), settings.join(", ")))
}

fn swarm(text: &mut String, profile: &NewProfile) {
    match profile.swarm {
        None => {
            *text += "\n# With this, the nodes form a Docker Swarm at first boot: see docs/swarm.md.\n\
                      # swarm: {}\n";
        }
        Some(services) => {
            *text += "\n# The nodes form a Docker Swarm at first boot: see docs/swarm.md. The services are \
                      created\n# once all nodes have joined, or after this time.\n\
                      swarm:\n  wait: 10m\n";
            if services == SwarmServices::OfArticle {
                *text += SERVICES;
            }
        }
    }
}

/// Returns a text as a scalar of YAML: plain where that is surely the same text.
fn scalar(text: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '/' | '_' | '-' | '~');
    let starts = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
        || text.starts_with("~/")
        || text.starts_with("./");
    let is_word = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"]
        .iter()
        .any(|word| text.eq_ignore_ascii_case(word));
    if starts && !is_word && text.chars().all(fits) {
        text.to_owned()
    } else {
        serde_json::Value::from(text).to_string()
    }
}

/// Returns a foreign text for a comment.
fn comment(text: &str) -> String {
    plain_text::printable(text).replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use std::{net::Ipv4Addr, path::Path};

    use cluster_profile::{Cluster, PasswordHash};

    use super::*;
    use crate::init::numbered_nodes;

    fn profile() -> NewProfile {
        NewProfile {
            cluster: "mc1".into(),
            base: "a b: #c.img".into(),
            base_words: Some("Debian\n12".into()),
            card: "8GB".into(),
            interface: "eth0".into(),
            prefix: 24,
            gateway: Some(Ipv4Addr::new(192, 168, 1, 1)),
            dns: Vec::new(),
            nodes: numbered_nodes("n", Ipv4Addr::new(192, 168, 1, 80), 12).unwrap(),
            keys: Vec::new(),
            users: Vec::new(),
            swarm: None,
        }
    }

    #[test]
    fn every_variant_is_accepted_and_says_what_it_was_given() {
        let hash = PasswordHash::of("a secret of ours").unwrap();
        for swarm in [None, Some(SwarmServices::None), Some(SwarmServices::OfArticle)] {
            for password in
                [NewPassword::OfImage, NewPassword::Locked, NewPassword::Hash(hash.clone())]
            {
                for create in [false, true] {
                    let user = NewUser { name: "no".into(), create, password: password.clone() };
                    let new = NewProfile { users: vec![user], swarm, ..profile() };
                    let text = new.text();
                    let cluster = Cluster::parse(&text, Path::new("/x/mc1.yaml"))
                        .unwrap_or_else(|error| panic!("{error}\n{text}"));
                    assert_eq!(cluster.base.path, Path::new("/x/a b: #c.img"));
                    assert_eq!(cluster.nodes.len(), 12);
                    assert_eq!(cluster.ssh.users, ["no"]);
                    assert_eq!(cluster.swarm.is_some(), swarm.is_some());
                    assert!(
                        text.lines().all(|line| line.starts_with("# yaml-") || line.len() <= 200)
                    );
                }
            }
        }
        let cluster = Cluster::parse(&profile().text(), Path::new("mc1.yaml")).unwrap();
        assert!(cluster.ssh.users.is_empty() && cluster.users.is_empty());
    }
}
