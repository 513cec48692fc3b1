//! Passwords: differences from the profile and default passwords are reported, and no hash
//! is shown.

mod common;

use std::sync::Arc;

use block_io::{Cancel, ReadAt};
use card_audit::{
    ApplyOptions, Finding, PlanOptions, Severity, VerifyOptions, apply, plan, plan_against,
    rehearse,
};
use card_image::{BuildInputs, CardBuilder};
use cluster_profile::{Cluster, ExtraFile};
use common::{Bench, Changed, LATER, NEVER, bench, only};

const NODE: &str = "xu4-node2";
const SHADOW: &str = "/etc/shadow";

fn brief(finding: &Finding) -> (Severity, &str, String) {
    (finding.severity, finding.code.as_str(), finding.place())
}

/// The card with another /etc/shadow, which stays private.
fn with_shadow(change: impl FnOnce(String) -> String) -> Changed {
    let card = bench().card(NODE);
    let text = change(card.read(SHADOW));
    card.edit(|files| {
        files.write(SHADOW, &text);
        files.mode(SHADOW, 0o640);
    })
}

/// The base's own line of a user, with the password that everybody knows.
fn base_line(user: &str) -> String {
    let base = Changed::over("base", bench().base.storage(), bench().base.storage().size());
    let shadow = base.read(SHADOW);
    shadow.lines().find(|line| line.starts_with(&format!("{user}:"))).unwrap().to_owned()
}

/// The text with another line for a user.
fn replaced(text: &str, user: &str, line: &str) -> String {
    let start = format!("{user}:");
    let of = |old: &str| if old.starts_with(&start) { line.to_owned() } else { old.to_owned() };
    text.lines().map(|old| of(old) + "\n").collect()
}

/// Hashes, and what is left of them when they are cut.
#[track_caller]
fn assert_no_hash(text: &str) {
    assert!(!text.contains("$6$") && !text.contains("saltsalt"), "{text}");
}

fn with(bench: &Bench, cluster: &Cluster, card: &Changed) -> Vec<Finding> {
    let base = bench.base_card();
    let base = card_audit::BaseReference::Card(&base);
    let options = VerifyOptions { cluster, keys: &bench.keys, base, node: None };
    only(card_audit::verify(&options, vec![(card.name.clone(), card.open())])).findings
}

#[test]
fn the_card_has_the_profiles_passwords() {
    let card = bench().card(NODE);
    let shadow = card.read(SHADOW);
    // 2020-09-13, when the cards are built; the keys are younger.
    assert!(shadow.contains("root:*:") && shadow.contains("odroid:$6$saltsalt$"), "{shadow}");
    assert_eq!(bench().findings(&card), []);
}

#[test]
fn passwords_that_are_not_the_profiles_are_reported() {
    let other = "odroid:$6$othersalt$other:19000:0:99999:7:::";
    for (user, line, found, expected) in [
        ("odroid", base_line("odroid").as_str(), "the default password `odroid`", "the profile's"),
        ("odroid", other, "another one", "the profile's"),
        ("odroid", "odroid:!:19000:0:99999:7:::", "none, locked", "the profile's"),
        ("odroid", "odroid::19000:0:99999:7:::", "none: no password is asked for", "the profile's"),
        ("odroid", "nobody2:*:1::::::", "no line for this user", "the profile's"),
        ("root", base_line("root").as_str(), "the default password `odroid`", "none, locked"),
        ("root", "root:$6$a$b:19000:0:99999:7:::", "another one", "none, locked"),
    ] {
        let card = with_shadow(|text| replaced(&text, user, line));
        let report = bench().audit(&card);
        let [finding] = report.findings.as_slice() else { panic!("{line}: {report}") };
        assert_eq!(
            (finding.severity, finding.code.as_str()),
            (Severity::Warning, "password"),
            "{report}"
        );
        assert_eq!(finding.line.is_some(), !line.starts_with("nobody2"), "{report}");
        assert_eq!(finding.found.as_deref(), Some(found), "{report}");
        assert_eq!(finding.expected.as_deref(), Some(expected), "{report}");
        assert_no_hash(&format!("{report}{}", serde_json::to_string(&report).unwrap()));
    }
    // Locked is locked, however it is written.
    for line in ["root:!:1::::::", "root:!$6$a$b:19000:0:99999:7:::", "root:!*:1::::::"] {
        assert_eq!(bench().findings(&with_shadow(|text| replaced(&text, "root", line))), []);
    }
    // Days, other users and order are the owner's.
    let card = with_shadow(|text| {
        let aged = text.replacen(":0:99999:7:", ":1:90:7:", 9) + "anna:$6$x$y:19000:0:99999:7:::\n";
        aged.lines().rev().map(|line| format!("{line}\n")).collect()
    });
    assert_eq!(bench().findings(&card), []);
}

#[test]
fn a_change_that_is_asked_for_at_the_next_login_is_reported() {
    let card = with_shadow(|text| {
        let line = text.lines().find(|line| line.starts_with("odroid:")).unwrap().to_owned();
        let mut fields: Vec<&str> = line.split(':').collect();
        fields[2] = "0";
        replaced(&text, "odroid", &fields.join(":"))
    });
    let findings = bench().findings(&card);
    assert_eq!(findings.len(), 1, "{findings:#?}");
    assert!(findings[0].what.starts_with("odroid must change the password"), "{findings:#?}");
}

