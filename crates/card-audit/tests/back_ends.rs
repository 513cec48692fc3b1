//! Cards whose system sets its address in another way than the sample's: right ones are
//! right, and each typo is found by line.

mod common;

use card_audit::{PlanOptions, plan_against};
use cluster_profile::{render_node, render_shared};
use common::{Changed, Editor, bench};

const NODE: &str = "xu4-node1";

/// The sample's system changed by `edit`, then made the node's.
fn made(edit: impl FnOnce(&mut Editor)) -> Changed {
    let bench = bench();
    let node = bench.cluster.nodes.iter().find(|node| node.name == NODE).unwrap();
    bench.card(NODE).edit(|files| {
        files.remove("/etc/network/interfaces");
        edit(files);
        let shared = render_shared(&bench.cluster, &bench.keys, &*files.0, common::BUILT).unwrap();
        files.0.apply(&shared.edits).unwrap();
        let own = render_node(&bench.cluster, node, &bench.keys, &*files.0, common::BUILT).unwrap();
        files.0.apply(&own.edits).unwrap();
    })
}

fn enable(files: &mut Editor, unit: &str) {
    files.write(&format!("/lib/systemd/system/{unit}"), "[Service]\n");
    let wants = format!("/etc/systemd/system/multi-user.target.wants/{unit}");
    let target = format!("/lib/systemd/system/{unit}");
    files.0.create(&wants, 0o644).unwrap();
    files.0.replace_with_symlink(&wants, &target).unwrap();
}

fn netplan(files: &mut Editor) {
    files.write("/usr/libexec/netplan/generate", "x");
    files.write("/etc/netplan/01-image.yaml", "network:\n  ethernets:\n    eth0: {dhcp4: true}\n");
    enable(files, "systemd-networkd.service");
}

#[track_caller]
fn assert_right_and_typo(card: Changed, file: &str, from: &str, to: &str) {
    let bench = bench();
    assert_eq!(bench.findings(&card), []);
    let options = PlanOptions {
        cluster: &bench.cluster,
        keys: &bench.keys,
        node: bench.cluster.nodes.iter().find(|node| node.name == NODE).unwrap(),
        time: Some(common::BUILT),
    };
    let plan = plan_against(&options, &card.open().unwrap()).unwrap();
    assert_eq!(plan.nodes[0].files, [], "a right card would be changed");
    assert_eq!(bench.audit(&card).known_by.len(), 4, "the address is read");

    let line = card.read(file).lines().position(|line| line.contains(from)).unwrap() + 1;
    let findings = bench.findings(&card.replace(file, from, to));
    assert_eq!(findings.len(), 1, "{findings:#?}");
    assert_eq!(
        (findings[0].code.as_str(), findings[0].line),
        ("address", Some(line)),
        "{findings:#?}"
    );
}

#[test]
fn netplan_with_networkd() {
    let file = "/etc/netplan/99-nodecard.yaml";
    assert_right_and_typo(made(netplan), file, "addresses: [\"", "adresses: [\"");
}

#[test]
fn systemd_networkd() {
    let card = made(|files| {
        enable(files, "systemd-networkd.service");
        files.write(
            "/etc/systemd/network/10-eth.network",
            "[Match]\nName=eth*\n[Network]\nDHCP=yes\n",
        );
    });
    let file = "/etc/systemd/network/05-nodecard-eth0.network";
    assert_right_and_typo(card, file, "Address=192.168.1.81", "Address=192.168.1.18");
}

#[test]
fn network_manager() {
    let card = made(|files| enable(files, "NetworkManager.service"));
    let file = "/etc/NetworkManager/system-connections/nodecard-eth0.nmconnection";
    assert_right_and_typo(card, file, "method=manual", "method=manuel");
}

/// NetworkManager takes no profile that others can read.
#[test]
fn an_open_profile_of_network_manager() {
    let file = "/etc/NetworkManager/system-connections/nodecard-eth0.nmconnection";
    let card = made(|files| enable(files, "NetworkManager.service"));
    let findings = bench().findings(&card.edit(|files| files.mode(file, 0o644)));
    assert_eq!(findings.len(), 1, "{findings:#?}");
    assert_eq!(
        (findings[0].code.as_str(), findings[0].severity),
        ("mode", card_audit::Severity::Error)
    );
}

/// A back end that is installed later and would take the interface.
#[test]
fn rivals_that_came_later() {
    let bench = bench();
    let card = bench.card(NODE).edit(|files| enable(files, "NetworkManager.service"));
    let findings = bench.findings(&card);
    assert_eq!(findings.len(), 1, "{findings:#?}");
    assert_eq!(findings[0].code.as_str(), "network-rival");
    let card = made(|files| enable(files, "systemd-networkd.service")).edit(|files| {
        files.write(
            "/etc/systemd/network/00-mine.network",
            "[Match]\nName=eth0\n[Network]\nDHCP=yes\n",
        );
    });
    let findings = bench.findings(&card);
    assert_eq!(findings.len(), 1, "{findings:#?}");
    assert_eq!(findings[0].place(), "/etc/systemd/network/00-mine.network");
}

/// Programs of first boots that come back, as with a package that is installed again.
#[test]
fn a_resizer_that_is_armed_again() {
    let unit = "resize2fs_once.service";
    let findings = bench().findings(&bench().card(NODE).edit(|files| enable(files, unit)));
    assert_eq!(findings.len(), 1, "{findings:#?}");
    assert_eq!(findings[0].code.as_str(), "first-boot");
    assert_eq!(findings[0].place(), format!("/lib/systemd/system/{unit}"));
}
