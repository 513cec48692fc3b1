//! `nodecard status`, with real sshds in network namespaces.

use std::{fs, process::Output, thread::sleep, time::Duration};

use serde_json::Value;

use crate::{json::assert_valid, support::*};

/// A bench with keys for eight nodes of 10.77.0.0/24, and more lines of the profile.
fn bench(more: &str) -> Bench {
    let nodes: String = (0..8)
        .map(|number| {
            let role = if number == 0 { ", role: manager" } else { "" };
            format!("  - {{name: n{number}, address: 10.77.0.{}{role}}}\n", 80 + number)
        })
        .collect();
    let profile = format!(
        "cluster: test\nbase: {}\ncard: 64MiB\n\
         network: {{interface: eth0, prefix: 24, gateway: 10.77.0.1, dns: [10.77.0.1]}}\n\
         nodes:\n{nodes}ssh: {{users: [root, odroid]}}\n",
        sample_base().display()
    );
    let bench = Bench::with_profile(&profile);
    bench.built(&["--node", "n0", "--no-sums"]);
    fs::write(bench.path("profile.yaml"), profile + more).unwrap();
    bench
}

fn start(lan: &mut Lan, bench: &Bench, number: usize, change: impl Fn(&FakeNode)) {
    let node = FakeNode::new(bench, &format!("node{number}"), &format!("n{number}"));
    change(&node);
    let namespace = lan.connect(&format!("n{number}"), &format!("10.77.0.{}/24", 80 + number));
    lan.start(&namespace, &node);
}

#[track_caller]
fn status(lan: &Lan, bench: &Bench, code: i32, more: &[&str]) -> (Value, String) {
    let arguments = [&["status", "profile.yaml", "--json"], more].concat();
    let Output { status, stdout, stderr } = lan.nodecard(bench, &arguments).output().unwrap();
    let (out, error) =
        (String::from_utf8_lossy(&stdout).into_owned(), String::from_utf8(stderr).unwrap());
    assert_eq!(status.code(), Some(code), "{out}{error}");
    assert_valid("status", &out);
    (serde_json::from_str(&out).unwrap(), error)
}

/// Returns the codes of the problems of a node or of the whole.
fn codes(of: &Value) -> Vec<&str> {
    of["problems"].as_array().unwrap().iter().map(|one| one["code"].as_str().unwrap()).collect()
}

fn what(of: &Value) -> String {
    let problems = of["problems"].as_array().unwrap().iter();
    problems.map(|one| format!("{} ({})\n", one["what"], one["fix"])).collect()
}