#[test]
fn default_passwords_are_reported_where_the_profile_leaves_them() {
    let bench = bench();
    let mut cluster = bench.cluster.clone();
    cluster.users.clear();
    let default = |user: &'static str| move |text: String| replaced(&text, user, &base_line(user));
    let card = with_shadow(|text| default("odroid")(default("root")(text)));
    let findings = with(bench, &cluster, &card);
    let found: Vec<_> = findings.iter().map(brief).collect();
    let code = "default-password";
    assert_eq!(
        found,
        [
            (Severity::Note, code, "/etc/shadow:1".into()),
            (Severity::Note, code, "/etc/shadow:12".into())
        ]
    );
    assert_eq!(findings[1].what, "odroid still has the default password `odroid`");
    assert!(
        findings[1].fix.to_string().contains("passwd odroid; or set odroid's password"),
        "{findings:#?}"
    );
    // One that somebody chose since is nobody's business.
    let own = "odroid:$6$othersalt$other:19000:0:99999:7:::";
    let card = with_shadow(|text| replaced(&default("root")(text), "odroid", own));
    assert_eq!(with(bench, &cluster, &card).len(), 1);
    let none = with_shadow(|text| replaced(&text, "root", "root::1::::::"));
    let findings = with(bench, &cluster, &none);
    assert_eq!(findings[0].what, "root can log in without a password");
    // An owner who wants it can say so.
    let text = with_shadow(default("odroid")).read(SHADOW);
    let hash = text.lines().find(|line| line.starts_with("odroid:")).unwrap().split(':').nth(1);
    cluster.users = bench.cluster.users.clone();
    let hash = cluster_profile::PasswordHash::new(hash.unwrap()).unwrap();
    cluster.users[1].password = Some(cluster_profile::Password::Hash(hash));
    assert_eq!(with(bench, &cluster, &with_shadow(default("odroid"))), []);
}

#[test]
fn hashes_that_everybody_can_read_are_reported() {
    let card = bench().card(NODE).edit(|files| files.mode(SHADOW, 0o644));
    let findings = bench().findings(&card);
    assert_eq!(
        findings.iter().map(brief).collect::<Vec<_>>(),
        [(Severity::Warning, "mode", SHADOW.into())]
    );
}

#[test]
fn plans_show_no_hash_and_note_default_passwords() {
    let bench = bench();
    let node = bench.cluster.nodes.iter().find(|node| node.name == NODE).unwrap();
    let from_base = |cluster: &Cluster| {
        let (cancel, cache) = (Cancel::new(), bench.path("cache"));
        let sources = BuildInputs { cluster, ..bench.sources(&cache) };
        let prepared = CardBuilder::open(sources, &(), &cancel).unwrap();
        plan(&prepared, 64 << 20, &[node], "base", &cancel).unwrap()
    };
    let mut cluster = bench.cluster.clone();
    // Files of the profile that hold hashes, too.
    let file = |path: &str, contents: &str| ExtraFile {
        path: path.into(),
        contents: contents.into(),
        mode: None,
        owner: None,
    };
    let text = "anna:$6$saltsalt$SECRET\n";
    cluster.files.extend([file("/root/chpasswd", text), file("/etc/gshadow", "x:$6$saltsalt::\n")]);
    let options =
        PlanOptions { cluster: &cluster, keys: &bench.keys, node, time: Some(common::BUILT) };
    let made = from_base(&cluster);
    let card = with_shadow(|text| replaced(&text, "odroid", &base_line("odroid")));
    let against = plan_against(&options, &card.open().unwrap()).unwrap();
    for plan in [&made, &against] {
        let text = format!("{plan}{}", serde_json::to_string(plan).unwrap());
        assert!(text.contains("/etc/shadow: changed,"), "{text}");
        assert_no_hash(&text);
    }
    assert!(!made.to_string().contains("default password"), "{made}");
    let card = card.edit(|files| files.write("/root/chpasswd", "anna:$6$saltsalt$OTHER\n"));
    let findings = with(bench, &cluster, &card);
    let codes: Vec<_> = findings.iter().map(|finding| finding.code.as_str()).collect();
    assert_eq!(codes, ["password", "extra-file", "extra-file"]);
    assert_no_hash(&format!("{findings:?}"));

    let mut without = cluster.clone();
    without.users.clear();
    let text = from_base(&without).to_string();
    assert!(
        text.contains("note: default passwords still set: root (`odroid`), odroid (`odroid`)"),
        "{text}"
    );
}

#[test]
fn applying_sets_the_profiles_password_and_shows_none() {
    let bench = bench();
    let right = bench.card(NODE).read(SHADOW);
    let card = with_shadow(|text| {
        replaced(&text, "odroid", &base_line("odroid")) + "anna:$6$x$y:19000:0:99999:7:::\n"
    });
    let node = bench.cluster.nodes.iter().find(|node| node.name == NODE).unwrap();
    let base = bench.base_card();
    let verify = VerifyOptions {
        cluster: &bench.cluster,
        keys: &bench.keys,
        base: card_audit::BaseReference::Card(&base),
        node: None,
    };
    let options =
        ApplyOptions { verify, node, root: None, grow: false, time: LATER, cancel: &NEVER };
    let storage: Arc<dyn ReadAt> = card.layer.clone();
    let agreed = rehearse(&options, NODE, storage).unwrap();
    assert_no_hash(&agreed.plan.to_string());
    assert!(agreed.plan.to_string().contains("/etc/shadow: changed"), "{}", agreed.plan);
    let target: Arc<dyn block_io::WriteAt> = card.layer.clone();
    let applied = apply(&options, NODE, &target, &agreed.plan).unwrap();
    assert_eq!(applied.left, []);
    assert_eq!(card.read(SHADOW), right + "anna:$6$x$y:19000:0:99999:7:::\n");
    assert_eq!(bench.findings(&card), []);
}
