//! Valid swarms in profiles, and the problems that are reported in invalid ones.

mod common;

use std::{fs, process::Command, time::Duration};

use cluster_profile::{
    Cluster, Diagnostics, Mount, MountKind, Protocol, Publish, ServiceMode, Swarm,
};
use common::{
    archive,
    profiles::{parse, profile},
};

fn nodes() -> String {
    profile(&[
        "{name: xu4-master, address: 192.168.1.80, role: manager}",
        "{name: xu4-node1, address: 192.168.1.81}",
    ])
}

fn good(swarm: &str) -> Swarm {
    match parse(&(nodes() + swarm)) {
        Ok(cluster) => cluster.swarm.expect("a swarm"),
        Err(problems) => panic!("{problems}"),
    }
}

fn problems(swarm: &str) -> Diagnostics {
    parse(&(nodes() + swarm)).expect_err(swarm)
}

#[test]
fn the_articles_services_are_read() {
    let swarm = good(
        "swarm:\n  services:\n    - name: dsv\n      image: alexellis2/visualizer-arm\n      \
         publish: [\"8080:8080/tcp\"]\n      constraints: [node.role == manager]\n      \
         mounts: [{source: /var/run/docker.sock, target: /var/run/docker.sock}]\n    \
         - {name: httpd, image: mdreambot/arm32-busybox-httpd, replicas: 3, publish: [\"80:80\"]}\n",
    );
    assert_eq!((swarm.port, swarm.wait), (2377, Duration::from_secs(600)));
    let [dsv, httpd] = swarm.services.as_slice() else { panic!("{swarm:?}") };
    assert_eq!(dsv.mode, ServiceMode::Replicated(1));
    assert_eq!(dsv.constraints, ["node.role==manager"]);
    let socket = "/var/run/docker.sock".to_owned();
    let mount = Mount {
        kind: MountKind::Bind,
        source: Some(socket.clone()),
        target: socket,
        read_only: false,
    };
    assert_eq!(dsv.mounts, [mount]);
    assert_eq!(httpd.mode, ServiceMode::Replicated(3));
    let port = Publish { published: 80, target: 80, protocol: Protocol::Tcp, on_host: false };
    assert_eq!(httpd.publish, [port]);
}

#[test]
fn a_swarm_needs_no_settings() {
    for empty in ["swarm:\n", "swarm: {}\n"] {
        assert!(good(empty).services.is_empty(), "{empty}");
    }
    let swarm = good("swarm: {wait: 90s, port: 2400, data_path: eth1, data_path_port: 5789}\n");
    assert_eq!((swarm.wait.as_secs(), swarm.port), (90, 2400));
    assert_eq!((swarm.data_path.as_deref(), swarm.data_path_port), (Some("eth1"), Some(5789)));
}

#[test]
fn a_swarm_without_a_manager_is_reported() {
    let workers = nodes().replace(", role: manager", "");
    assert_eq!(
        parse(&format!("{workers}swarm: {{}}\n")).unwrap_err().to_string(),
        "error: a swarm needs a manager, but all nodes are workers\n \
         --> mc1.yaml:8:1\n  \
           |\n\
         8 | swarm: {}\n  \
           | ^^^^^\n  \
           |\n  \
           = help: make a node a manager: {name: xu4-master, role: manager}"
    );
    let alone: String = workers.lines().take(6).map(|line| format!("{line}\n")).collect();
    let alone = parse(&format!("{alone}swarm: {{}}\n")).unwrap_err().to_string();
    assert!(alone.contains("a swarm needs a manager"), "{alone}");
}

