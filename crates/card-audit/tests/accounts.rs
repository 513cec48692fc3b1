//! Users that the profile makes, on cards.

mod common;

use std::{fs, sync::Arc};

use block_io::FileStorage;
use card_audit::{BaseReference, CardOutcome, VerifyOptions};
use card_image::{BuildInputs, BuildOptions, Cancel, ImageFormat, build};
use cluster_keys::ClusterKeys;
use cluster_profile::Cluster;
use common::{Changed, bench};

/// Every reason why a card does not fit is a finding of its own, and one of a plan.
#[test]
fn all_reasons_why_a_card_does_not_fit_are_shown() {
    let bench = bench();
    let mut cluster = bench.cluster.clone();
    cluster.ssh.users.extend(["ghost", "phantom"].map(str::to_owned));
    let card = bench.card("xu4-node1").open().unwrap();
    let options = VerifyOptions {
        cluster: &cluster,
        keys: &bench.keys,
        base: BaseReference::Absent("for a test"),
        node: None,
    };
    let report = card_audit::verify(&options, vec![("n1".to_owned(), Ok(card))]);
    let findings = common::only(report).findings;
    let unfit = findings.iter().filter(|one| one.code == card_audit::FindingCode::UnfitSystem);
    let unfit: Vec<&str> = unfit.map(|one| one.what.as_str()).collect();
    assert_eq!(unfit.len(), 2, "{findings:#?}");
    for (what, name) in unfit.iter().zip(["ghost", "phantom"]) {
        assert!(what.contains(&format!("names {name}, but")) && !what.contains('\n'), "{what}");
    }
    let card = bench.card("xu4-node1").open().unwrap();
    let node = &cluster.nodes[0];
    let options =
        card_audit::PlanOptions { cluster: &cluster, keys: &bench.keys, node, time: None };
    let error = card_audit::plan_against(&options, &card).unwrap_err();
    let card_audit::AuditError::Cards(error) = &error else { panic!("{error}") };
    let card_image::Error::Refused(all) = &**error else { panic!("{error}") };
    assert_eq!(all.len(), 2, "{error}");
}

#[test]
fn users_are_made_and_verified() {
    let temp = tempfile::tempdir().unwrap();
    let profile = temp.path().join("profile.yaml");
    let base = bench().cluster.base.path.display();
    let text = format!(
        "cluster: test\nbase: {base}\ncard: 64MiB\nnetwork: {{interface: eth0, prefix: 24}}\n\
         nodes: [{{name: n1, address: 192.168.1.81}}]\nssh: {{users: [anna]}}\nusers:\n  anna: \
         {{create: true, groups: [sudo], sudo: nopasswd}}\n"
    );
    fs::write(&profile, text).unwrap();
    let cluster = Cluster::load(&profile).unwrap_or_else(|error| panic!("{error}"));
    let keys = ClusterKeys::open_or_create(&cluster.keys, "test", &["n1".to_owned()]).unwrap();
    let out = temp.path().join("out");
    let options = BuildOptions {
        inputs: BuildInputs {
            cluster: &cluster,
            keys: &keys,
            base: &cluster.base.path,
            base_sha256: None,
            root: None,
            time: Some(common::BUILT),
            cache: Some(temp.path()),
            largest_card: None,
        },
        nodes: cluster.nodes.iter().collect(),
        card_size: cluster.card.unwrap().bytes(),
        out: &out,
        format: ImageFormat::Raw,
        raw_sums: false,
        update: false,
    };
    build(&options, &(), &Cancel::new()).unwrap();
    let card = || {
        let image = FileStorage::open(&out.join("n1.img")).unwrap();
        Changed::over("n1", Arc::new(image), 64 << 20)
    };
    let findings = |card: &Changed| -> Vec<String> {
        let options = VerifyOptions {
            cluster: &cluster,
            keys: &keys,
            base: BaseReference::Absent("for a test"),
            node: None,
        };
        let report = card_audit::verify(&options, vec![("n1".to_owned(), card.open())]);
        let [CardOutcome::Audited(report)] = report.cards.as_slice() else { panic!("refused") };
        let found = report.findings.iter().filter(|f| f.severity > card_audit::Severity::Note);
        found.map(|f| format!("{} {}", f.code, f.path.as_deref().unwrap_or_default())).collect()
    };
    assert_eq!(findings(&card()), [""; 0]);
    let passwd = card().read("/etc/passwd");
    let line = passwd.lines().find(|line| line.starts_with("anna:")).unwrap();
    let gone = card().replace("/etc/passwd", line, "");
    assert!(findings(&gone).contains(&"account /etc/passwd".to_owned()), "{:?}", findings(&gone));
    let group = card().read("/etc/group");
    let sudo = group.lines().find(|line| line.starts_with("sudo:")).unwrap();
    let left = card().replace("/etc/group", sudo, sudo.trim_end_matches("anna"));
    assert_eq!(findings(&left), ["account /etc/group"]);
    let open = card().edit(|files| files.mode("/etc/sudoers.d/nodecard-anna", 0o666));
    assert_eq!(findings(&open), ["mode /etc/sudoers.d/nodecard-anna"]);
    // An owner's own users and members are no finding.
    let more = card().append("/etc/passwd", "bob:x:2000:2000::/home/bob:/bin/sh\n");
    assert_eq!(findings(&more), [""; 0]);
}
