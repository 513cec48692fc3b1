//! Nodes with a fake docker and a fake ssh, whose scripts run.

use std::{
    fs,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::common::{Fixture, PROFILE, archive, ubuntu_1604};

/// Shells of boards: dash is Debian's, busybox that of small systems.
pub const SHELLS: [&[&str]; 2] = [&["dash"], &["busybox", "sh"]];

/// A cluster in a directory: cards as nodecard renders them, and fake programs.
pub struct Nodes {
    directory: tempfile::TempDir,
    pub names: Vec<String>,
    shell: &'static [&'static str],
}

pub const SERVICES: &str = "swarm:
  wait: 0s
  images: [ARCHIVE]
  services:
    - {name: agent, image: agent, mode: global, env: {FAKED_WORD: pass word}}
    - {name: my-web, image: web, replicas: 3, publish: [\"80:80\"]}
";

impl Nodes {
    pub fn new(profile: &str, shell: &'static [&'static str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let archive = directory.path().join("agent.tar");
        archive::save(&archive, "agent:latest", "arm");
        let profile = profile.replace("ARCHIVE", &archive.display().to_string());
        let fixture = Fixture::new(&profile);
        let base = ubuntu_1604().file("/usr/bin/dockerd", "");
        let mut names = Vec::new();
        for (index, node) in fixture.cluster.nodes.iter().enumerate() {
            let (card, _) = fixture.settled(&base, index);
            let at = directory.path().join(&node.name);
            for made in ["etc/services", "lib", "docker"] {
                fs::create_dir_all(at.join(made)).unwrap();
            }
            let place = at.display().to_string();
            let text = card
                .text("/etc/nodecard/swarm.conf")
                .replace("/etc/nodecard", &format!("{place}/etc"))
                .replace("/var/lib/nodecard/swarm", &format!("{place}/state"));
            fs::write(at.join("etc/swarm.conf"), text).unwrap();
            for name in ["swarm", "swarm-token"] {
                let text = card.text(&format!("/usr/local/lib/nodecard/{name}"));
                fs::write(at.join("lib").join(name), text).unwrap();
                Command::new("chmod").arg("755").arg(at.join("lib").join(name)).status().unwrap();
            }
            for path in card.0.keys().filter(|path| path.starts_with("/etc/nodecard/services/")) {
                let name = path.rsplit('/').next().unwrap();
                fs::write(at.join("etc/services").join(name), card.text(path)).unwrap();
            }
            let environment = "/etc/nodecard/environments/001-agent";
            if card.has(environment) {
                fs::create_dir(at.join("etc/environments")).unwrap();
                fs::write(at.join("etc/environments/001-agent"), card.text(environment)).unwrap();
            }
            if card.has("/etc/nodecard/images") {
                fs::write(at.join("etc/images"), card.text("/etc/nodecard/images")).unwrap();
            }
            if index > 0 {
                fs::remove_dir(at.join("etc/services")).unwrap();
            }
            fs::write(at.join("address"), node.address.to_string()).unwrap();
            fs::write(at.join("authorized_keys"), card.text("/root/.ssh/authorized_keys")).unwrap();
            let key = at.join("etc/swarm_key");
            fs::write(&key, card.text("/etc/nodecard/swarm_key")).unwrap();
            fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
            fs::write(at.join("docker/state"), "inactive\n").unwrap();
            names.push(node.name.clone());
        }
        Nodes { directory, names, shell }
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.directory.path().join(path)
    }

    pub fn text(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap_or_default()
    }

    pub fn put(&self, path: &str, text: &str) {
        fs::create_dir_all(self.path(path).parent().unwrap()).unwrap();
        fs::write(self.path(path), text).unwrap();
    }

    /// Boots a node: starts its script.
    pub fn boot(&self, node: &str, cut: Option<(u32, &str)>) -> Child {
        fs::write(self.path(&format!("{node}/up")), "").unwrap();
        fs::remove_file(self.path(&format!("{node}/calls"))).ok();
        let fakes = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fake_node");
        let path = format!("{}:{}", fakes.display(), std::env::var("PATH").unwrap());
        let mut command = Command::new(self.shell[0]);
        command.args(&self.shell[1..]).arg(self.path(&format!("{node}/lib/swarm")));
        command.arg(self.path(&format!("{node}/etc/swarm.conf")));
        command.env("PATH", path).env("FAKE", self.directory.path()).env("NODE", node);
        if let Some((call, when)) = cut {
            command.env("CUT", call.to_string()).env("WHEN", when);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        // Power fails for all that runs on the node.
        command.process_group(0).spawn().expect("the shell, from Debian's package of its name")
    }

    /// Boots a node and waits for the end of its script; whether it came to one.
    pub fn run(&self, node: &str, cut: Option<(u32, &str)>) -> bool {
        let mut child = self.boot(node, cut);
        finish(&mut child, node).is_some_and(|code| {
            assert_eq!(code, 0, "{node}");
            true
        })
    }

    pub fn status(&self, node: &str) -> String {
        self.text(&format!("{node}/state/status"))
    }

    pub fn state(&self, node: &str) -> String {
        let status = self.status(node);
        let line = status.lines().find_map(|line| line.strip_prefix("state="));
        line.unwrap_or_default().to_owned()
    }

    pub fn waits_for(&self, node: &str, words: &str) {
        let until = Instant::now() + Duration::from_secs(20);
        while !self.status(node).contains(words) {
            assert!(Instant::now() < until, "{node}: {}", self.status(node));
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// What was done to a swarm, by whom.
    pub fn log(&self) -> Vec<String> {
        self.text("log").lines().map(str::to_owned).collect()
    }

    pub fn count(&self, words: &str) -> usize {
        self.log().iter().filter(|line| line.contains(words)).count()
    }
}

/// Waits for a script; its exit code, or `None` if it was killed.
pub fn finish(child: &mut Child, node: &str) -> Option<i32> {
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        if Instant::now() > until {
            power_off(child);
            panic!("{node} came to no end");
        }
        thread::sleep(Duration::from_millis(2));
    }
}

pub fn power_off(child: &mut Child) {
    let group = format!("-{}", child.id());
    Command::new("kill").args(["-9", "--", &group]).status().unwrap();
    child.wait().unwrap();
}

pub fn cluster(shell: &'static [&'static str]) -> Nodes {
    Nodes::new(&format!("{PROFILE}{SERVICES}"), shell)
}

/// Every node in one swarm, once; services created once; nobody ever left.
pub fn assert_whole(nodes: &Nodes) {
    for node in &nodes.names {
        assert_eq!(nodes.state(node), "ready", "{node}: {}", nodes.status(node));
    }
    assert_eq!(nodes.count("swarm init"), 1, "{:?}", nodes.log());
    assert_eq!(nodes.count(" join at "), nodes.names.len() - 1, "{:?}", nodes.log());
    assert_eq!(nodes.count("service create"), 2, "{:?}", nodes.log());
    assert_eq!(nodes.count("leave"), 0);
}

/// A cluster with three managers.
pub fn managers() -> Nodes {
    let profile = PROFILE
        .replace("address: 192.168.1.81}", "address: 192.168.1.81, role: manager}")
        .replace("address: 192.168.1.82}", "address: 192.168.1.82, role: manager}");
    Nodes::new(&format!("{profile}{SERVICES}"), SHELLS[0])
}
