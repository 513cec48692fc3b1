//! The scripts of a swarm's nodes, run by the shell with a fake docker and a fake ssh: what
//! they do when the power fails, when a manager does not respond, and when something is
//! wrong. scripts/boot-cluster runs them on real systems.

mod common;

use std::{
    fs,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use cluster_profile::{Role, SwarmState, SwarmStatus, SwarmStep};
use common::{Fixture, PROFILE, archive, ubuntu_1604};

/// Shells of boards: dash is Debian's, busybox that of small systems.
const SHELLS: [&[&str]; 2] = [&["dash"], &["busybox", "sh"]];

/// A cluster in a directory: cards as nodecard renders them, and fake programs.
struct Nodes {
    directory: tempfile::TempDir,
    names: Vec<String>,
    shell: &'static [&'static str],
}

const SERVICES: &str = "swarm:
  wait: 0s
  images: [ARCHIVE]
  services:
    - {name: agent, image: agent, mode: global, env: {FAKED_WORD: pass word}}
    - {name: my-web, image: web, replicas: 3, publish: [\"80:80\"]}
";

impl Nodes {
    fn new(profile: &str, shell: &'static [&'static str]) -> Self {
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

    fn path(&self, path: &str) -> PathBuf {
        self.directory.path().join(path)
    }

    fn text(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap_or_default()
    }

    fn put(&self, path: &str, text: &str) {
        fs::create_dir_all(self.path(path).parent().unwrap()).unwrap();
        fs::write(self.path(path), text).unwrap();
    }

    /// Boots a node: starts its script.
    fn boot(&self, node: &str, cut: Option<(u32, &str)>) -> Child {
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
    fn run(&self, node: &str, cut: Option<(u32, &str)>) -> bool {
        let mut child = self.boot(node, cut);
        finish(&mut child, node).is_some_and(|code| {
            assert_eq!(code, 0, "{node}");
            true
        })
    }

    fn status(&self, node: &str) -> String {
        self.text(&format!("{node}/state/status"))
    }

    fn state(&self, node: &str) -> String {
        let status = self.status(node);
        let line = status.lines().find_map(|line| line.strip_prefix("state="));
        line.unwrap_or_default().to_owned()
    }

    fn waits_for(&self, node: &str, words: &str) {
        let until = Instant::now() + Duration::from_secs(20);
        while !self.status(node).contains(words) {
            assert!(Instant::now() < until, "{node}: {}", self.status(node));
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// What was done to a swarm, by whom.
    fn log(&self) -> Vec<String> {
        self.text("log").lines().map(str::to_owned).collect()
    }

    fn count(&self, words: &str) -> usize {
        self.log().iter().filter(|line| line.contains(words)).count()
    }
}

/// Waits for a script; its exit code, or `None` if it was killed.
fn finish(child: &mut Child, node: &str) -> Option<i32> {
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

fn power_off(child: &mut Child) {
    let group = format!("-{}", child.id());
    Command::new("kill").args(["-9", "--", &group]).status().unwrap();
    child.wait().unwrap();
}

fn cluster(shell: &'static [&'static str]) -> Nodes {
    Nodes::new(&format!("{PROFILE}{SERVICES}"), shell)
}

/// Every node in one swarm, once; services created once; nobody ever left.
fn assert_whole(nodes: &Nodes) {
    for node in &nodes.names {
        assert_eq!(nodes.state(node), "ready", "{node}: {}", nodes.status(node));
    }
    assert_eq!(nodes.count("swarm init"), 1, "{:?}", nodes.log());
    assert_eq!(nodes.count(" join at "), nodes.names.len() - 1, "{:?}", nodes.log());
    assert_eq!(nodes.count("service create"), 2, "{:?}", nodes.log());
    assert_eq!(nodes.count("leave"), 0);
}

#[test]
fn the_nodes_form_a_swarm_whoever_boots_first() {
    for shell in SHELLS {
        let nodes = cluster(shell);
        let mut early = nodes.boot("xu4-node1", None);
        nodes.waits_for("xu4-node1", "xu4-master (192.168.1.80): ssh: connect to host");
        let mut master = nodes.boot("xu4-master", None);
        assert!(nodes.run("xu4-node2", None));
        assert_eq!(
            (finish(&mut early, "node1"), finish(&mut master, "master")),
            (Some(0), Some(0))
        );
        assert_whole(&nodes);
        // Each has its images before it joins.
        let log = nodes.log();
        for node in &nodes.names {
            let at =
                |words: &str| log.iter().position(|l| l.starts_with(&format!("{node} {words}")));
            let (load, entered) = (at("load"), at("join at").or(at("swarm init")));
            assert!(load.is_some() && load < entered, "{log:?}");
        }
        let init = log.iter().find(|line| line.contains("swarm init")).unwrap();
        assert_eq!(
            init,
            "xu4-master swarm init --advertise-addr 192.168.1.80 --listen-addr 0.0.0.0:2377"
        );
        let create: Vec<_> = log.iter().filter(|line| line.contains("service create")).collect();
        assert_eq!(
            create,
            [
                "xu4-master service create --detach --no-resolve-image --name agent --mode global --env-file ENV agent",
                "xu4-master service create --detach --name my-web --replicas 3 --publish 80:80/tcp web",
            ]
        );
        // Values reach docker by a file, not by words that every user can list.
        assert_eq!(nodes.text("environment"), "FAKED_WORD=pass word\n");
        let status = nodes.status("xu4-master");
        let lines: Vec<_> = status.lines().take(5).collect();
        assert_eq!(
            lines,
            [
                "state=ready",
                "message=in the swarm as a manager",
                "images=loaded",
                "services=created",
                "role=manager"
            ]
        );
        let status = SwarmStatus::parse(&status);
        assert_eq!((status.state, status.role), (SwarmState::Ready, Some(Role::Manager)));
        assert_eq!((status.images, status.services), (SwarmStep::Done, SwarmStep::Done));
        // Everybody may read how far the node has come, nobody else may write it.
        let status = fs::metadata(nodes.path("xu4-master/state/status")).unwrap();
        assert_eq!(status.permissions().mode() & 0o777, 0o644);
    }
}

/// The power fails at each call of docker, before and after the call, on each node; the next
/// boot continues.
#[test]
fn the_next_boot_continues_after_a_power_cut_anywhere() {
    for when in ["before", "after"] {
        for node in ["xu4-master", "xu4-node1"] {
            for call in 1.. {
                let nodes = cluster(SHELLS[0]);
                if node != "xu4-master" {
                    assert!(nodes.run("xu4-master", None));
                }
                let whole = nodes.run(node, Some((call, when)));
                for node in &nodes.names {
                    assert!(nodes.run(node, None));
                }
                assert_whole(&nodes);
                if whole {
                    // The run that nothing cut has done all there is to do.
                    assert!(call > 6, "{node}: only {call} calls");
                    break;
                }
            }
        }
    }
}

#[test]
fn services_wait_for_the_nodes() {
    let profile = format!("{PROFILE}{SERVICES}").replace("wait: 0s", "wait: 1h");
    let nodes = Nodes::new(&profile, SHELLS[0]);
    let mut master = nodes.boot("xu4-master", None);
    nodes.waits_for("xu4-master", "state=starting\nmessage=1 of 3 nodes are ready");
    assert!(nodes.run("xu4-node1", None));
    nodes.waits_for("xu4-master", "state=starting\nmessage=2 of 3 nodes are ready");
    assert_eq!(nodes.count("service create"), 0);
    assert!(nodes.run("xu4-node2", None));
    assert_eq!(finish(&mut master, "xu4-master"), Some(0));
    assert_whole(&nodes);
}

#[test]
fn nothing_is_done_twice() {
    let nodes = cluster(SHELLS[0]);
    for _ in 0..3 {
        for node in &nodes.names {
            assert!(nodes.run(node, None));
        }
    }
    assert_whole(&nodes);
    assert_eq!(nodes.count("load"), 3);
    // A service that somebody removed stays removed; an image that is gone comes back.
    fs::remove_file(nodes.path("services/agent")).unwrap();
    fs::remove_file(nodes.path("xu4-node1/docker/images/agent:latest")).unwrap();
    for node in &nodes.names {
        assert!(nodes.run(node, None));
    }
    assert_eq!((nodes.count("service create"), nodes.count("load")), (2, 4));
}

#[test]
fn a_manager_that_never_comes_is_waited_for_with_longer_pauses() {
    let nodes = cluster(SHELLS[0]);
    let mut worker = nodes.boot("xu4-node1", None);
    let slept =
        || -> Vec<String> { nodes.text("xu4-node1/slept").lines().map(str::to_owned).collect() };
    let until = Instant::now() + Duration::from_secs(20);
    while slept().len() < 6 {
        assert!(Instant::now() < until, "{}", nodes.status("xu4-node1"));
        thread::sleep(Duration::from_millis(5));
    }
    power_off(&mut worker);
    assert_eq!(slept()[..6], ["5", "10", "20", "40", "60", "60"]);
    let status = nodes.status("xu4-node1");
    let words = "state=waiting\nmessage=no manager accepts this node yet: xu4-master (192.168.1.80): \
                 ssh: connect to host 192.168.1.80 port 22: No route to host\n";
    assert!(status.starts_with(words), "{status}");
}

#[test]
fn a_join_that_takes_long_is_not_begun_again() {
    let nodes = cluster(SHELLS[0]);
    assert!(nodes.run("xu4-master", None));
    nodes.put("xu4-node1/docker/slow", "");
    assert!(nodes.run("xu4-node1", None));
    assert_eq!(nodes.state("xu4-node1"), "ready");
    assert_eq!(nodes.count("xu4-node1 join at"), 1);
}

/// What a join that docker abandoned leaves among the swarm's members.
#[test]
fn the_remains_of_an_abandoned_join_are_removed_when_all_nodes_are_ready() {
    for shell in SHELLS {
        let nodes = cluster(shell);
        for node in ["xu4-master", "xu4-node1"] {
            assert!(nodes.run(node, None));
        }
        nodes.put("nodes/abandoned1", "down");
        nodes.put("nodes/abandoned2", "unknown");
        // A node is missing: one of them could be its.
        assert!(nodes.run("xu4-master", None));
        assert_eq!(nodes.count("node rm"), 0);
        assert!(nodes.run("xu4-node2", None));
        assert!(nodes.run("xu4-master", None));
        let removed: Vec<_> = nodes.log().into_iter().filter(|l| l.contains(" node rm ")).collect();
        assert_eq!(
            removed,
            ["xu4-master node rm --force abandoned1", "xu4-master node rm --force abandoned2"]
        );
        assert_whole(&nodes);
        // A dead node has a name; whether it goes is for its owner to say.
        nodes.put("nodes/xu4-node9", "down xu4-node9");
        assert!(nodes.run("xu4-master", None));
        assert_eq!(nodes.count("node rm"), 2);
    }
}

/// A node that somebody adds at this moment has a name a minute later.
#[test]
fn a_node_that_is_being_added_is_not_removed() {
    let nodes = cluster(SHELLS[0]);
    for node in &nodes.names {
        assert!(nodes.run(node, None));
    }
    nodes.put("nodes/late", "unknown");
    nodes.put("xu4-master/sleep-names", "late");
    assert!(nodes.run("xu4-master", None));
    assert_eq!(nodes.count("node rm"), 0);
    assert!(nodes.path("nodes/late").exists());
}

/// The clock of a board without one, whose card is older than the swarm.
#[test]
fn a_clock_that_is_behind_is_set_by_the_managers() {
    let nodes = cluster(SHELLS[0]);
    assert!(nodes.run("xu4-master", None));
    nodes.put("xu4-node1/behind", "86400");
    nodes.put("xu4-node2/behind", "-86400");
    for node in ["xu4-node1", "xu4-node2"] {
        assert!(nodes.run(node, None));
    }
    let log = nodes.log();
    let set = log.iter().position(|line| line.starts_with("xu4-node1 date -u -s @"));
    let joined = log.iter().position(|line| line.starts_with("xu4-node1 join"));
    assert!(set.is_some() && set < joined, "{log:?}");
    // Time never runs backwards.
    assert_eq!(nodes.count("xu4-node2 date"), 0);
}

/// Docker goes on looking for the managers of its swarm, so it is not always active then.
#[test]
fn a_node_of_another_swarm_stays_there_and_reports_it() {
    for state in ["active", "pending", "error"] {
        let nodes = cluster(SHELLS[0]);
        assert!(nodes.run("xu4-master", None));
        nodes.put("xu4-node1/docker/state", &format!("{state}\n"));
        nodes.put("xu4-node1/docker/stuck", "");
        nodes.put("xu4-node1/docker/swarm/certificates/swarm-root-ca.crt", "another\n");
        assert!(nodes.run("xu4-node1", None));
        let status = nodes.status("xu4-node1");
        let words = "state=foreign\nmessage=this node is in another swarm than xu4-master; to \
                     move it: docker swarm leave, then rm -f ";
        assert!(status.starts_with(words), "{status}");
        assert_eq!((nodes.count("xu4-node1 join"), nodes.count("swarm leave")), (0, 0));
    }
}

/// One manager in another swarm than the rest does not make the rest strangers.
#[test]
fn one_stray_manager_is_the_stranger() {
    let nodes = managers();
    nodes.put("xu4-node1/up", "");
    nodes.put("xu4-node2/up", "");
    for node in ["xu4-master", "xu4-node2"] {
        assert!(nodes.run(node, None));
    }
    nodes.put("xu4-node1/docker/state", "active\n");
    nodes.put("xu4-node1/docker/role", "manager\n");
    nodes.put("xu4-node1/docker/swarm/certificates/swarm-root-ca.crt", "another\n");
    for node in &nodes.names {
        assert!(nodes.run(node, None));
    }
    let states = nodes.names.iter().map(|node| nodes.state(node)).collect::<Vec<_>>();
    assert_eq!(states, ["ready", "foreign", "ready"]);
    assert!(nodes.status("xu4-node1").contains("swarm leave --force, then"));
}

/// A join that the manager's end cut off leaves docker in an error that it does not get out of.
#[test]
fn docker_is_started_anew_where_nothing_is_lost() {
    let nodes = cluster(SHELLS[0]);
    assert!(nodes.run("xu4-master", None));
    nodes.put("xu4-node1/docker/state", "error\n");
    nodes.put("xu4-node1/docker/error", "rpc error: Unavailable\n");
    assert!(nodes.run("xu4-node1", None));
    assert_eq!(nodes.state("xu4-node1"), "ready");
    assert_eq!(nodes.count("xu4-node1 systemctl restart docker"), 1);

    // A certificate that is of the future for a clock that stood still.
    nodes.put("xu4-node1/docker/state", "error\n");
    nodes.put("xu4-node1/docker/error", "certificate is not yet valid\n");
    nodes.put("xu4-node1/behind", "172800");
    assert!(nodes.run("xu4-node1", None));
    assert_eq!(nodes.state("xu4-node1"), "ready");
    assert_eq!(nodes.count("xu4-node1 systemctl restart docker"), 2);
    assert_eq!(nodes.count("xu4-node1 join at"), 1);
}

#[test]
fn a_node_that_somebody_took_out_stays_out() {
    let nodes = cluster(SHELLS[0]);
    for node in &nodes.names {
        assert!(nodes.run(node, None));
    }
    for node in ["xu4-master", "xu4-node1"] {
        nodes.put(&format!("{node}/docker/state"), "inactive\n");
        assert!(nodes.run(node, None));
        assert_eq!(nodes.state(node), "left");
    }
    assert_eq!((nodes.count("swarm init"), nodes.count("xu4-node1 join")), (1, 1));
}

#[test]
fn failures_are_reported_and_tried_again() {
    let nodes = cluster(SHELLS[0]);
    nodes.put("xu4-node1/docker/full", "");
    nodes.put("refuse/agent", "");
    let mut master = nodes.boot("xu4-master", None);
    nodes.waits_for(
        "xu4-master",
        "services=failed\nservices_error=agent: Error response from daemon: no such luck",
    );
    // The other service does not wait for it.
    assert!(nodes.path("services/my-web").exists());
    fs::remove_file(nodes.path("refuse/agent")).unwrap();
    assert_eq!(finish(&mut master, "xu4-master"), Some(0));
    assert!(nodes.status("xu4-master").contains("services=created"));

    assert!(nodes.run("xu4-node1", None));
    let status = nodes.status("xu4-node1");
    let reason =
        "/var/lib/nodecard/images/agent.tar: Error: write /layer.tar: no space left on device";
    assert!(
        status.contains(&format!("images=failed\nservices=none\nimages_error={reason}\n")),
        "{status}"
    );
    let read = SwarmStatus::parse(&status);
    assert_eq!((read.state, read.role), (SwarmState::Ready, Some(Role::Worker)));
    assert_eq!((read.images, read.services), (SwarmStep::Failed(reason.into()), SwarmStep::None));
    fs::remove_file(nodes.path("xu4-node1/docker/full")).unwrap();
    assert!(nodes.run("xu4-node1", None));
    assert!(nodes.status("xu4-node1").contains("images=loaded"));
}

#[test]
fn an_engine_that_cannot_is_waited_for() {
    for (state, words) in [
        ("locked", "message=the swarm is locked; on this node: docker swarm unlock"),
        (
            "error",
            "message=docker reports: certificate expired; if this persists: systemctl restart",
        ),
        ("", "state=waiting\nmessage=docker does not respond"),
    ] {
        let nodes = cluster(SHELLS[0]);
        nodes.put("xu4-node1/docker/state", state);
        nodes.put("xu4-node1/docker/error", "certificate\nexpired\n");
        nodes.put("xu4-node1/docker/swarm/certificates/swarm-node.crt", "xu4-node1\n");
        let mut child = nodes.boot("xu4-node1", None);
        nodes.waits_for("xu4-node1", words);
        nodes.put("xu4-node1/docker/state", "active\n");
        assert_eq!(finish(&mut child, state), Some(0));
        assert_eq!(nodes.count("xu4-node1 "), 1, "the image: {:?}", nodes.log());
    }
}

/// A cluster with three managers.
fn managers() -> Nodes {
    let profile = PROFILE
        .replace("address: 192.168.1.81}", "address: 192.168.1.81, role: manager}")
        .replace("address: 192.168.1.82}", "address: 192.168.1.82, role: manager}");
    Nodes::new(&format!("{profile}{SERVICES}"), SHELLS[0])
}

/// The first manager cannot know whether others have a swarm before it has reached them.
#[test]
fn the_first_manager_looks_for_the_others() {
    let nodes = managers();
    let mut master = nodes.boot("xu4-master", None);
    nodes.waits_for("xu4-master", "message=for the other managers, before making the swarm: xu4-n");
    nodes.put("xu4-node1/up", "");
    nodes
        .waits_for("xu4-master", "xu4-node1 (192.168.1.81): it is not in a swarm yet; xu4-node2 (");
    assert_eq!(nodes.count("swarm init"), 0);
    nodes.put("xu4-node2/up", "");
    assert_eq!(finish(&mut master, "xu4-master"), Some(0));
    assert_eq!(nodes.count("swarm init"), 1);
}

/// If they do not come, it still makes the swarm.
#[test]
fn the_first_manager_does_not_look_for_ever() {
    let nodes = managers();
    let conf = nodes.text("xu4-master/etc/swarm.conf").replace("PATIENCE=120", "PATIENCE=1");
    nodes.put("xu4-master/etc/swarm.conf", &conf);
    assert!(nodes.run("xu4-master", None));
    assert_eq!(nodes.count("swarm init"), 1);
}

/// That a swarm cannot let anybody in now does not mean that there is none.
#[test]
fn a_swarm_without_a_leader_is_waited_for() {
    for trouble in ["docker/no-leader", "docker/state"] {
        let nodes = managers();
        for node in ["xu4-node1", "xu4-node2"] {
            nodes.put(&format!("{node}/up"), "");
            nodes.put(&format!("{node}/docker/state"), "active\n");
            nodes.put(&format!("{node}/docker/role"), "manager\n");
            nodes.put(&format!("{node}/docker/swarm/certificates/swarm-root-ca.crt"), "old\n");
            nodes.put(&format!("{node}/{trouble}"), "pending\n");
        }
        let conf = nodes.text("xu4-master/etc/swarm.conf").replace("PATIENCE=120", "PATIENCE=0");
        nodes.put("xu4-master/etc/swarm.conf", &conf);
        let mut master = nodes.boot("xu4-master", None);
        nodes.waits_for("xu4-master", "message=the cluster has a swarm, which cannot accept this");
        for node in ["xu4-node1", "xu4-node2"] {
            fs::remove_file(nodes.path(&format!("{node}/docker/no-leader"))).ok();
            nodes.put(&format!("{node}/docker/state"), "active\n");
        }
        assert_eq!(finish(&mut master, "xu4-master"), Some(0));
        assert_eq!((nodes.count("swarm init"), nodes.count("xu4-master join at")), (0, 1));
    }
}

/// A docker that is not up yet may be in a swarm.
#[test]
fn a_manager_whose_docker_is_not_up_counts_as_not_there() {
    let nodes = managers();
    for node in ["xu4-node1", "xu4-node2"] {
        nodes.put(&format!("{node}/up"), "");
        nodes.put(&format!("{node}/docker/state"), "");
    }
    let mut master = nodes.boot("xu4-master", None);
    nodes.waits_for("xu4-master", "before making the swarm: xu4-node1 (192.168.1.81): its docker");
    power_off(&mut master);
    assert_eq!(nodes.count("swarm init"), 0);
}

/// The role that somebody gave a node later is the one that is reported.
#[test]
fn a_worker_that_was_promoted_says_so() {
    let nodes = cluster(SHELLS[0]);
    for node in &nodes.names {
        assert!(nodes.run(node, None));
    }
    nodes.put("xu4-node1/docker/role", "manager\n");
    assert!(nodes.run("xu4-node1", None));
    assert!(nodes.status("xu4-node1").contains("in the swarm as a manager"));
    // Now it can be asked too, but not by a worker's key for a manager's token.
    let lines = nodes.text("xu4-node1/authorized_keys");
    assert_eq!(lines.matches("swarm-token worker\"").count(), 1);
}

/// Three managers; the one that made the swarm gets a new card, and finds the others.
#[test]
fn a_new_card_for_the_first_manager_joins_the_old_swarm() {
    let nodes = managers();
    for node in ["xu4-node1", "xu4-node2"] {
        nodes.put(&format!("{node}/up"), "");
    }
    for node in &nodes.names {
        assert!(nodes.run(node, None));
    }
    assert_whole(&nodes);
    for node in ["xu4-node1", "xu4-node2"] {
        assert_eq!(nodes.text(&format!("{node}/docker/role")), "manager\n");
        assert!(nodes.status(node).contains("in the swarm as a manager"));
    }
    fs::remove_dir_all(nodes.path("xu4-master/docker/swarm")).unwrap();
    fs::remove_dir_all(nodes.path("xu4-master/state")).unwrap();
    nodes.put("xu4-master/docker/state", "inactive\n");
    assert!(nodes.run("xu4-master", None));
    assert_eq!(nodes.state("xu4-master"), "ready");
    assert_eq!(nodes.count("swarm init"), 1);
    assert_eq!(nodes.count("xu4-master join at 192.168.1.81:2377"), 1);
    assert_eq!(nodes.count("service create"), 2);
}