#[test]
fn every_kind_of_failure_is_told_apart() {
    if !namespaces() {
        return;
    }
    let bench = bench("");
    let mut lan = Lan::new("10.77.0.2/24");
    start(&mut lan, &bench, 0, |_| ());
    // Another device has the address.
    start(&mut lan, &bench, 1, |node| {
        let key = bench.path("stranger");
        let arguments = ["-q", "-t", "ed25519", "-N", "", "-f", key.to_str().unwrap()];
        run("openssh-client", "ssh-keygen", &arguments);
        node.set_host_key(&key);
    });
    // The card of n0 with the address of n2.
    start(&mut lan, &bench, 2, |node| {
        node.set_host_key(&bench.path("profile.keys/hosts/n0/ssh_host_ed25519_key"));
    });
    // No sshd.
    lan.connect("n3", "10.77.0.83/24");
    // n4 is switched off. n5 has no user odroid.
    start(&mut lan, &bench, 5, |node| {
        let passwd = fs::read_to_string(node.path("etc/passwd")).unwrap();
        node.write("etc/passwd", &passwd.replace("odroid:x:", "somebody:x:"));
    });
    // A clone: its own host key, but host name and machine id of n0.
    start(&mut lan, &bench, 6, |node| {
        fs::copy(bench.path("node0/etc/machine-id"), node.path("etc/machine-id")).unwrap();
    });
    // The cluster's key is not accepted by anybody.
    start(&mut lan, &bench, 7, |node| {
        node.write("keys-root", "");
        node.write("keys-odroid", "");
    });
    let (report, _) = status(&lan, &bench, 1, &[]);
    let node = |number: usize| &report["nodes"][number];
    assert_eq!(report["ok"], false);
    let right = node(0);
    assert_eq!((right["ok"].as_bool(), codes(right)), (Some(true), vec![]), "{}", what(right));
    assert_eq!(right["host_key"], "expected");
    assert_eq!(right["hostname"], "n0");
    assert_eq!(
        right["logins"],
        serde_json::json!([
            {"user": "root", "ok": true}, {"user": "odroid", "ok": true}
        ])
    );
    assert!(right["uptime"].as_u64().unwrap() > 0);
    assert!(
        right["disk"]["filesystem"].as_u64().unwrap()
            > right["disk"]["available"].as_u64().unwrap()
    );

    assert_eq!(
        (codes(node(1)), node(1)["host_key"].as_str()),
        (vec!["wrong-host-key"], Some("wrong"))
    );
    let stranger =
        run("openssh-client", "ssh-keygen", &["-lf", bench.path("stranger.pub").to_str().unwrap()]);
    assert!(what(node(1)).contains(stranger.split(' ').nth(1).unwrap()), "{}", what(node(1)));
    assert!(what(node(1)).contains("another device has this address"));
    assert_eq!(codes(node(2)), ["wrong-host-key"]);
    assert!(what(node(2)).contains("n0 answers at 10.77.0.82"), "{}", what(node(2)));
    assert_eq!((codes(node(3)), node(3)["reachable"].as_bool()), (vec!["refused"], Some(false)));
    assert_eq!(codes(node(4)), ["no-route"]);
    assert_eq!(codes(node(5)), ["login"]);
    assert!(what(node(5)).contains("odroid cannot log in"), "{}", what(node(5)));
    assert_eq!(node(5)["hostname"], "n5");
    assert_eq!(codes(node(6)), ["machine-id"]);
    assert!(what(node(6)).contains("the machine id of n0"), "{}", what(node(6)));
    assert_eq!(codes(node(7)), ["login", "login"]);
    assert_eq!(node(7)["host_key"], "expected");

    // As people see it.
    let output = lan.nodecard(&bench, &["status", "profile.yaml"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    for part in [
        "  n0    10.77.0.80  ok ",
        "not this node",
        "unreachable",
        "error: n3: 10.77.0.83 refuses ssh connections\n  fix: ",
        "8 nodes: 1 as expected, 7 with problems",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

/// Nothing of the user's own ssh settings may decide: a stale line of known_hosts would make a
/// new card look like an attack.
#[test]
fn the_own_settings_of_ssh_do_not_matter_and_the_exported_ones_work() {
    if !namespaces() {
        return;
    }
    let bench = bench("");
    let mut lan = Lan::new("10.77.0.2/24");
    start(&mut lan, &bench, 0, |_| ());
    fs::create_dir_all(bench.path("home/.ssh")).unwrap();
    let other = fs::read_to_string(bench.path("profile.keys/id_ed25519.pub")).unwrap();
    fs::write(bench.path("home/.ssh/known_hosts"), format!("10.77.0.80,n0 {other}")).unwrap();
    fs::write(bench.path("home/.ssh/config"), "Host *\n  Port 2222\n").unwrap();
    let (report, _) = status(&lan, &bench, 0, &["--node", "n0"]);
    assert_eq!(report["ok"], true);

    let output = bench.nodecard(&["export", "profile.yaml", "ssh-config"]).output().unwrap();
    fs::write(bench.path("ssh.conf"), output.stdout).unwrap();
    let mut ssh = lan.nodecard(&bench, &[]);
    let netns: Vec<_> = ssh.get_args().take(3).map(ToOwned::to_owned).collect();
    ssh = std::process::Command::new("ip");
    ssh.args(netns).args(["ssh", "-F"]).arg(bench.path("ssh.conf"));
    let output = ssh.args(["-o", "BatchMode=yes", "n0", "uname -n; id -un"]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "n0\nodroid\n", "{output:?}");
}

#[test]
fn waiting_ends_when_the_nodes_are_there() {
    if !namespaces() {
        return;
    }
    let bench = bench("");
    let mut lan = Lan::new("10.77.0.2/24");
    start(&mut lan, &bench, 0, |_| ());
    let node = FakeNode::new(&bench, "node1", "n1");
    let namespace = lan.connect("n1", "10.77.0.81/24");
    let arguments = ["status", "profile.yaml", "--wait", "60s", "--node", "n0", "--node", "n1"];
    let child = lan.nodecard(&bench, &arguments).spawn().unwrap();
    sleep(Duration::from_secs(2));
    lan.start(&namespace, &node);
    let output = child.wait_with_output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{error}");
    assert_eq!(error, "waiting for n1\n");
    let quiet = ["status", "profile.yaml", "--wait", "2s", "--node", "n0", "--node", "n2", "-q"];
    let output = lan.nodecard(&bench, &quiet).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!((output.stdout.as_slice(), output.stderr.as_slice()), (&b""[..], &b""[..]));
    let verbose = ["status", "profile.yaml", "--node", "n0", "-v"];
    let output = lan.nodecard(&bench, &verbose).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.starts_with("asking 1 node: ") && error.ends_with(" s\n"), "{error}");
}

/// A docker that answers as a manager's would.
const DOCKER: &str = "#!/bin/sh
case \"$1 $2\" in
'info '*) echo 'active true' ;;
'node ls') cat /etc/members ;;
'service ls') echo 'service=httpd|2/3 (max 1 per node)'; echo 'service=dsv|1/1' ;;
*) exit 1 ;;
esac
";

