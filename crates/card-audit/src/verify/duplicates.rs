//! Two cards that are taken for the same.

use std::{collections::BTreeSet, net::Ipv4Addr};

use card_image::FsResult;
use plain_text::printable;
use system_model::{SystemFiles, docker, sshd::DropbearConfig};

use super::{CardReport, clones::SWARM_CERTIFICATE};
use crate::{Card, Finding, FindingCode, FixAction, facts::read_text};

/// Something on a card that must not be on another one.
struct Unique {
    code: FindingCode,
    /// What it is, in words: `the machine id`.
    name: &'static str,
    /// The value that must not be the same.
    value: String,
    /// What may be shown of it.
    shown: String,
    fix: FixAction,
}

/// Adds to each report what its card has in common with another one. Two cards of one node
/// are one finding, which lists what else they have in common.
pub(super) fn find(cards: &[&Card], reports: &mut [&mut CardReport]) {
    // A card that cannot be read was refused before.
    let of = |(card, report): (&&Card, &&mut CardReport)| uniques(card, report).unwrap_or_default();
    let uniques: Vec<Vec<Unique>> = cards.iter().zip(reports.iter()).map(of).collect();
    for (index, own) in uniques.iter().enumerate() {
        let sharers = |unique: &Unique| -> Vec<usize> {
            let same = |other: &Unique| other.code == unique.code && other.value == unique.value;
            let others = uniques.iter().enumerate();
            let others = others.filter(|(at, theirs)| *at != index && theirs.iter().any(same));
            others.map(|(at, _)| at).collect()
        };
        let shared: Vec<(&Unique, Vec<usize>)> = own
            .iter()
            .map(|unique| (unique, sharers(unique)))
            .filter(|(_, others)| !others.is_empty())
            .collect();
        let twins = shared.iter().find(|(unique, _)| unique.code == FindingCode::DuplicateNode);
        let twins: Vec<usize> = twins.map(|(_, others)| others.clone()).unwrap_or_default();
        let is_implied = |(unique, others): &&(&Unique, Vec<usize>)| {
            unique.fix == FixAction::RebuildOne && others.iter().all(|at| twins.contains(at))
        };
        let names = |others: &[usize]| -> String {
            let names = others.iter().filter_map(|at| cards.get(*at)).map(|card| card.name());
            names.collect::<Vec<_>>().join(", ")
        };
        let Some(report) = reports.get_mut(index) else { continue };
        if !twins.is_empty() {
            let implied = shared.iter().filter(is_implied).map(|(unique, _)| unique.name);
            let implied: Vec<&str> = implied.map(|name| name.trim_start_matches("the ")).collect();
            let what = format!("this card and {} are both {}", names(&twins), report.node);
            let fix = FixAction::LeaveOutOrRebuildOne;
            let finding = Finding::error(FindingCode::DuplicateNode, what, fix);
            report.findings.push(if implied.is_empty() {
                finding
            } else {
                finding.found(format!("the same {}", implied.join(", ")))
            });
        }
        let rest = shared.iter().filter(|one| !is_implied(one));
        for (unique, others) in rest.filter(|(unique, _)| unique.code != FindingCode::DuplicateNode)
        {
            let what = format!("{} is the same as on {}", unique.name, names(others));
            let finding = Finding::error(unique.code, what, unique.fix.clone());
            report.findings.push(finding.found(printable(&unique.shown)));
        }
    }
}

/// Returns the addresses of a card that some interface gets at boot. Where no program that
/// sets addresses starts, all that are configured count.
fn brought_up(report: &CardReport) -> BTreeSet<Ipv4Addr> {
    let configured = &report.facts.addresses;
    match &report.fixed_addresses {
        Some(fixed) => configured.intersection(fixed).copied().collect(),
        None => configured.clone(),
    }
}

fn uniques(card: &Card, report: &CardReport) -> FsResult<Vec<Unique>> {
    let facts = &report.facts;
    let mut uniques = Vec::new();
    let mut add = |code, name, value: String, shown: String, fix| {
        uniques.push(Unique { code, name, value, shown, fix });
    };
    let again = || FixAction::RebuildOne;
    let given = |value: &Option<String>| value.clone().filter(|value| !value.is_empty());
    let node = &report.node;
    let twins = FixAction::LeaveOutOrRebuildOne;
    add(FindingCode::DuplicateNode, "the node", node.clone(), node.clone(), twins);
    if let Some(name) = given(&facts.hostname) {
        let value = name.to_ascii_lowercase();
        add(FindingCode::DuplicateHostName, "the host name", value, name, again());
    }
    for address in brought_up(report) {
        let address = address.to_string();
        add(FindingCode::DuplicateAddress, "the address", address.clone(), address, again());
    }
    if let Some(id) = given(&facts.machine_id) {
        add(FindingCode::DuplicateMachineId, "the machine id", id.clone(), id, again());
    }
    if let Some(key) = given(&facts.host_key) {
        let shown = crate::inspect::fingerprint(&key).unwrap_or_else(|| key.clone());
        add(FindingCode::DuplicateHostKey, "the host key", key, shown, again());
    }
    let roots = docker::data_roots(card.files()).unwrap_or_default();
    let engine_ids = roots.iter().map(|data| format!("{}/engine-id", data.path));
    for path in ["/etc/docker/key.json".to_owned()].into_iter().chain(engine_ids) {
        if let Some(id) = read_text(card.files(), &path)?.filter(|text| !text.trim().is_empty()) {
            let value = format!("{path} {id}");
            let command = format!("rm {path}, then restart docker, which makes its own");
            let fix = FixAction::OnOneNode(command);
            add(FindingCode::DuplicateEngineId, "Docker's identity", value, path, fix);
        }
    }
    for data in &roots {
        let path = format!("{}/swarm/{SWARM_CERTIFICATE}", data.path);
        let Some(certificate) = read_text(card.files(), &path)? else { continue };
        let command = "docker swarm leave --force, then rm -f /var/lib/nodecard/swarm/joined, and \
                       reboot";
        add(
            FindingCode::DuplicateSwarmNode,
            "the node's identity in the swarm",
            certificate,
            path,
            FixAction::OnOneNode(command.into()),
        );
    }
    for kind in ["rsa", "ecdsa", "dsa"] {
        let path = format!("/etc/ssh/ssh_host_{kind}_key.pub");
        if let Some(key) = read_text(card.files(), &path)?.filter(|text| !text.trim().is_empty()) {
            let key = crate::facts::without_comment(&key);
            let shown = crate::inspect::fingerprint(&key).unwrap_or(path);
            let command = format!("rm /etc/ssh/ssh_host_{kind}_key*, then ssh-keygen -A");
            let fix = FixAction::OnOneNode(command);
            add(FindingCode::DuplicateHostKey, "a host key", key, shown, fix);
        }
    }
    for path in DropbearConfig::read(card.files()).unwrap_or_default().host_keys {
        // The key is private: it is compared, and its path is shown.
        let Ok(Some(key)) = SystemFiles::read(card.files(), &path) else { continue };
        let fix = FixAction::OnOneNode(format!("rm {path}, then dropbearkey -t ed25519 -f {path}"));
        let value = format!("dropbear {}", plain_text::to_hex(&key));
        add(FindingCode::DuplicateHostKey, "dropbear's host key", value, path, fix);
    }
    Ok(uniques)
}
