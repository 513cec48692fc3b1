//! A swarm from the profile to the cards, and what verifying reports about it.

use std::{fs, path::Path, process::Command};

use crate::support::*;

/// A bench whose profile has a swarm with one service, whose image is in an archive.
fn bench() -> Bench {
    let nodes: String = NODES
        .iter()
        .zip(80..)
        .map(|(name, last)| {
            let role = if *name == "xu4-master" { "manager" } else { "worker" };
            format!("  - {{name: {name}, address: 192.168.1.{last}, role: {role}}}\n")
        })
        .collect();
    let bench = Bench::with_profile(&format!(
        "cluster: test\nbase: {}\ncard: 64MiB\n\
         network: {{interface: eth0, prefix: 24, gateway: 192.168.1.1, dns: [192.168.1.1]}}\n\
         nodes:\n{nodes}ssh:\n  users: [root, odroid]\n\
         users: {{root: {{locked: true}}, odroid: {{locked: true}}}}\n\
         swarm:\n  images: [httpd.tar.gz]\n  services:\n    \
         - {{name: httpd, image: lbtest, replicas: 3, publish: [\"80:80\"], env: {{KEY: s3cret}}}}\n",
        sample_base().display()
    ));
    save(&bench, "httpd.tar.gz");
    bench
}

