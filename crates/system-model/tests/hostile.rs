//! Nothing panics or loops, whatever the files hold.

use proptest::prelude::*;
use system_model::{
    BootModel, CommandLines, MemoryFiles, Systemd, docker,
    network::Network,
    sshd::{ImageKeys, Login, SshHost, SshdConfig, admission, dropbear_admission, ssh_servers},
};

fn ask_everything(files: &MemoryFiles) {
    let systemd = Systemd::read_later_boots(files).expect("readable");
    let host = SshHost::read(files, &systemd).expect("readable");
    let accounts = &host.accounts;
    let login = Login {
        user: "pi".into(),
        from: [10, 0, 0, 1].into(),
        to: [10, 0, 0, 2].into(),
        port: 22,
        today: 20_000,
    };
    let _ = accounts.next_free_id(files).expect("readable");
    let _ = admission(&host, &login, Some("AAAA")).expect("readable");
    let _ = dropbear_admission(&host, &login, None).expect("readable");
    let config = SshdConfig::read(files, accounts, &login).expect("readable");
    let _ = ImageKeys::read(files, accounts, config.all_key_files()).expect("readable");
    let _ = ssh_servers(files, &|_| true).expect("readable");
    let systemd =
        CommandLines::read(files).and_then(|lines| Systemd::read(files, &lines, Some(true)));
    let network = Network::read(files, &systemd.expect("readable")).expect("readable");
    let _ = (network.sources("eth0"), network.fixed_addresses(), network.knows("eth0"));
    let _ = docker::data_roots(files).expect("readable");
}

const PATHS: [&str; 20] = [
    "/etc/passwd",
    "/etc/group",
    "/etc/shadow",
    "/etc/shells",
    "/etc/login.defs",
    "/etc/ssh/sshd_config",
    "/etc/ssh/sshd_config.d/a.conf",
    "/etc/default/dropbear",
    "/lib/systemd/system/dropbear.service",
    "/root/.ssh/authorized_keys",
    "/root/.ssh/id_rsa",
    "/etc/network/interfaces",
    "/etc/network/interfaces.d/a",
    "/etc/systemd/network/a.network",
    "/etc/netplan/a.yaml",
    "/etc/NetworkManager/NetworkManager.conf",
    "/etc/NetworkManager/system-connections/a",
    "/etc/dhcpcd.conf",
    "/etc/docker/daemon.json",
    "/lib/systemd/system/docker.service",
];

const WORDS: [&str; 44] = [
    "Match",
    "User",
    "Include",
    "*",
    "/etc/ssh/sshd_config",
    "auto",
    "iface",
    "eth0",
    "inet",
    "dhcp",
    "static",
    "source",
    "/etc/network/*",
    "inherits",
    "mapping",
    "/e*/",
    "=",
    "!",
    ",",
    "\\",
    "\"",
    "'",
    "[Match]",
    "Name=",
    "network:",
    "  ethernets:",
    "    eth0: {",
    "}",
    "- &a *a",
    "pi:x:1000:1000::/home/pi:/bin/sh",
    "-----BEGIN RSA PRIVATE KEY-----",
    "-----END RSA PRIVATE KEY-----",
    "MIIEpA==",
    "ssh-ed25519",
    "AAAA",
    "%h",
    "%",
    "-p",
    "ExecStart=",
    "unmanaged-devices=",
    "interface",
    "\u{e9}",
    "\0",
    ":",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_answered(contents in prop::collection::vec((0..PATHS.len(), prop::collection::vec(any::<u8>(), 0..200)), 0..12)) {
        let mut files = MemoryFiles::new();
        for (path, bytes) in contents {
            files.write(PATHS[path], bytes).own(PATHS[path], 0o600, 0, 0);
        }
        ask_everything(&files);
    }

    #[test]
    fn any_words_are_answered(contents in prop::collection::vec((0..PATHS.len(), prop::collection::vec((0..WORDS.len(), any::<bool>()), 0..40)), 0..16)) {
        let mut files = MemoryFiles::new();
        files.write("/usr/libexec/netplan/generate", "").write("/sbin/ifup", "");
        for (path, words) in contents {
            let text: String =
                words.into_iter().map(|(word, end)| format!("{}{}", WORDS[word], if end { "\n" } else { " " })).collect();
            files.write(PATHS[path], text).own(PATHS[path], 0o600, 0, 0);
        }
        ask_everything(&files);
    }
}

#[test]
fn cycles_and_bombs_end() {
    let mut files = MemoryFiles::new();
    files.write("/etc/passwd", "pi:x:1000:1000::/home/pi:/bin/sh\n".repeat(2000));
    // Every file includes every file.
    for name in 0..12 {
        let include = "Include /etc/ssh/sshd_config.d/*.conf\nMatch all\n".repeat(20);
        files.write(&format!("/etc/ssh/sshd_config.d/{name}.conf"), include);
        files.write(
            &format!("/etc/network/interfaces.d/{name}"),
            "source /etc/network/interfaces.d/*\n".repeat(50),
        );
    }
    files.write("/etc/ssh/sshd_config", "Include /etc/ssh/sshd_config.d/*.conf\n".repeat(50));
    files.write(
        "/etc/network/interfaces",
        "auto /e*\nsource interfaces.d/*\niface eth0 inherits eth0\n",
    );
    files.symlink("/home/pi", "/home/pi/x").symlink("/etc/netplan", "netplan");
    files.write("/etc/dhcpcd.conf", "interface\n".repeat(20_000));
    files.write("/root/.ssh/authorized_keys", format!("a=\"{}", ",\\\"".repeat(200_000)));
    files.write(
        "/etc/systemd/network/a.network",
        format!("[Match]\nName={}\n", "*a".repeat(20_000)),
    );
    files.write("/lib/systemd/system/docker.service", "[Service]\\\n".repeat(20_000));
    files.write("/etc/netplan/a.yaml", "[".repeat(100_000));
    ask_everything(&files);
}