#[test]
fn a_port_that_is_published_twice_is_reported_with_both_places() {
    assert_eq!(
        problems(
            "swarm:\n  services:\n    - {name: a, image: x, publish: [\"80:80\"]}\n    \
             - {name: b, image: x, publish: [\"80:8080\"]}\n"
        )
        .to_string(),
        "error: a and b both publish port 80/tcp\n  \
         --> mc1.yaml:11:37\n   \
            |\n\
         10 |     - {name: a, image: x, publish: [\"80:80\"]}\n   \
            |                                     ------- first used here\n\
         11 |     - {name: b, image: x, publish: [\"80:8080\"]}\n   \
            |                                     ^^^^^^^^^\n   \
            |\n   \
            = help: publish one of them on another port"
    );
    let one =
        |ports: &str| format!("swarm: {{services: [{{name: a, image: x, publish: [{ports}]}}]}}\n");
    assert!(
        problems(&one("\"80:80\", \"80:81\""))
            .to_string()
            .contains("a publishes port 80/tcp twice")
    );
    good(&one("\"53:53/tcp\", \"53:53/udp\""));
    assert!(
        problems(&one("\"22:22\""))
            .to_string()
            .contains("port 22/tcp is used by sshd on every node")
    );
    assert!(
        problems(&one("\"2377:1\""))
            .to_string()
            .contains("port 2377/tcp is used by the swarm itself")
    );
    good(&one("\"4789:1\""));
    assert!(
        problems(&one("{published: 7946, target: 1, protocol: udp}"))
            .to_string()
            .contains("the swarm itself")
    );
    // YAML 1.1 reads 22:22 as a number of base 60; here it stays text.
    for odd in ["80", "\"80:0\"", "\"80:80/sctp\"", "\"80-90:80\"", "\"70000:80\"", "\":80\""] {
        assert!(problems(&one(odd)).to_string().contains("is not a published port"), "{odd}");
    }
}

#[test]
fn settings_that_docker_rejects_are_reported() {
    let service = |more: &str| format!("swarm: {{services: [{{name: a, image: x, {more}}}]}}\n");
    for (more, words) in [
        ("replicas: -1", "\"-1\" is not a number of replicas"),
        ("replicas: 2, mode: global", "a global service cannot have `replicas`"),
        ("mode: both", "\"both\" is not a mode of a service"),
        ("constraints: [role==manager]", "\"role==manager\" is not a constraint"),
        ("constraints: [node.role==boss]", "\"boss\" is not a role"),
        ("constraints: [node.hostname==xu4-nod1]", "no node is named \"xu4-nod1\""),
        ("mounts: [{target: data}]", "\"data\" cannot be mounted"),
        ("mounts: [{source: \"/a,b\", target: /data}]", "\"/a,b\" cannot be mounted"),
        ("mounts: [{type: bind, target: /data}]", "a bind mount has no `source`"),
        (
            "mounts: [{type: tmpfs, source: /x, target: /data}]",
            "a tmpfs mount cannot have a `source`",
        ),
        ("mounts: [{source: a b, target: /data}]", "\"a b\" is not the name of a volume"),
        ("env: {1A: x}", "\"1A\" is not the name of a variable"),
        ("env: [A]", "`env` must be a mapping of names to values"),
        ("image2: x", "unknown key `image2`"),
    ] {
        let shown = problems(&service(more)).to_string();
        assert!(shown.contains(words), "{more}: {shown}");
    }
    for (swarm, words) in [
        ("swarm: {services: [{name: -a, image: x}]}\n", "\"-a\" is not the name of a service"),
        ("swarm: {services: [{name: a, image: \"x y\"}]}\n", "\"x y\" is not the name of an image"),
        ("swarm: {services: [{name: a, image: Web}]}\n", "capital letters"),
        ("swarm: {services: [{name: a}]}\n", "a service has no `image`"),
        (
            "swarm: {services: [{name: a, image: x}, {name: a, image: y}]}\n",
            "two services are named a",
        ),
        ("swarm: {wait: soon}\n", "\"soon\" is not a duration"),
        ("swarm: {wait: 10}\n", "\"10\" is not a duration"),
        ("swarm: {port: 0}\n", "\"0\" is not a port"),
        ("swarm: {data_path_port: 80}\n", "80 cannot be the port of the data path"),
        ("swarm: {data_path_port: 50000}\n", "50000 cannot be the port of the data path"),
        ("swarm: {data_path_port: 7946}\n", "7946 cannot be the port of the data path"),
        ("swarm: {port: 7946}\n", "managers cannot listen on port 7946"),
        (
            "swarm: {data_path_port: 5000, services: [{name: a, image: x, publish: [\"5000:1/udp\"]}]}\n",
            "port 5000/udp is used by the swarm itself",
        ),
        ("swarm: {data_path: 10.0.0.1}\n", "cannot be the data path of every node"),
        ("swarm: {data_path: \"a b\"}\n", "cannot be the data path of every node"),
        ("swarm: {managers: [a]}\n", "unknown key `managers`"),
        ("swarm: [1]\n", "`swarm` must be a mapping of keys to values, not a list"),
    ] {
        let shown = problems(swarm).to_string();
        assert!(shown.contains(words), "{swarm}: {shown}");
    }
}

