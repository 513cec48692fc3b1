//! What the card's own programs do to the node's interface at boot, whoever made the card.

use std::{collections::BTreeSet, net::Ipv4Addr};

use cluster_profile::{SystemError, network_back_end, rival_addresses};
use plain_text::printable;
use system_model::{
    Systemd,
    network::{AddressKind, Network},
};

use super::Subject;
use crate::{Finding, FindingCode, FixAction};

/// The networks of a card.
pub(super) struct CardNetwork {
    network: Network,
    /// Whether ifupdown sets the node's address.
    by_ifupdown: bool,
}

impl CardNetwork {
    pub fn read(subject: &Subject<'_>, units: &Systemd) -> Result<Self, SystemError> {
        let network = Network::read(subject.system, units)?;
        let interface = &subject.cluster.network.interface;
        let by_ifupdown = network_back_end(subject.system, interface)? == Some("ifupdown");
        Ok(CardNetwork { network, by_ifupdown })
    }

    /// Returns the fixed addresses that some interface gets at boot; `None` where no program that
    /// sets addresses starts.
    pub fn fixed_addresses(&self) -> Option<BTreeSet<Ipv4Addr>> {
        if self.network.started.is_empty() {
            return None;
        }
        let sources = self.network.fixed_addresses().into_iter();
        let addresses = sources.filter_map(|source| match source.kind {
            AddressKind::Static(address) => address.split('/').next()?.parse().ok(),
            _ => None,
        });
        Some(addresses.collect())
    }

    /// Returns what gives the node's interface another address, if no edit has found it.
    pub fn rivals(&self, subject: &Subject<'_>, others: &[Finding]) -> Vec<Finding> {
        let interface = &subject.cluster.network.interface;
        let found = rival_addresses(&self.network, interface, subject.node.address);
        // Of networkd's files with one name, one in /etc stands for all.
        let name = |path: &str| {
            let (directory, name) = path.rsplit_once('/')?;
            directory.ends_with("/systemd/network").then(|| name.to_owned())
        };
        let is_known = |path: &str| {
            others.iter().any(|other| {
                matches!(other.code, FindingCode::Address | FindingCode::NetworkRival)
                    && other.path.as_deref().is_some_and(|known| {
                        known == path || name(known).is_some_and(|known| name(path) == Some(known))
                    })
            })
        };
        // Without the node's own address, or a setting that keeps another program off, what is
        // there instead is no news.
        let is_wrong = others.iter().any(|other| {
            matches!(other.code, FindingCode::Address | FindingCode::NetworkRival)
                || other
                    .path
                    .as_deref()
                    .is_some_and(|path| path.starts_with("/etc/NetworkManager/"))
        });
        let mut findings = Vec::new();
        for rival in found {
            if rival.at.as_ref().map_or(is_wrong, |at| is_known(&at.path)) {
                continue;
            }
            let what = format!("{interface} also gets an address from {}", rival.what);
            let fix = if rival.at.is_some() { FixAction::RemoveLine } else { FixAction::Rebuild };
            let mut finding = Finding::error(FindingCode::NetworkRival, printable(&what), fix);
            finding.line = rival.at.as_ref().map(|at| at.line);
            finding.path = rival.at.map(|at| at.path);
            findings.push(finding);
        }
        findings
    }

    /// Returns what keeps the node's interface from its address: another name, or a line where
    /// ifup stops.
    pub fn obstacles(&self, subject: &Subject<'_>, others: &[Finding]) -> Vec<Finding> {
        let interface = &subject.cluster.network.interface;
        let mut findings = Vec::new();
        for renaming in self.network.renamings(interface) {
            let named = renaming.new.as_deref().map_or("differently".to_owned(), printable);
            let advice = match &renaming.new {
                Some(_) if renaming.certain => {
                    format!("set `interface: {named}` in the profile, or remove the line")
                }
                Some(_) => format!(
                    "remove the line, unless it is about this board: then set `interface: {named}` in the profile"
                ),
                None => "if the interface gets another name, remove the line".to_owned(),
            };
            let (new, verb): (fn(_, _, _) -> _, _) = match renaming.certain {
                true => (Finding::error, "will"),
                false => (Finding::warning, "may"),
            };
            let what = format!("the interface {interface} {verb} be named {named} at boot");
            let fix = FixAction::Adapt { advice: Some(advice) };
            let finding: Finding = new(FindingCode::InterfaceName, what, fix);
            findings.push(finding.at(&renaming.at.path).line(Some(renaming.at.line)));
        }
        let fatal = self.network.interfaces.as_ref().and_then(|read| read.fatal_problem());
        for problem in self.network.interfaces_problems() {
            // What is not the node's own, or is a part of a stanza that is wrong anyway.
            let is_known = others.iter().any(|other| {
                other.line == Some(problem.at.line)
                    && other.path.as_deref() == Some(problem.at.path.as_str())
            });
            if !self.by_ifupdown || is_known {
                continue;
            }
            let what = problem.kind.words();
            let finding = if Some(problem) == fatal {
                let what = format!("{interface} does not come up at boot: ifup {what}");
                Finding::error(FindingCode::Address, what, FixAction::CorrectLine)
            } else {
                let what = format!("ifup {what}");
                Finding::warning(FindingCode::Address, what, FixAction::CorrectLine)
            };
            findings.push(finding.at(&problem.at.path).line(Some(problem.at.line)));
        }
        findings
    }
}
