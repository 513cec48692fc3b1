//! Plans: what would change is shown, private keys are not, and nothing is written.

mod common;

use card_audit::{AuditError, ChangePlan, PlanOptions, plan, plan_against};
use card_image::{Cancel, CardBuilder};
use cluster_profile::Node;
use common::{Changed, bench};

fn nodes(names: &[&str]) -> Vec<&'static Node> {
    let chosen = |node: &&Node| names.contains(&node.name.as_str());
    bench().cluster.nodes.iter().filter(chosen).collect()
}

fn from_base(names: &[&str]) -> ChangePlan {
    let cancel = Cancel::new();
    let cache = bench().path("cache");
    let prepared = CardBuilder::open(bench().sources(&cache), &(), &cancel).unwrap();
    plan(&prepared, 64 << 20, &nodes(names), "base", &cancel).unwrap()
}

fn try_against(card: &Changed, node: &str) -> Result<ChangePlan, AuditError> {
    let bench = bench();
    let options = PlanOptions {
        cluster: &bench.cluster,
        keys: &bench.keys,
        node: nodes(&[node])[0],
        time: Some(common::BUILT),
    };
    plan_against(&options, &card.open().unwrap())
}

fn against(card: &Changed, node: &str) -> ChangePlan {
    try_against(card, node).unwrap()
}

#[test]
fn a_node_against_the_base() {
    let plan = from_base(&["xu4-node2"]);
    let text = plan.to_string();
    for part in [
        "partition 2 (root) grows from 32.0 MiB to 53.5 MiB",
        "its filesystem grows from 32.0 MiB to 53.5 MiB",
        "-xu4-master\n+xu4-node2\n",
        "-iface eth0 inet dhcp\n+iface eth0 inet static\n+    address 192.168.1.82\n",
        "/aafirstboot: removed",
        "/etc/motd: new, 12 bytes, mode 0644, owner 0:0",
        "/root/.ssh/id_ed25519: new, 411 bytes, mode 0600, owner 0:0",
        "/var/lib/docker/swarm: emptied (had 3 names)",
        "disarmed: Hardkernel",
    ] {
        assert!(text.contains(part), "{part} is missing: {text}");
    }
    assert!(!text.contains("PRIVATE KEY") && !text.contains("\n-PRETENDED"), "{text}");
    let secret = bench().keys.cluster().private().lines().nth(2).unwrap();
    assert!(!serde_json::to_string(&plan).unwrap().contains(secret));
}

/// Applying a plan's diffs to the base's files gives the card's.
#[test]
fn the_diffs_are_those_of_the_cards() {
    let bench = bench();
    let base = Changed::over("base", bench.base.storage(), 64 << 20);
    let card = bench.card("xu4-node2");
    let plan = from_base(&["xu4-node2"]);
    let mut patched = 0;
    for change in &plan.nodes[0].files {
        let Some(diff) = &change.diff else { continue };
        if change.what.starts_with("new") {
            continue;
        }
        let (old, new) = (bench.path("old"), bench.path("diff"));
        std::fs::write(&old, base.read(&change.path)).unwrap();
        std::fs::write(&new, format!("--- a\n+++ b\n{diff}")).unwrap();
        common::run("patch", "patch", &[old.to_str().unwrap(), new.to_str().unwrap()]);
        let result = std::fs::read_to_string(&old).unwrap();
        assert_eq!(result, card.read(&change.path), "{}", change.path);
        patched += 1;
    }
    assert!(patched > 5, "{patched}");
}

#[test]
fn what_all_nodes_share_is_reported_once() {
    let plan = from_base(&["xu4-node1", "xu4-node2"]);
    let paths = |files: &[card_audit::FileChange]| -> Vec<String> {
        files.iter().map(|file| file.path.clone()).collect()
    };
    assert!(paths(&plan.shared).contains(&"/root/.ssh/authorized_keys".into()));
    assert!(!paths(&plan.shared).contains(&"/etc/hostname".into()));
    for node in &plan.nodes {
        assert!(paths(&node.files).contains(&"/etc/hostname".into()));
        assert!(paths(&node.files).iter().all(|path| !paths(&plan.shared).contains(path)));
    }
    assert!(plan.to_string().contains("=== all 2 nodes"));
}

#[test]
fn a_right_card_stays_as_it_is() {
    let plan = against(&bench().card("xu4-node2"), "xu4-node2");
    assert_eq!(plan.nodes[0].files, []);
    assert_eq!(plan.card, Vec::<String>::new());
}

#[test]
fn a_card_that_differs() {
    let card = bench()
        .card("xu4-node2")
        .replace("/etc/network/interfaces", "address", "addres")
        .edit(|files| {
            files.mode("/root/.ssh/authorized_keys", 0o666);
            files.0.editor().chown("/root/.ssh/id_ed25519", 7, 8).unwrap();
            files.0.editor().rename("/root/.ssh/id_ed25519.pub", "/root/pub").unwrap();
            files.0.replace_with_symlink("/root/.ssh/id_ed25519.pub", "../pub").unwrap();
            files.write("/root/pub", "ssh-ed25519 AAAA x\n");
            files.write("/aafirstboot", "x");
        });
    let plan = against(&card, "xu4-node2");
    let changes: Vec<String> =
        plan.nodes[0].files.iter().map(|file| format!("{} {}", file.path, file.what)).collect();
    let length = bench().keys.cluster().public().len();
    assert_eq!(
        changes,
        [
            "/aafirstboot removed, was a file of 1 byte".to_owned(),
            "/etc/network/interfaces changed, 532 to 533 bytes".into(),
            "/root/.ssh/authorized_keys mode 0666 becomes 0600".into(),
            "/root/.ssh/id_ed25519 owner 7:8 becomes 0:0".into(),
            format!(
                "/root/.ssh/id_ed25519.pub new, {length} bytes, mode 0644, owner 0:0, was a symlink \
                 to ../pub"
            ),
        ]
    );
}

#[test]
fn a_card_that_is_no_system_is_refused() {
    let card = bench().card("xu4-node2").edit(|files| files.remove("/etc/passwd"));
    let error = try_against(&card, "xu4-node2").expect_err("no system");
    let error = plain_text::with_causes(&error);
    assert!(error.contains("/etc/passwd"), "{error}");
}

/// The kernel's mark alone does not prevent a report; real damage does.
#[test]
fn a_filesystem_that_is_marked_as_having_errors() {
    let bench = bench();
    let card = bench
        .card("xu4-node2")
        .replace("/etc/hostname", "xu4-node2", "xu4-node9")
        .superblock(0x3a, |state| state[0] |= 2);
    let plan = against(&card, "xu4-node2").to_string();
    for part in ["-xu4-node9", "+xu4-node2", "flagged", "`e2fsck -f` on partition 2"] {
        assert!(plan.contains(part), "{part}: {plan}");
    }
    // A block that belongs to two files.
    let damaged = common::cards::debugfs(
        &card.layer,
        "two-owners.img",
        "write /proc/version other\nsif /root/.bashrc block[0] 1\nclri other\n",
    );
    let damaged = Changed::over("card", damaged, 64 << 20);
    let error = try_against(&damaged, "xu4-node2").expect_err("damage");
    assert!(error.fix().unwrap().contains("e2fsck"), "{error}");
}
