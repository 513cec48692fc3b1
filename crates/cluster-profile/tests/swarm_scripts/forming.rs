//! A swarm that forms, whatever is cut off or comes late.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    thread,
    time::{Duration, Instant},
};

use cluster_profile::{Role, SwarmState, SwarmStatus, SwarmStep};

use crate::{common::PROFILE, nodes::*};

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