#[test]
fn the_swarm_is_compared_with_the_profile() {
    if !namespaces() {
        return;
    }
    let bench = bench("swarm: {}\n");
    let mut lan = Lan::new("10.77.0.2/24");
    let ready = "state=ready\nmessage=in the swarm\nrole=worker\nimages=none\nservices=none\n";
    start(&mut lan, &bench, 0, |node| {
        node.write("swarm/status", ready);
        // A docker that only root may ask, as on a real node.
        node.program("docker", &DOCKER.replace("case", "[ \"$(id -u)\" = 0 ] || exit 1\ncase"));
        node.program("sudo", "#!/bin/sh\n[ \"$(id -u)\" = 0 ] && shift && exec \"$@\"\nexit 1\n");
        node.write(
            "etc/members",
            "member=aaa|n0|Ready|Active|Leader\nmember=bbb|n1|Ready|Active|\n\
             member=old|n1|Down|Active|\nmember=ccc|n2|Down|Active|\n",
        );
    });
    start(&mut lan, &bench, 1, |node| node.write("swarm/status", ready));
    start(&mut lan, &bench, 2, |node| node.write("swarm/status", ready));
    start(&mut lan, &bench, 3, |node| {
        node.write("swarm/status", "state=waiting\nmessage=no manager accepts this node yet\n");
    });
    let nodes = ["--node", "n0", "--node", "n1", "--node", "n2", "--node", "n3"];
    let (report, _) = status(&lan, &bench, 1, &nodes);
    let node = |number: usize| &report["nodes"][number];
    assert_eq!(codes(node(0)), [""; 0], "{}", what(node(0)));
    assert_eq!(codes(node(1)), ["dead-twin"]);
    assert!(what(node(1)).contains("on n0: docker node rm old"), "{}", what(node(1)));
    assert_eq!(codes(node(2)), ["swarm-down"]);
    assert_eq!(codes(node(3)), ["swarm-state", "swarm-missing"]);
    assert!(what(node(3)).contains("no manager accepts this node yet"), "{}", what(node(3)));
    assert_eq!(codes(&report), ["replicas"]);
    assert!(what(&report).contains("httpd has 2 of 3"), "{}", what(&report));
    assert_eq!(report["swarm"]["members"].as_array().unwrap().len(), 4);

    // Where no manager answers, that is said once.
    let (report, _) = status(&lan, &bench, 1, &["--node", "n0", "--node", "n1"]);
    assert_eq!(codes(&report), ["replicas"]);
    let (report, _) = status(&lan, &bench, 0, &["--node", "n1"]);
    assert_eq!(codes(&report), [""; 0], "{}", what(&report));
}
