//! What a swarm's nodes get, file by file.

mod common;

use std::{fs, process::Command};

use cluster_profile::RenderError;
use common::{Fixture, Item, Memory, PROFILE, archive, ubuntu_1604};

const SWARM: &str = "swarm:
  wait: 5m
  services:
    - name: dsv
      image: alexellis2/visualizer-arm
      publish: [\"8080:8080\", {published: 9000, target: 90, protocol: udp, mode: host}]
      constraints: [node.role==manager]
      mounts:
        - {source: /var/run/docker.sock, target: /var/run/docker.sock}
        - {source: data, target: /data, read_only: true}
        - {type: tmpfs, target: /scratch}
      env: {GREETING: \"it's $HOME\"}
      command: [serve, \"a b\"]
    - {name: agent, image: agent, mode: global}
";

/// The article's image, with Docker, on a processor.
fn base(machine: u8) -> Memory {
    let mut elf = [0; 64];
    elf[..6].copy_from_slice(b"\x7fELF\x01\x01");
    elf[18] = machine;
    ubuntu_1604().file("/usr/bin/dockerd", "").file("/bin/sh", elf)
}

const ARM: u8 = 40;
const AMD64: u8 = 62;

fn fixture(swarm: &str) -> Fixture {
    Fixture::new(&format!("{PROFILE}{swarm}"))
}

#[test]
fn every_node_knows_its_place() {
    let fixture = fixture(SWARM);
    let (worker, notes) = fixture.settled(&base(ARM), 1);
    assert_eq!(
        worker.text("/etc/nodecard/swarm.conf"),
        "# Written by nodecard from the profile of the cluster mc1.\n\
         NAME=xu4-node1\n\
         ADDRESS=192.168.1.81\n\
         ROLE=worker\n\
         # The manager that makes the swarm and creates its services.\n\
         FOUNDER=xu4-master\n\
         MANAGERS='xu4-master=192.168.1.80'\n\
         # How many seconds it waits for the other managers, which may have a swarm already.\n\
         PATIENCE=120\n\
         PORT=2377\n\
         DATA_PATH=\n\
         DATA_PATH_PORT=\n\
         # Services are created when this many nodes are ready, or after this many seconds.\n\
         NODES=3\n\
         WAIT=300\n\
         CONFIG=/etc/nodecard\n\
         STATE=/var/lib/nodecard/swarm\n"
    );
    assert_eq!(worker.mode("/usr/local/lib/nodecard/swarm"), (0o755, (0, 0)));
    assert_eq!(worker.mode("/usr/local/lib/nodecard/swarm-token"), (0o755, (0, 0)));
    assert_eq!(
        worker.0["/etc/systemd/system/multi-user.target.wants/nodecard-swarm.service"],
        Item::Symlink("/etc/systemd/system/nodecard-swarm.service".into())
    );
    assert!(!worker.has("/etc/nodecard/services"));
    assert!(notes.iter().any(|note| note.contains("the nodes pull alexellis2/visualizer-arm")));
}

#[test]
fn services_reach_docker_word_for_word() {
    let (master, _) = fixture(SWARM).settled(&base(ARM), 0);
    let path = "/etc/nodecard/services/001-dsv";
    assert_eq!(master.mode(path), (0o600, (0, 0)));
    assert_eq!(master.mode("/etc/nodecard/services"), (0o700, (0, 0)));
    let words = |path: &str| {
        let script =
            format!("CONFIG=/etc/nodecard\n{}\nprintf '%s\\n' \"$@\"\n", master.text(path));
        let output = Command::new("sh").arg("-c").arg(script).output().unwrap();
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(
        words(path),
        [
            "--name",
            "dsv",
            "--replicas",
            "1",
            "--publish",
            "8080:8080/tcp",
            "--publish",
            "mode=host,published=9000,target=90,protocol=udp",
            "--constraint",
            "node.role==manager",
            "--mount",
            "type=bind,src=/var/run/docker.sock,dst=/var/run/docker.sock",
            "--mount",
            "type=volume,src=data,dst=/data,readonly",
            "--mount",
            "type=tmpfs,dst=/scratch",
            "--env-file",
            "/etc/nodecard/environments/001-dsv",
            "alexellis2/visualizer-arm",
            "serve",
            "a b"
        ]
    );
    let environment = "/etc/nodecard/environments/001-dsv";
    assert_eq!(master.text(environment), "GREETING=it's $HOME\n");
    assert_eq!(master.mode(environment), (0o600, (0, 0)));
    assert_eq!(
        words("/etc/nodecard/services/002-agent"),
        ["--name", "agent", "--mode", "global", "agent"]
    );
}

/// A key can do one thing, and only with its own role's token.
#[test]
fn a_key_asks_for_its_own_token_and_nothing_else() {
    let fixture = fixture("swarm: {}\n");
    let (master, _) = fixture.settled(&base(ARM), 0);
    let (worker, _) = fixture.settled(&base(ARM), 1);
    let directory = tempfile::tempdir().unwrap();
    let public = |card: &Memory| {
        let path = directory.path().join("key");
        fs::write(&path, card.text("/etc/nodecard/swarm_key")).unwrap();
        Command::new("chmod").arg("600").arg(&path).status().unwrap();
        let output = Command::new("ssh-keygen").arg("-yf").arg(&path).output().unwrap();
        let line = String::from_utf8(output.stdout).unwrap();
        line.split_whitespace().nth(1).unwrap().to_owned()
    };
    let (worker_key, manager_key) = (public(&worker), public(&master));
    assert_ne!(worker_key, manager_key);
    assert_eq!(worker.mode("/etc/nodecard/swarm_key"), (0o600, (0, 0)));
    for (key, role) in [(worker_key, "worker"), (manager_key, "manager")] {
        let lines = master.text("/root/.ssh/authorized_keys");
        let line = lines.lines().find(|line| line.contains(&key)).expect("a line for the key");
        let start =
            format!("restrict,command=\"/usr/local/lib/nodecard/swarm-token {role}\" ssh-ed25519 ");
        assert!(line.starts_with(&start), "{line}");
        assert_eq!(lines.matches(&key).count(), 1);
    }
    // Nobody but root is asked.
    assert!(!master.text("/home/odroid/.ssh/authorized_keys").contains("swarm-token"));
}

#[test]
fn root_lets_tokens_be_asked_for_though_no_user_is_listed() {
    let profile = PROFILE.replace("ssh:\n  users: [root, odroid]\n", "") + "swarm: {}\n";
    let (card, _) = Fixture::new(&profile).settled(&base(ARM), 0);
    let lines = card.text("/root/.ssh/authorized_keys");
    assert!(lines.contains("ssh-rsa AAAAMINE me@desk") && lines.contains("swarm-token worker"));
    assert!(!card.has("/root/.ssh/id_ed25519"));
    assert_eq!(card.mode("/root/.ssh/authorized_keys"), (0o600, (0, 0)));
}

/// A line that would let a swarm key do more does not survive.
#[test]
fn a_swarm_key_is_let_in_by_no_other_line() {
    let fixture = fixture("swarm: {}\n");
    let (card, _) = fixture.settled(&base(ARM), 0);
    let lines = card.text("/root/.ssh/authorized_keys");
    let line = lines.lines().find(|line| line.contains("swarm-token worker")).unwrap();
    let key = line.split("\" ").nth(1).unwrap();
    let open = card.clone().file("/root/.ssh/authorized_keys", format!("{key}\n{lines}"));
    let (closed, _) = fixture.settled(&open, 0);
    assert_eq!(closed.text("/root/.ssh/authorized_keys"), lines);
}

#[test]
fn archives_come_with_the_card() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("httpd.tar");
    archive::save(&path, "agent:latest", "arm");
    let swarm = SWARM.replace("wait: 5m", &format!("images: [{}]", path.display()));
    let fixture = fixture(&swarm);
    let (card, notes) = fixture.settled(&base(ARM), 0);
    let sum = Command::new("sha256sum").arg(&path).output().unwrap();
    let sum = String::from_utf8(sum.stdout).unwrap();
    let sum = sum.split(' ').next().unwrap();
    assert_eq!(
        card.text("/etc/nodecard/images"),
        format!("{sum} /var/lib/nodecard/images/httpd.tar agent:latest\n")
    );
    let on_card = card.0.get("/var/lib/nodecard/images/httpd.tar");
    assert!(
        matches!(on_card, Some(Item::File { contents, .. }) if *contents == fs::read(&path).unwrap())
    );
    assert!(card.text("/etc/nodecard/services/002-agent").contains("loaded=yes\n"));
    assert!(card.text("/etc/nodecard/services/001-dsv").contains("loaded=''\n"));
    assert!(!notes.iter().any(|note| note.contains("the nodes pull agent")));

    let mut arm64 = [0; 64];
    arm64[..6].copy_from_slice(b"\x7fELF\x02\x01");
    arm64[18] = 183;
    let (_, notes) = fixture.settled(&base(ARM).file("/bin/sh", arm64), 0);
    assert!(
        notes.iter().any(|note| note.contains("is for arm, but the base image is for arm64")),
        "{notes:?}"
    );
    let error = fixture.card(&base(AMD64), 0).expect_err("another processor");
    assert!(matches!(error, RenderError::ImageArchitecture { .. }));
    let words = error.to_string();
    assert!(words.contains("the image agent:latest in "), "{words}");
    assert!(words.contains("is for arm, but the base image is for amd64"), "{words}");
    let fix = error.fix().expect("a fix");
    assert!(fix.contains("docker pull --platform linux/amd64"), "{fix}");
}

#[test]
fn an_image_that_cannot_run_a_swarm_is_refused() {
    let error = fixture("swarm: {}\n").card(&ubuntu_1604(), 0).expect_err("no Docker");
    assert!(error.to_string().contains("the image has no Docker"), "{error}");
    let live = base(ARM).file("/etc/docker/daemon.json", "{\"live-restore\": true}");
    let error = fixture("swarm: {}\n").card(&live, 0).expect_err("no swarm with live-restore");
    assert!(error.to_string().contains("live-restore"), "{error}");
    let files = "swarm: {}\nfiles: [{path: /etc/docker/daemon.json, content: \"{}\"}]\n";
    fixture(files).settled(&live, 0);
    let strict = base(ARM).file("/etc/ssh/sshd_config", "PermitRootLogin no\n");
    let profile = PROFILE.replace("users: [root, odroid]", "users: [odroid]") + "swarm: {}\n";
    let (_, notes) = Fixture::new(&profile).settled(&strict, 0);
    assert!(notes.iter().any(|note| note.contains("permitrootlogin no")), "{notes:?}");
}

/// A card made from a card is a new node: nothing of the old one's place is left.
#[test]
fn a_card_made_from_a_managers_card_is_a_worker() {
    let fixture = fixture(SWARM);
    let (master, _) = fixture.settled(&base(ARM), 0);
    let used = master
        .file("/var/lib/nodecard/swarm/status", "state=ready\n")
        .file("/var/lib/nodecard/swarm/joined", "")
        .file("/etc/nodecard/services/009-gone", "");
    let (worker, _) = fixture.settled(&used, 1);
    assert!(!worker.has("/etc/nodecard/services"));
    assert!(!worker.has("/var/lib/nodecard/swarm/joined"));
    assert_eq!(worker, {
        let (fresh, _) = fixture.settled(&base(ARM), 1);
        fresh.dir("/var/lib/nodecard/swarm")
    });
    let (master, _) = fixture.settled(&used, 0);
    assert!(!master.has("/etc/nodecard/services/009-gone"));

    let (single, notes) = Fixture::new(PROFILE).settled(&used, 1);
    assert!(
        notes.iter().any(|note| note.contains("removed the swarm from the image")),
        "{notes:?}"
    );
    let left: Vec<_> = single.0.keys().filter(|path| path.contains("nodecard/")).collect();
    assert_eq!(left, ["/var/lib/nodecard/swarm"]);
    assert!(!single.text("/root/.ssh/authorized_keys").contains("swarm-token"));
}

#[test]
fn an_even_number_of_managers_is_noted() {
    let profile =
        PROFILE.replace("address: 192.168.1.81}", "address: 192.168.1.81, role: manager}");
    let fixture = Fixture::new(&(profile + "swarm: {port: 2400, data_path: eth1}\n"));
    let (card, notes) = fixture.settled(&base(ARM), 1);
    assert!(notes.iter().any(|note| note.contains("has 2 managers")), "{notes:?}");
    let conf = card.text("/etc/nodecard/swarm.conf");
    assert!(conf.contains("MANAGERS='xu4-master=192.168.1.80 xu4-node1=192.168.1.81'\n"));
    assert!(conf.contains("ROLE=manager\n") && conf.contains("PORT=2400\nDATA_PATH=eth1\n"));
}