#[test]
fn archives_are_read() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    archive::save(&at("httpd.tar"), "httpd:latest", "arm");
    archive::save(&at("same.tar"), "docker.io/library/httpd", "arm");
    let gzip = Command::new("gzip").arg("-k").arg(at("httpd.tar")).status().unwrap();
    assert!(gzip.success());
    fs::rename(at("httpd.tar.gz"), at("zipped.tgz")).unwrap();
    archive::write(&at("plain.tar"), &[("a", b"b")]);
    archive::write(
        &at("unnamed.tar"),
        &[
            ("c.json", br#"{"architecture":"arm"}"#),
            ("manifest.json", br#"[{"Config":"c.json","RepoTags":null,"Layers":[]}]"#),
        ],
    );
    archive::write(
        &at("lacking.tar"),
        &[("manifest.json", br#"[{"Config":"gone.json","RepoTags":["a:b"]}]"#)],
    );
    archive::write(&at("broken.tar"), &[("manifest.json", b"[{")]);
    fs::write(at("text.tar"), "no archive").unwrap();
    fs::write(at("empty.tar"), "").unwrap();
    fs::create_dir(at("directory.tar")).unwrap();
    let whole = fs::read(at("httpd.tar")).unwrap();
    fs::write(at("cut.tar"), &whole[..5000]).unwrap();
    let path = at("mc1.yaml");
    let load = |images: &str| {
        let text = format!("{}swarm: {{images: [{images}]}}\n", nodes());
        Cluster::parse(&text, &path).map(|cluster| cluster.swarm.unwrap().images)
    };
    for name in ["httpd.tar", "zipped.tgz"] {
        let [archive] = &*load(name).unwrap_or_else(|error| panic!("{error}")) else { panic!() };
        assert_eq!(archive.size, fs::metadata(at(name)).unwrap().len());
        assert_eq!(archive.images[0].names, ["httpd:latest"]);
        assert_eq!(archive.images[0].architecture, "arm");
        let sum = Command::new("sha256sum").arg(at(name)).output().unwrap();
        assert!(sum.stdout.starts_with(plain_text::to_hex(&archive.sha256).as_bytes()));
    }
    for (images, words) in [
        ("gone.tar", "No such file"),
        ("directory.tar", "not a regular file"),
        ("plain.tar", "has no manifest.json"),
        ("unnamed.tar", "contains an image without a name"),
        ("lacking.tar", "it lacks gone.json"),
        ("broken.tar", "its manifest.json cannot be read"),
        ("text.tar", "not a tar archive, nor one compressed by gzip"),
        ("empty.tar", "not a tar archive, nor one compressed by gzip"),
        ("cut.tar", "cannot be read as a tar archive"),
        ("httpd.tar, ./httpd.tar", "two archives are named httpd.tar"),
        ("httpd.tar, same.tar", "two archives contain the image docker.io/library/httpd:latest"),
        ("\"a b.tar\"", "cannot be the name of a file on the card"),
    ] {
        let shown = load(images).expect_err(images).to_string();
        assert!(shown.contains(words), "{images}: {shown}");
        assert!(shown.contains("help: "), "{shown}");
    }
}
