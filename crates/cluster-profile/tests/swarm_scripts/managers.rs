//! Several managers, and a new card for the first.

use std::fs;

use crate::nodes::*;

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
