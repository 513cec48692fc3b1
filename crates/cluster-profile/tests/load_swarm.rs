//! What a profile may say of a swarm, and what is told of one that may not.

mod common;

use std::{fs, path::Path, process::Command, time::Duration};

use cluster_profile::{Cluster, Mount, MountKind, Protocol, Publish, ServiceMode, Swarm};
use common::archive;

const NODES: &str = "\
cluster: mc1
base: base.img
card: 8GB
network: {interface: eth0, prefix: 24, gateway: 192.168.1.1}
nodes:
  - {name: xu4-master, address: 192.168.1.80, role: manager}
  - {name: xu4-node1, address: 192.168.1.81}
";

fn parse(swarm: &str) -> Result<Swarm, String> {
    let text = format!("{NODES}{swarm}");
    let cluster = Cluster::parse(&text, Path::new("mc1.yaml")).map_err(|e| e.to_string())?;
    Ok(cluster.swarm.expect("a swarm"))
}

fn good(swarm: &str) -> Swarm {
    parse(swarm).unwrap_or_else(|error| panic!("{error}"))
}

fn told(swarm: &str) -> String {
    parse(swarm).expect_err("an error")
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
fn a_swarm_needs_no_more_than_its_name() {
    for empty in ["swarm:\n", "swarm: {}\n"] {
        assert!(good(empty).services.is_empty(), "{empty}");
    }
    let swarm = good("swarm: {wait: 90s, port: 2400, data_path: eth1, data_path_port: 5789}\n");
    assert_eq!((swarm.wait.as_secs(), swarm.port), (90, 2400));
    assert_eq!((swarm.data_path.as_deref(), swarm.data_path_port), (Some("eth1"), Some(5789)));
}

#[test]
fn roles_that_make_no_swarm_are_told() {
    let workers = NODES.replace(", role: manager", "");
    let told =
        |text: &str| Cluster::parse(text, Path::new("mc1.yaml")).expect_err("an error").to_string();
    assert_eq!(
        told(&format!("{workers}swarm: {{}}\n")),
        "mc1.yaml:8:1: no node is a manager, so nobody would make the swarm\n  \
         8 | swarm: {}\n    \
           | ^^^^^\n  \
         help: give one node the role, as in {name: xu4-master, role: manager}"
    );
    let alone: String = workers.lines().take(6).map(|line| format!("{line}\n")).collect();
    assert!(told(&format!("{alone}swarm: {{}}\n")).contains("a worker alone makes no swarm"));
}

#[test]
fn a_port_that_two_would_have_is_told() {
    assert_eq!(
        told(
            "swarm:\n  services:\n    - {name: a, image: x, publish: [\"80:80\"]}\n    \
             - {name: b, image: x, publish: [\"80:8080\"]}\n"
        ),
        "mc1.yaml:11:37: a and b both publish port 80/tcp\n  \
         11 |     - {name: b, image: x, publish: [\"80:8080\"]}\n     \
            |                                     ^^^^^^^^^\n\
         mc1.yaml:10:37: the first one\n  \
         10 |     - {name: a, image: x, publish: [\"80:80\"]}\n     \
            |                                     ^^^^^^^\n  \
         help: publish one of them on another port"
    );
    let one =
        |ports: &str| format!("swarm: {{services: [{{name: a, image: x, publish: [{ports}]}}]}}\n");
    assert!(told(&one("\"80:80\", \"80:81\"")).contains("a publishes port 80/tcp"));
    good(&one("\"53:53/tcp\", \"53:53/udp\""));
    assert!(told(&one("\"22:22\"")).contains("port 22/tcp is sshd's on every node"));
    assert!(told(&one("\"2377:1\"")).contains("port 2377/tcp is the swarm's own"));
    good(&one("\"4789:1\""));
    assert!(told(&one("{published: 7946, target: 1, protocol: udp}")).contains("the swarm's own"));
    // YAML 1.1 reads 22:22 as a number of base 60; here it stays text.
    for odd in ["80", "\"80:0\"", "\"80:80/sctp\"", "\"80-90:80\"", "\"70000:80\"", "\":80\""] {
        assert!(told(&one(odd)).contains("publishes no port"), "{odd}");
    }
}

#[test]
fn what_docker_would_not_take_is_told() {
    let service = |more: &str| format!("swarm: {{services: [{{name: a, image: x, {more}}}]}}\n");
    for (more, words) in [
        ("replicas: -1", "\"-1\" is no number of replicas"),
        ("replicas: 2, mode: global", "`replicas` of a global service"),
        ("mode: both", "\"both\" is no mode of a service"),
        ("constraints: [role==manager]", "\"role==manager\" is no constraint"),
        ("constraints: [node.role==boss]", "\"boss\" is no role"),
        ("constraints: [node.hostname==xu4-nod1]", "no node is called \"xu4-nod1\""),
        ("mounts: [{target: data}]", "\"data\" cannot be mounted"),
        ("mounts: [{source: \"/a,b\", target: /data}]", "\"/a,b\" cannot be mounted"),
        ("mounts: [{type: bind, target: /data}]", "a bind mount has no `source`"),
        ("mounts: [{type: tmpfs, source: /x, target: /data}]", "memory has no `source`"),
        ("mounts: [{source: a b, target: /data}]", "\"a b\" is no volume's name"),
        ("env: {1A: x}", "\"1A\" is no variable's name"),
        ("env: [A]", "`env` is a mapping of names to values"),
        ("image2: x", "unknown key `image2`"),
    ] {
        let told = told(&service(more));
        assert!(told.contains(words), "{more}: {told}");
    }
    for (swarm, words) in [
        ("swarm: {services: [{name: -a, image: x}]}\n", "\"-a\" is no service's name"),
        ("swarm: {services: [{name: a, image: \"x y\"}]}\n", "\"x y\" is no image's name"),
        ("swarm: {services: [{name: a, image: Web}]}\n", "capital letters"),
        ("swarm: {services: [{name: a}]}\n", "a service has no `image`"),
        (
            "swarm: {services: [{name: a, image: x}, {name: a, image: y}]}\n",
            "two services are called a",
        ),
        ("swarm: {wait: soon}\n", "\"soon\" is no time to wait"),
        ("swarm: {wait: 10}\n", "\"10\" is no time to wait"),
        ("swarm: {port: 0}\n", "\"0\" is no port"),
        ("swarm: {data_path_port: 80}\n", "80 cannot be the data path's port"),
        ("swarm: {data_path_port: 50000}\n", "50000 cannot be the data path's port"),
        ("swarm: {data_path_port: 7946}\n", "7946 cannot be the data path's port"),
        ("swarm: {port: 7946}\n", "port 7946 cannot be the managers'"),
        (
            "swarm: {data_path_port: 5000, services: [{name: a, image: x, publish: [\"5000:1/udp\"]}]}\n",
            "port 5000/udp is the swarm's own",
        ),
        ("swarm: {data_path: 10.0.0.1}\n", "cannot be every node's data path"),
        ("swarm: {data_path: \"a b\"}\n", "cannot be every node's data path"),
        ("swarm: {managers: [a]}\n", "unknown key `managers`"),
        ("swarm: [1]\n", "`swarm` is a mapping of keys to values, not a list"),
    ] {
        let told = told(swarm);
        assert!(told.contains(words), "{swarm}: {told}");
    }
}

#[test]
fn archives_are_looked_into() {
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
    let profile = at("mc1.yaml");
    let parse = |images: &str| {
        let text = format!("{NODES}swarm: {{images: [{images}]}}\n");
        Cluster::parse(&text, &profile).map(|cluster| cluster.swarm.unwrap().images)
    };
    for name in ["httpd.tar", "zipped.tgz"] {
        let [archive] = &*parse(name).unwrap_or_else(|error| panic!("{error}")) else { panic!() };
        assert_eq!(archive.size, fs::metadata(at(name)).unwrap().len());
        assert_eq!(archive.images[0].names, ["httpd:latest"]);
        assert_eq!(archive.images[0].architecture, "arm");
        let sum = Command::new("sha256sum").arg(at(name)).output().unwrap();
        let ours: String = archive.sha256.iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(sum.stdout.starts_with(ours.as_bytes()));
    }
    for (images, words) in [
        ("gone.tar", "No such file"),
        ("directory.tar", "is no regular file"),
        ("plain.tar", "holds no manifest.json of images"),
        ("unnamed.tar", "holds an image without a name"),
        ("lacking.tar", "it lacks gone.json"),
        ("broken.tar", "its manifest.json cannot be read"),
        ("text.tar", "neither a tar archive nor one compressed by gzip"),
        ("empty.tar", "neither a tar archive nor one compressed by gzip"),
        ("cut.tar", "cannot be read as a tar archive"),
        ("httpd.tar, ./httpd.tar", "two archives are called httpd.tar"),
        ("httpd.tar, same.tar", "two archives hold the image docker.io/library/httpd:latest"),
        ("\"a b.tar\"", "cannot be the archive's name on a card"),
    ] {
        let told = parse(images).expect_err(images).to_string();
        assert!(told.contains(words), "{images}: {told}");
        assert!(told.contains("help: "), "{told}");
    }
}