/// Writes an archive like `docker save` and gzip.
fn save(bench: &Bench, name: &str) {
    let tree = bench.path("archive");
    fs::create_dir_all(&tree).unwrap();
    let put = |name: &str, contents: &[u8]| fs::write(tree.join(name), contents).unwrap();
    put(
        "manifest.json",
        br#"[{"Config":"c.json","RepoTags":["lbtest:latest"],"Layers":["l.tar"]}]"#,
    );
    put("c.json", br#"{"architecture":"arm","os":"linux"}"#);
    // A few MiB that do not compress.
    let noise: Vec<u8> = (0..3_000_000u64)
        .scan(1u64, |state, _| {
            *state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            Some((*state >> 56) as u8)
        })
        .collect();
    put("l.tar", &noise);
    let archive = bench.path(name);
    run(
        "tar",
        "tar",
        &["-czf", text(&archive), "-C", text(&tree), "manifest.json", "c.json", "l.tar"],
    );
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn cards_of_a_swarm() {
    let bench = bench();
    let report = bench.built(&[]);
    assert!(!report.contains("pull lbtest"), "{report}");
    for node in NODES {
        let image = bench.path(&format!("out/{node}.img"));
        e2fsck(&image);
        let dumped = bench.path("dumped");
        debugfs(
            &image,
            &format!("dump /var/lib/nodecard/images/httpd.tar.gz {}", dumped.display()),
        );
        assert!(
            fs::read(&dumped).unwrap() == fs::read(bench.path("httpd.tar.gz")).unwrap(),
            "{node}"
        );
        let conf = cat(&image, "/etc/nodecard/swarm.conf");
        assert!(conf.contains(&format!("NAME={node}\n")) && conf.contains("FOUNDER=xu4-master\n"));
        let stat = debugfs(&image, "stat /etc/nodecard/swarm_key");
        assert!(stat.contains("Mode:  0600") && stat.contains("User:     0"), "{stat}");
        // Other users cannot read secrets.
        let services = debugfs(&image, "ls -p /etc/nodecard/services");
        assert_eq!(services.contains("001-httpd"), node == "xu4-master");
        if node == "xu4-master" {
            assert_eq!(cat(&image, "/etc/nodecard/environments/001-httpd"), "KEY=s3cret\n");
            let stat = debugfs(&image, "stat /etc/nodecard/environments/001-httpd");
            assert!(stat.contains("Mode:  0600"), "{stat}");
        }
        // Docker's old state, which belongs to another swarm, is gone.
        let state = debugfs(&image, "ls -p /var/lib/docker/swarm");
        assert!(!state.contains("swarm-node"), "{state}");
    }
    let images = NODES.map(|node| format!("out/{node}.img"));
    let arguments: Vec<&str> = images.iter().map(String::as_str).collect();
    let (code, out, error) = verify(&bench, &arguments);
    assert_eq!(code, Some(0), "{out}{error}");
}

/// systemd itself reads the unit.
#[test]
fn systemd_accepts_the_unit() {
    let bench = bench();
    bench.built(&["--node", "xu4-node1"]);
    let image = bench.path("out/xu4-node1.img");
    let unit = bench.path("nodecard-swarm.service");
    let text = cat(&image, "/etc/systemd/system/nodecard-swarm.service");
    // The program that it starts exists on the card only.
    let complaints = |extra: &str| {
        let lines = text.replace("/usr/local/lib/nodecard/swarm", "/bin/true") + extra;
        fs::write(&unit, lines).unwrap();
        let output = Command::new("systemd-analyze").arg("verify").arg(&unit).output();
        let output = output.expect("systemd-analyze is needed: install the Debian package systemd");
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        // This machine may not have the unit of Docker.
        let ours =
            |line: &&str| line.contains("nodecard-swarm") && !line.contains("docker.service");
        errors.lines().filter(ours).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(complaints(""), [""; 0]);
    // It does complain about a misspelled key.
    assert_ne!(complaints("[Service]\nRestrat=always\n"), [""; 0]);
    let link =
        debugfs(&image, "stat /etc/systemd/system/multi-user.target.wants/nodecard-swarm.service");
    assert!(
        link.contains("Fast link dest: \"/etc/systemd/system/nodecard-swarm.service\""),
        "{link}"
    );
}

#[test]
fn the_swarm_status_on_a_card_is_reported() {
    let bench = bench();
    bench.built(&["--node", "xu4-node1"]);
    const IMAGE: &str = "out/xu4-node1.img";
    let status = |text: &str| {
        debugfs_write(&bench, IMAGE, &["mkdir /var/lib/nodecard", "mkdir /var/lib/nodecard/swarm"]);
        write(&bench, IMAGE, "/var/lib/nodecard/swarm/status", text);
        verify(&bench, &[IMAGE])
    };
    let end = "images=loaded\nservices=none\ntime=2026-01-02T03:04:05Z\n";
    let (code, out, _) = status(&format!("state=ready\nmessage=in the swarm as a worker\n{end}"));
    assert_eq!(code, Some(0), "{out}");
    let (code, out, _) =
        status(&format!("state=foreign\nmessage=this node is in another swarm\n{end}"));
    assert_eq!(code, Some(1));
    let words = "when it last ran, at 2026-01-02T03:04:05Z, the node was not in the swarm";
    assert!(out.contains(words) && out.contains("foreign: this node is in another swarm"), "{out}");
    let (code, out, _) =
        status(&format!("state=waiting\nmessage=no manager has a swarm yet\n{end}"));
    assert_eq!(code, Some(1));
    assert!(
        out.contains("warning") && out.contains("waiting: no manager has a swarm yet"),
        "{out}"
    );
    let (code, out, _) = status(&format!("state=ready\nmessage=in the swarm as a manager\n{end}"));
    assert_eq!(code, Some(1));
    assert!(
        out.contains("the node was in the swarm as a manager; the profile says worker"),
        "{out}"
    );
    let (code, out, _) = status(&format!("state=starting\nmessage=1 of 4 nodes are ready\n{end}"));
    assert_eq!(code, Some(1));
    assert!(out.contains("the manager was waiting for nodes"), "{out}");
    // The role is a field of its own; the sentence is of cards made before.
    let (code, out, _) = status(&format!("state=ready\nmessage=in the swarm\nrole=manager\n{end}"));
    assert_eq!(code, Some(1));
    assert!(out.contains("in the swarm as a manager; the profile says worker"), "{out}");
    assert!(out.contains("docker node demote xu4-node1"), "{out}");
    let (code, out, _) = status("");
    assert_eq!(code, Some(0), "{out}");
    let failed = end.replace("images=loaded", "images=failed: no space left on device");
    let (code, out, _) = status(&format!("state=ready\nmessage=\n{failed}"));
    assert_eq!(code, Some(1));
    assert!(out.contains("could not load an archive") && out.contains("no space left"), "{out}");
}

/// Runs debugfs commands that may fail.
fn debugfs_write(bench: &Bench, image: &str, requests: &[&str]) {
    let target = format!("{}?offset={ROOT_OFFSET}", bench.path(image).display());
    for request in requests {
        let status = Command::new("debugfs").args(["-w", "-R", request, &target]).output();
        status.expect("debugfs is needed: install the Debian package e2fsprogs");
    }
}

/// A node of a running swarm is as expected, even if some of Docker's files equal those of
/// the base image.
#[test]
fn a_swarms_own_state_is_left_alone() {
    let bench = bench();
    let base = decoded_base(&bench);
    bench.built(&["--node", "xu4-node1"]);
    const IMAGE: &str = "out/xu4-node1.img";
    let image = bench.path(IMAGE);
    debugfs_write(&bench, IMAGE, &["mkdir /var/lib/docker/swarm/certificates"]);
    let state = "/var/lib/docker/swarm/docker-state.json";
    let own = "/var/lib/docker/swarm/certificates/swarm-node.crt";
    write(&bench, IMAGE, state, &cat(&base, state));
    write(&bench, IMAGE, own, "the node's own certificate\n");
    let (code, out, _) = verify(&bench, &[IMAGE, "--base", text(&base)]);
    assert_eq!(code, Some(0), "{out}");
    // With the certificate of the base image, it would be a clone.
    write(&bench, IMAGE, own, &cat(&base, own));
    let (code, out, _) = verify(&bench, &[IMAGE, "--base", text(&base)]);
    assert_eq!(code, Some(1));
    assert!(out.contains("a swarm's state, the same as in the base"), "{out}");
    e2fsck(&image);
}

/// A swarm key without its forced command in root's authorized_keys is an error.
#[test]
fn an_unrestricted_swarm_key_is_found_and_restricted() {
    let bench = bench();
    bench.built(&["--node", "xu4-master"]);
    const IMAGE: &str = "out/xu4-master.img";
    let lines = cat(&bench.path(IMAGE), "/root/.ssh/authorized_keys");
    let line = lines.lines().find(|line| line.contains("swarm-token worker")).unwrap();
    let key = line.split("\" ").nth(1).unwrap();
    let fewer = lines.replace(line, "");
    write(&bench, IMAGE, "/root/.ssh/authorized_keys", &format!("{key}\n{fewer}"));
    let (code, out, _) = verify(&bench, &[IMAGE]);
    assert_eq!(code, Some(1));
    assert!(
        out.contains("authorized_keys:1") && out.contains("is allowed to do more here"),
        "{out}"
    );
    let target = format!("xu4-master={IMAGE}");
    let applied = bench.nodecard(&["apply", "profile.yaml", "--yes", &target]).output().unwrap();
    assert!(applied.status.success(), "{}", String::from_utf8_lossy(&applied.stderr));
    let after = cat(&bench.path(IMAGE), "/root/.ssh/authorized_keys");
    assert_eq!(after.matches(key).count(), 1);
    assert!(after.contains(line), "{after}");
}

#[test]
fn differences_in_the_swarm_are_found_and_fixed() {
    let bench = bench();
    bench.built(&["--node", "xu4-master"]);
    const IMAGE: &str = "out/xu4-master.img";
    let conf = cat(&bench.path(IMAGE), "/etc/nodecard/swarm.conf");
    write(&bench, IMAGE, "/etc/nodecard/swarm.conf", &conf.replace("PORT=2377", "PORT=2378"));
    write(&bench, IMAGE, "/etc/nodecard/services/001-httpd", "set -- mine\n");
    write(&bench, IMAGE, "/etc/nodecard/environments/001-httpd", "KEY=other\n");
    write(&bench, IMAGE, "/var/lib/nodecard/images/httpd.tar.gz", "cut off");
    let (code, out, _) = verify(&bench, &[IMAGE]);
    assert_eq!(code, Some(1));
    assert!(out.contains("PORT=2377") && out.contains("/etc/nodecard/swarm.conf:"), "{out}");
    assert!(out.contains("environments/001-httpd") && !out.contains("s3cret"), "{out}");
    assert!(out.contains("images/httpd.tar.gz") && out.contains("7 bytes"), "{out}");
    let target = format!("xu4-master={IMAGE}");
    let applied = bench.nodecard(&["apply", "profile.yaml", "--yes", &target]).output().unwrap();
    let report = String::from_utf8_lossy(&applied.stdout).into_owned();
    assert!(applied.status.success(), "{report}{}", String::from_utf8_lossy(&applied.stderr));
    assert!(!report.contains("s3cret"), "{report}");
    e2fsck(&bench.path(IMAGE));
    let (code, out, _) = verify(&bench, &[IMAGE]);
    assert_eq!(code, Some(0), "{out}");
}

#[test]
fn a_missing_archive_is_reported() {
    let bench = bench();
    let image = bench.path("httpd.tar.gz");
    fs::remove_file(&image).unwrap();
    let message = bench.refused(2, &[]);
    assert!(
        message.contains("httpd.tar.gz: No such file") && message.contains("docker save"),
        "{message}"
    );
}

/// The profiles in the repository have no mistakes.
#[test]
fn the_shipped_profiles_are_valid() {
    let bench = bench();
    let key = bench.path(".ssh/id_ed25519");
    fs::create_dir(bench.path(".ssh")).unwrap();
    run("openssh-client", "ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-f", text(&key)]);
    let profiles = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../profiles");
    let mut found = 0;
    for entry in fs::read_dir(profiles).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            let mut check = bench.nodecard(&["check", text(&path)]);
            let output = check.env("HOME", bench.path("")).output().unwrap();
            let said = String::from_utf8_lossy(&output.stdout);
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(said.starts_with("Cluster "), "{errors}");
            // Only one of them has its base image beside it.
            let lacks_base = errors.contains("there is no image");
            assert!(output.status.success() || lacks_base, "{errors}");
            found += 1;
        }
    }
    assert!(found >= 3, "{found} profiles");
}