/// What user-data and YAML are made of, and what is wrong with them.
const PIECES: [&str; 44] = [
    "#cloud-config\n",
    "#cloud-config-archive\n",
    "#include\nfile:///boot/firmware/user-data\n",
    "#include-once file:///etc/cloud/cloud.cfg\n",
    "## template: jinja\n",
    "#cloud-boothook\n",
    "#!/bin/sh\n",
    "MIME-Version: 1.0\n",
    "Content-Type: multipart/mixed; boundary=\"b\"\n\n",
    "Content-Type: multipart/mixed; boundary=b\n\n",
    "Content-Type: text/cloud-config\n",
    "Content-Transfer-Encoding: base64\n",
    "Content-Transfer-Encoding: quoted-printable\n",
    "\n--b\n",
    "\n--b--\n",
    " folded\n",
    "I2Nsb3VkLWNvbmZpZwo=",
    "=3D=\n=",
    "merge_how: 'dict(",
    "merge_how: [{name: list}]\n",
    "users: [",
    "users:\n- {name: a, sudo: [",
    "chpasswd: {list: ['a:b', 1]}\n",
    "write_files: [{path: ../etc/hosts, content: !!binary '?'}]\n",
    "bootcmd: [[], '', 1, {}]\n",
    "<<: *a\n",
    "<<: [*a, 1]\n",
    "a: &a {b: ",
    "a: &a [*a]\n",
    "? [a]\n: b\n",
    "a: !!int 0x\n",
    "a: -0b1_\n",
    "a: 2001-02-30\n",
    "a: 1:2:3.4\n",
    "a: |2\n",
    "\t",
    "- ",
    ": ",
    "}",
    "]",
    "'",
    "\u{85}é\u{feff}",
    "...\n",
    "---\n",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_files_of_cloud_init_can_be_asked_about(
        files in prop::collection::vec(prop::collection::vec(0..PIECES.len(), 0..12), 5)
    ) {
        const PATHS: [&str; 5] = [
            "/etc/cloud/cloud.cfg",
            "/etc/cloud/cloud.cfg.d/90.cfg",
            "/boot/firmware/user-data",
            "/boot/firmware/meta-data",
            "/boot/firmware/vendor-data",
        ];
        let mut system = MemoryFiles::new();
        system.boot_partition(1, "/boot/firmware");
        for (path, pieces) in PATHS.iter().zip(&files) {
            let text: String = pieces.iter().map(|piece| PIECES[*piece]).collect();
            system.write(path, text);
        }
        let model = BootModel::read(&system).expect("readable");
        let cloud_init = model.cloud_init().expect("there");
        let _ = (cloud_init.changes(), cloud_init.passwords(), cloud_init.unreadable());
    }
}

/// The time may grow with a file's size, but not with its square.
#[test]
fn large_files_of_network_manager_end() {
    let started = std::time::Instant::now();
    let lines = |line: &dyn Fn(usize) -> String| (0..100_000).map(line).collect::<String>();
    let list =
        |end: &str| format!("[keyfile]\nunmanaged-devices{}\n", lines(&|n| format!("{end}x{n};")));
    let mut files = MemoryFiles::new();
    let settings = "/etc/NetworkManager/conf.d";
    files.write(&format!("{settings}/a.conf"), lines(&|n| format!("[device-{n}]\nmanaged=1\n")));
    files.write(&format!("{settings}/b.conf"), list("=").replace("=x0", "=").as_str());
    files.write(&format!("{settings}/c.conf"), list("+=").replace(";+=", ";").as_str());
    files.write(&format!("{settings}/d.conf"), lines(&|n| format!("[keyfile]\nkey{n}=1\n")));
    let connections = "/etc/NetworkManager/system-connections";
    for (name, text) in [
        ("a", lines(&|n| format!("[ipv4]\naddress{n}=10.0.0.1/24\n"))),
        ("b", lines(&|n| format!("[connection]\nuuid={n}\n"))),
        ("c", lines(&|n| format!("[group{n}]\n"))),
    ] {
        let path = format!("{connections}/{name}");
        files.write(&path, format!("[connection]\ntype=ethernet\n{text}")).own(&path, 0o600, 0, 0);
    }
    for number in 0..2000 {
        let path = format!("{connections}/n{number}");
        files.write(&path, "[connection]\ntype=ethernet\n").own(&path, 0o600, 0, 0);
    }
    files
        .write("/etc/network/interfaces", lines(&|n| format!("auto i{n}\niface i{n} inet dhcp\n")));
    let plugins = "[main]\nplugins=ifupdown\n[ifupdown]\nmanaged=true\n";
    files.write("/etc/NetworkManager/NetworkManager.conf", plugins);
    ask_everything(&files);
    assert!(started.elapsed().as_secs() < 60, "{:?}", started.elapsed());
}
