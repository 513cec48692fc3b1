//! Nodes for tests that need root: each has a network namespace with a real sshd, its own host
//! name and its own /etc, and is on one network with the others.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread::sleep,
    time::{Duration, Instant},
};

use super::*;

/// Returns whether network namespaces are available.
pub fn namespaces() -> bool {
    let tried = Command::new("unshare").args(["-n", "-m", "-u", "true"]).output();
    let available = tried.is_ok_and(|output| output.status.success());
    test_support::judged_if(available, "it needs root and network namespaces")
}

/// A network with an owner's computer, in a namespace of its own, and nodes.
pub struct Lan {
    name: String,
    nodes: Vec<(String, Child)>,
}

impl Lan {
    /// Makes a network in which the owner's computer has this address, with a prefix.
    pub fn new(own: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let lan = Lan { name: format!("nc{}-{number}", std::process::id()), nodes: Vec::new() };
        lan.ip(&["netns", "add", &lan.name]);
        let inside = |arguments: &[&str]| lan.ip(&[&["-n", &lan.name], arguments].concat());
        inside(&["link", "add", "br0", "type", "bridge"]);
        inside(&["link", "set", "lo", "up"]);
        inside(&["link", "set", "br0", "up"]);
        inside(&["addr", "add", own, "dev", "br0"]);
        lan
    }

    fn ip(&self, arguments: &[&str]) {
        run("iproute2", "ip", arguments);
    }

    /// Connects a host with this address and prefix, and returns the name of its namespace.
    pub fn connect(&self, host: &str, address: &str) -> String {
        let name = format!("{}-{host}", self.name);
        self.ip(&["netns", "add", &name]);
        let port = format!("p{}", address.rsplit('.').next().unwrap().replace('/', "x"));
        let peer = ["peer", "name", "eth0", "netns", &name];
        self.ip(&[&["-n", &self.name, "link", "add", &port, "type", "veth"], &peer[..]].concat());
        self.ip(&["-n", &self.name, "link", "set", &port, "master", "br0", "up"]);
        self.ip(&["-n", &name, "link", "set", "lo", "up"]);
        self.ip(&["-n", &name, "link", "set", "eth0", "up"]);
        self.ip(&["-n", &name, "addr", "add", address, "dev", "eth0"]);
        name
    }

    /// Starts a node's sshd in a namespace, and waits until it listens.
    pub fn start(&mut self, namespace: &str, node: &FakeNode) {
        let script = format!(
            "set -e; mount --bind {etc} /etc; mount -t tmpfs none /run; mkdir /run/sshd\n\
             mount -t tmpfs none /var/lib; mkdir -p /var/lib/nodecard/swarm\n\
             mount --bind {swarm} /var/lib/nodecard/swarm; mount --bind {bin} /usr/local/bin\n\
             hostname {name}; exec /usr/sbin/sshd -D -e -f {directory}/sshd_config",
            etc = node.path("etc").display(),
            swarm = node.path("swarm").display(),
            bin = node.path("bin").display(),
            name = node.hostname,
            directory = node.directory.display(),
        );
        let log = fs::File::create(node.path("log")).unwrap();
        let child = Command::new("ip")
            .args(["netns", "exec", namespace, "unshare", "-m", "-u", "sh", "-c", &script])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        self.nodes.push((namespace.to_owned(), child));
        let until = Instant::now() + Duration::from_secs(20);
        while !fs::read_to_string(node.path("log")).unwrap().contains("Server listening") {
            let log = || fs::read_to_string(node.path("log")).unwrap();
            assert!(Instant::now() < until, "sshd did not start: {}", log());
            sleep(Duration::from_millis(50));
        }
    }

    /// Returns the command `nodecard` as the owner's computer runs it.
    pub fn nodecard(&self, bench: &Bench, arguments: &[&str]) -> Command {
        let inner = bench.nodecard(arguments);
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name]).arg(inner.get_program());
        command.args(inner.get_args()).current_dir(inner.get_current_dir().unwrap());
        command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}

impl Drop for Lan {
    fn drop(&mut self) {
        for (_, child) in &mut self.nodes {
            let _ = child.kill();
            let _ = child.wait();
        }
        let all = Command::new("ip").args(["netns", "list"]).output().unwrap();
        for line in String::from_utf8_lossy(&all.stdout).lines() {
            let name = line.split(' ').next().unwrap_or_default();
            if name == self.name || name.starts_with(&format!("{}-", self.name)) {
                let _ = Command::new("ip").args(["netns", "del", name]).status();
            }
        }
    }
}

/// What a node's sshd serves.
pub struct FakeNode {
    directory: PathBuf,
    pub hostname: String,
}

impl FakeNode {
    /// Makes a node as its card would be: the host key, the machine id and the users of the
    /// cluster's keys. `identity` is the name of the node whose card it is.
    pub fn new(bench: &Bench, directory: &str, identity: &str) -> Self {
        let node = FakeNode { directory: bench.path(directory), hostname: identity.to_owned() };
        for name in ["bin", "swarm"] {
            fs::create_dir_all(node.path(name)).unwrap();
        }
        run("coreutils", "cp", &["-a", "/etc", node.path("etc").to_str().unwrap()]);
        let host_key = bench.path(&format!("profile.keys/hosts/{identity}/ssh_host_ed25519_key"));
        node.set_host_key(&host_key);
        let json = bench.nodecard(&["export", "profile.yaml", "json"]).output().unwrap();
        let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
        let nodes = json["nodes"].as_array().unwrap();
        let own = nodes.iter().find(|node| node["name"] == identity).unwrap();
        node.write("etc/machine-id", &format!("{}\n", own["machine_id"].as_str().unwrap()));
        let passwd = fs::read_to_string(node.path("etc/passwd")).unwrap();
        node.write("etc/passwd", &(passwd + "odroid:x:4242:4242::/tmp:/bin/sh\n"));
        let shadow = fs::read_to_string(node.path("etc/shadow")).unwrap();
        node.write("etc/shadow", &(shadow + "odroid:*:19000:0:99999:7:::\n"));
        let key = json["cluster_key"]["public"].as_str().unwrap();
        for user in ["root", "odroid"] {
            node.write(&format!("keys-{user}"), &format!("{key}\n"));
        }
        let config = "Port 22\nHostKey {}/host_key\nAuthorizedKeysFile {}/keys-%u\nStrictModes no\n\
                      UsePAM no\nPidFile none\nPasswordAuthentication no\n\
                      KbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\n";
        node.write("sshd_config", &config.replace("{}", node.directory.to_str().unwrap()));
        // sshd reads the users' keys as these users.
        run("coreutils", "chmod", &["a+rx", bench.path("").to_str().unwrap()]);
        node
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// Writes a program that the node has in /usr/local/bin.
    pub fn program(&self, name: &str, script: &str) {
        self.write(&format!("bin/{name}"), script);
        run("coreutils", "chmod", &["755", self.path("bin").join(name).to_str().unwrap()]);
    }

    pub fn set_host_key(&self, file: &Path) {
        fs::copy(file, self.path("host_key")).unwrap();
        run("coreutils", "chmod", &["600", self.path("host_key").to_str().unwrap()]);
    }
}
