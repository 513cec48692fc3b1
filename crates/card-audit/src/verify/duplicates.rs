//! Two cards that are taken for one.

use card_image::FsResult;

use super::{CardReport, clones::SWARM_CERTIFICATE};
use crate::{Card, Finding, Severity, facts::read_text, text::printable};

/// Something of a card that no other one may have.
struct Unique {
    code: &'static str,
    /// In words: `the machine id`.
    what: &'static str,
    /// The same on two cards.
    value: String,
    /// What may be shown of it.
    shown: String,
    mend: &'static str,
}

/// Adds to each report what its card shares with another one.
pub(super) fn find(cards: &[&Card], reports: &mut [&mut CardReport]) {
    // What cannot be read here was refused before.
    let of = |(card, report): (&&Card, &&mut CardReport)| uniques(card, report).unwrap_or_default();
    let uniques: Vec<Vec<Unique>> = cards.iter().zip(reports.iter()).map(of).collect();
    for (index, own) in uniques.iter().enumerate() {
        for unique in own {
            let same = |other: &Unique| other.code == unique.code && other.value == unique.value;
            let others: Vec<&str> = uniques
                .iter()
                .zip(cards)
                .enumerate()
                .filter(|(at, (theirs, _))| *at != index && theirs.iter().any(same))
                .map(|(_, (_, card))| card.name())
                .collect();
            if others.is_empty() {
                continue;
            }
            let what = format!("{} is the same as on {}", unique.what, others.join(", "));
            let finding = Finding::new(Severity::Error, unique.code, what, unique.mend);
            if let Some(report) = reports.get_mut(index) {
                report.findings.push(finding.found(printable(&unique.shown)));
            }
        }
    }
}

fn uniques(card: &Card, report: &CardReport) -> FsResult<Vec<Unique>> {
    const AGAIN: &str = "make one of the two cards again";
    let facts = &report.facts;
    let mut uniques = Vec::new();
    let mut add = |code, what, value: String, shown: String, mend| {
        uniques.push(Unique { code, what, value, shown, mend });
    };
    let plain = |value: &Option<String>| value.clone().filter(|value| !value.is_empty());
    add("duplicate-node", "the node", report.node.clone(), report.node.clone(), AGAIN);
    if let Some(name) = plain(&facts.hostname) {
        add("duplicate-host-name", "the host name", name.to_ascii_lowercase(), name, AGAIN);
    }
    for address in &facts.addresses {
        let address = address.to_string();
        add("duplicate-address", "the address", address.clone(), address, AGAIN);
    }
    if let Some(id) = plain(&facts.machine_id) {
        add("duplicate-machine-id", "the machine id", id.clone(), id, AGAIN);
    }
    if let Some(key) = plain(&facts.host_key) {
        let shown = crate::inspect::fingerprint(&key).unwrap_or_else(|| key.clone());
        add("duplicate-host-key", "the host key", key, shown, AGAIN);
    }
    const DOCKER: &str =
        "on one of the nodes: rm the file, then restart docker, which makes its own";
    for path in ["/etc/docker/key.json", "/var/lib/docker/engine-id"] {
        if let Some(id) = read_text(card.files(), path)?.filter(|text| !text.trim().is_empty()) {
            add(
                "duplicate-engine-id",
                "Docker's identity",
                format!("{path} {id}"),
                path.into(),
                DOCKER,
            );
        }
    }
    const SWARM: &str = "on one of the nodes: docker swarm leave --force, then \
                         rm -f /var/lib/nodecard/swarm/joined, and boot it again";
    if let Some(certificate) = read_text(card.files(), SWARM_CERTIFICATE)? {
        add(
            "duplicate-swarm-node",
            "the node's identity in the swarm",
            certificate,
            SWARM_CERTIFICATE.into(),
            SWARM,
        );
    }
    for kind in ["rsa", "ecdsa", "dsa"] {
        let path = format!("/etc/ssh/ssh_host_{kind}_key.pub");
        if let Some(key) = read_text(card.files(), &path)?.filter(|text| !text.trim().is_empty()) {
            let key = crate::facts::without_comment(&key);
            let shown = crate::inspect::fingerprint(&key).unwrap_or(path);
            add(
                "duplicate-host-key",
                "a host key",
                key,
                shown,
                "on one of the nodes: make new host keys",
            );
        }
    }
    Ok(uniques)
}
