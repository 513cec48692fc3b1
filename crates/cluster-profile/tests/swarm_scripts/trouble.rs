//! Clocks, strangers and failures.

use std::fs;

use cluster_profile::{Role, SwarmState, SwarmStatus, SwarmStep};

use crate::nodes::*;

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
