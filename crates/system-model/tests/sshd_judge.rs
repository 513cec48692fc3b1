//! Drawn configurations of sshd, compared option by option with `sshd -T`.

mod common;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    process::Command,
};

use common::{Draw, cases, copy_host_files, program, run};
use system_model::{
    MemoryFiles, Systemd,
    accounts::Accounts,
    sshd::{Login, SshdCommand, SshdConfig, assemble_algorithms},
};

fn spelled(draw: &mut Draw, keyword: &str) -> String {
    match draw.number(4) {
        0 => keyword.to_ascii_lowercase(),
        1 => keyword.to_ascii_uppercase(),
        _ => keyword.to_owned(),
    }
}

fn separator(draw: &mut Draw) -> &'static str {
    draw.of(&[" ", " ", "\t", "=", " = ", "  "])
}

fn setting(draw: &mut Draw, in_match: bool) -> String {
    let yes_no = draw.of(&["yes", "no", "YES", "\"no\""]).to_owned();
    let users = |draw: &mut Draw| {
        draw.of(&[
            "root",
            "root daemon",
            "r*",
            "\"root\" 'daemon'",
            "*@192.168.1.0/24",
            "root@10.* b?n",
            "nobody # comment",
            "!root",
            "daemon@192.168.1.?",
            "root@192.168.1.0/24,!192.168.1.5",
        ])
        .to_owned()
    };
    let (keyword, value) = match draw.number(if in_match { 12 } else { 19 }) {
        0 => (
            "PermitRootLogin",
            draw.of(&[
                "yes",
                "no",
                "prohibit-password",
                "without-password",
                "forced-commands-only",
                "No",
            ])
            .into(),
        ),
        1 => ("PubkeyAuthentication", yes_no),
        2 => ("PasswordAuthentication", yes_no),
        3 => ("AllowUsers", users(draw)),
        4 => ("DenyUsers", users(draw)),
        5 => ("AllowGroups", draw.of(&["root", "adm sudo", "d*", "\"users\""]).into()),
        6 => ("DenyGroups", draw.of(&["root", "adm sudo", "d*"]).into()),
        7 => (
            "AuthenticationMethods",
            draw.of(&[
                "any",
                "publickey",
                "publickey,password password",
                "\"publickey\" keyboard-interactive",
            ])
            .into(),
        ),
        8 => (
            "AuthorizedKeysFile",
            draw.of(&[
                ".ssh/authorized_keys",
                "none",
                "/etc/ssh/keys/%u .ssh/authorized_keys2",
                "\"%h/my keys\"",
                "/a\\ b",
            ])
            .into(),
        ),
        9 => ("PubkeyAcceptedAlgorithms", algorithms(draw)),
        10 => ("PubkeyAcceptedKeyTypes", algorithms(draw)),
        11 => ("ChrootDirectory", draw.of(&["none", "/srv", "%h"]).into()),
        12 => ("UsePAM", yes_no),
        13 => ("StrictModes", yes_no),
        14 => ("HostKeyAlgorithms", algorithms(draw)),
        15 => ("Port", draw.of(&["22", "2222", "\"443\""]).into()),
        16 => (
            "ListenAddress",
            draw.of(&[
                "192.168.1.80",
                "0.0.0.0",
                "10.0.0.1:2022",
                "::",
                "[::1]:33",
                "192.168.1.80:22",
            ])
            .into(),
        ),
        17 => ("UseDNS", "no".to_owned()),
        _ => ("HostKey", draw.of(&["/etc/ssh/none_a", "/etc/ssh/none_b"]).into()),
    };
    let indent = draw.of(&["", "", "  ", "\t"]);
    let end = draw.of(&["", "", "", " ", "\r", " # why"]);
    format!("{indent}{}{}{value}{end}\n", spelled(draw, keyword), separator(draw))
}

fn algorithms(draw: &mut Draw) -> String {
    draw.of(&[
        "ssh-ed25519",
        "+ssh-rsa",
        "-ssh-ed25519",
        "^ssh-rsa,rsa-sha2-256",
        "rsa-sha2-512,rsa-sha2-256",
        "-*ed25519*",
        "ssh-*",
        "+ssh-*,ecdsa*",
    ])
    .to_owned()
}

fn condition(draw: &mut Draw) -> String {
    let mut words = Vec::new();
    if draw.one_in(8) {
        return format!("{}\n", draw.of(&["Match all", "match ALL # everyone", "Match all"]));
    }
    for _ in 0..=draw.number(2) {
        words.push(draw.of(&[
            "User root",
            "User r*,!root",
            "user daemon,root",
            "User nobody",
            "User \"root\"",
            "User *,!daemon",
            "Group root",
            "Group adm,sudo",
            "Group *,!root",
            "group daemon",
            "Group nogroup,users",
            "Address 192.168.1.0/24",
            "Address 10.0.0.0/8,192.168.1.*",
            "Address !192.168.1.5,192.168.1.0/24",
            "Address *,!10.0.0.0/8",
            "Host 192.168.*",
            "Host n1,*.lan",
            "Host *,!n1",
            "LocalPort 22",
            "LocalPort 2222",
            "LocalAddress 192.168.1.80",
            "LocalAddress 10.0.0.0/8",
            "User=root",
            "address=192.168.1.0/24",
        ]));
    }
    format!("{} {}\n", draw.of(&["Match", "match", "MATCH"]), words.join(" "))
}

fn wrong(draw: &mut Draw) -> &'static str {
    draw.of(&[
        "PermitRootLogin perhaps\n",
        "NoSuchKeyword yes\n",
        "Port\n",
        "Port 99999\n",
        "UsePAM yes no\n",
        "Match\n",
        "Match User\n",
        "Match Colour red\n",
        "Match all User root\n",
        "AllowUsers \"root\n",
        "AuthenticationMethods any publickey\n",
        "Match LocalPort x\n",
        "Match Address 192.168.1.1/24\n",
        "Match User root\nPort 22\n",
        "Include\n",
        "Match User root\nUsePAM no\n",
        "AddressFamily inet5\n",
        "AuthenticationMethods key\n",
        "AllowUsers \"\"\n",
        "HostKey a b\n",
    ])
}

fn body(draw: &mut Draw, directory: &Path, depth: usize, broken: &mut bool) -> String {
    let mut text = String::new();
    let mut in_match = false;
    for _ in 0..draw.number(9) {
        match draw.number(12) {
            0 => text.push_str("# comment\n\n"),
            1 | 2 => {
                text.push_str(&condition(draw));
                in_match = true;
            }
            3 | 4 if depth < 2 => {
                let name = draw.of(&[
                    "a.conf",
                    "b.conf",
                    "*.conf",
                    "[ab].conf",
                    "none*",
                    "c.conf a.conf",
                    ".*",
                ]);
                let whole =
                    name.split(' ').map(|name| format!("{}/{depth}/{name}", directory.display()));
                text.push_str(&format!("Include {}\n", whole.collect::<Vec<_>>().join(" ")));
            }
            _ => text.push_str(&setting(draw, in_match || depth > 0)),
        }
        if draw.one_in(60) {
            *broken = true;
            text.push_str(wrong(draw));
            in_match = true;
        }
    }
    text
}

/// Options as both sides name them. Lists are compared in order, algorithms as sets.
type Options = BTreeMap<String, Vec<String>>;

const COMPARED: [&str; 16] = [
    "port",
    "usepam",
    "permitrootlogin",
    "pubkeyauthentication",
    "passwordauthentication",
    "strictmodes",
    "authorizedkeysfile",
    "authenticationmethods",
    "allowusers",
    "denyusers",
    "allowgroups",
    "denygroups",
    "hostkeyalgorithms",
    "pubkeyacceptedalgorithms",
    "chrootdirectory",
    "hostkey",
];

fn of_sshd(output: &str, host_key: &str) -> Options {
    let mut options = Options::new();
    for line in output.lines() {
        let (key, value) = line.split_once(' ').unwrap_or((line, ""));
        if COMPARED.contains(&key) && value != host_key {
            options.entry(key.into()).or_default().push(value.into());
        }
        if key == "listenaddress" {
            options.entry(key.into()).or_default().push(value.into());
        }
    }
    for key in ["hostkeyalgorithms", "pubkeyacceptedalgorithms"] {
        let names = options.get(key).map(|v| v.join(",")).unwrap_or_default();
        let names: BTreeSet<String> = names.split(',').map(str::to_owned).collect();
        options.insert(key.into(), names.into_iter().collect());
    }
    options.entry("listenaddress".into()).or_default().sort();
    options
}

fn of_model(config: &SshdConfig) -> Options {
    let mut options = Options::new();
    let mut put = |key: &str, values: Vec<String>| {
        if !values.is_empty() {
            options.insert(key.into(), values);
        }
    };
    put("port", config.ports().iter().map(u16::to_string).collect());
    for (key, default) in [
        ("usepam", false),
        ("pubkeyauthentication", true),
        ("passwordauthentication", true),
        ("strictmodes", true),
    ] {
        put(key, vec![if config.flag(key, default).0 { "yes" } else { "no" }.into()]);
    }
    let root = config
        .word("permitrootlogin")
        .map_or("prohibit-password".into(), |(v, _)| v.to_ascii_lowercase());
    put("permitrootlogin", vec![root.replace("prohibit-password", "without-password")]);
    for key in ["allowusers", "denyusers", "allowgroups", "denygroups", "hostkey"] {
        put(key, config.words(key).map(|(word, _)| word.to_owned()).collect());
    }
    for (key, default) in [
        ("authorizedkeysfile", ".ssh/authorized_keys .ssh/authorized_keys2"),
        ("authenticationmethods", "any"),
        ("chrootdirectory", "none"),
    ] {
        let words: Vec<&str> = config.words(key).map(|(word, _)| word).collect();
        put(key, vec![if words.is_empty() { default.into() } else { words.join(" ") }]);
    }
    for key in ["hostkeyalgorithms", "pubkeyacceptedalgorithms"] {
        let names: BTreeSet<&str> =
            assemble_algorithms(config.word(key).map(|(value, _)| value)).into_iter().collect();
        put(key, names.into_iter().map(str::to_owned).collect());
    }
    let mut listen = Vec::new();
    for (address, port) in config.listen() {
        match address {
            None => listen.extend([format!("[::]:{port}"), format!("0.0.0.0:{port}")]),
            Some(v6) if v6.contains(':') => listen.push(format!("[{v6}]:{port}")),
            Some(v4) => listen.push(format!("{v4}:{port}")),
        }
    }
    listen.sort();
    put("listenaddress", listen);
    options
}

#[test]
fn drawn_configurations_read_as_sshd_reads_them() {
    let sshd = program(&["sshd"], "openssh-server");
    let keygen = program(&["ssh-keygen"], "openssh-client");
    let _ = fs::create_dir_all("/run/sshd");
    let work = tempfile::tempdir().expect("a directory");
    let host_key = work.path().join("key");
    run(Command::new(keygen).args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&host_key));
    let host_key = host_key.to_str().expect("UTF-8").to_owned();
    let (mut compared, mut refused) = (0, 0);
    for seed in 0..cases(400) {
        let mut draw = Draw::new(seed + 1);
        let directory = work.path().join(seed.to_string());
        let mut broken = false;
        let mut files = MemoryFiles::new();
        copy_host_files(&mut files, &["/etc/passwd", "/etc/group"]);
        let mut texts = Vec::new();
        for depth in (0..2).rev() {
            for name in ["a.conf", "b.conf", "c.conf", ".d.conf"] {
                let text = body(&mut draw, &directory, depth + 1, &mut broken);
                texts.push((directory.join(depth.to_string()).join(name), text));
            }
        }
        let main = directory.join("sshd_config");
        texts.push((main.clone(), body(&mut draw, &directory, 0, &mut broken)));
        for (path, text) in &texts {
            fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
            fs::write(path, text).expect("written");
            files.write(path.to_str().expect("UTF-8"), text);
        }
        let main = main.to_str().expect("UTF-8");
        let accounts = Accounts::read(&files).expect("readable");
        for user in ["root", "daemon", "nobody"] {
            let from = draw.of(&["192.168.1.5", "192.168.1.77", "10.1.2.3"]);
            let login = Login {
                user: user.into(),
                from: from.parse().expect("an address"),
                to: "192.168.1.80".parse().expect("an address"),
                port: 22,
                today: 20_000,
            };
            let ours = SshdConfig::read_file(&files, &accounts, &login, main).expect("readable");
            let output = run(Command::new(&sshd)
                .args(["-T", "-f", main, "-h", &host_key, "-C"])
                .arg(format!("user={user},host={from},addr={from},laddr=192.168.1.80,lport=22")));
            let shown = || {
                let texts =
                    texts.iter().map(|(path, text)| format!("--- {}\n{text}", path.display()));
                format!(
                    "seed {seed}, {user} from {from}\n{}\nsshd: {}\nours: {:?}",
                    texts.collect::<String>(),
                    String::from_utf8_lossy(&output.stderr),
                    ours.problems(),
                )
            };
            if !output.status.success() {
                assert!(!ours.problems().is_empty(), "sshd refuses: {}", shown());
                refused += 1;
                continue;
            }
            assert!(ours.problems().is_empty(), "sshd accepts: {}", shown());
            let output_text = String::from_utf8_lossy(&output.stdout);
            let (theirs, ours_options) = (of_sshd(&output_text, &host_key), of_model(&ours));
            for (key, value) in &theirs {
                if key == "hostkey" && value.is_empty() {
                    continue;
                }
                assert_eq!(ours_options.get(key), Some(value), "{key}: {}", shown());
            }
            for key in ours_options.keys() {
                assert!(theirs.contains_key(key), "{key} too much: {}", shown());
            }
            compared += 1;
        }
    }
    println!("{compared} effective configurations were the same, {refused} refused by both");
    assert!(compared > 200 && refused > 20, "{compared} compared, {refused} refused");
}

#[test]
fn keywords_stand_where_sshd_lets_them() {
    let sshd = program(&["sshd"], "openssh-server");
    let work = tempfile::tempdir().expect("a directory");
    let path = work.path().join("config");
    let at = path.to_str().expect("UTF-8");
    for keyword in [
        "UsePAM",
        "Port",
        "HostKey",
        "HostKeyAlgorithms",
        "StrictModes",
        "UseDNS",
        "ListenAddress",
        "Ciphers",
        "PermitRootLogin",
        "AllowUsers",
        "Banner",
        "AuthorizedKeysFile",
        "RevokedKeys",
        "PermitTTY",
        "Compression",
        "AuthenticationMethods",
        "PrintMotd",
        "TCPKeepAlive",
        "ForceCommand",
        "MaxStartups",
        "AcceptEnv",
        "CASignatureAlgorithms",
        "AuthorizedKeysFile2",
        "KbdInteractiveAuthentication",
        "LogVerbose",
        "RDomain",
        "ChallengeResponseAuthentication",
        "IgnoreRhosts",
        "X11Forwarding",
        "AddressFamily",
        "GatewayPorts",
    ] {
        let text = format!("Match User nobody\n{keyword} yes\n");
        fs::write(&path, &text).expect("written");
        let mut files = MemoryFiles::new();
        files.write(at, &text);
        let login = Login {
            user: "root".into(),
            from: [192, 168, 1, 5].into(),
            to: [192, 168, 1, 80].into(),
            port: 22,
            today: 20_000,
        };
        let ours =
            SshdConfig::read_file(&files, &Accounts::default(), &login, at).expect("readable");
        let output = run(Command::new(&sshd).args(["-t", "-f", at]));
        let refused =
            String::from_utf8_lossy(&output.stderr).contains("is not allowed within a Match");
        let not_in_match = ours
            .problems()
            .iter()
            .any(|problem| problem.kind == system_model::sshd::ConfigProblemKind::NotInMatch);
        assert_eq!(not_in_match, refused, "{keyword}");
    }
}

/// Arguments in the unit, and what sshd itself makes of them.
#[test]
fn arguments_are_read_as_sshd_reads_them() {
    let sshd = program(&["sshd"], "openssh-server");
    let keygen = program(&["ssh-keygen"], "openssh-client");
    let _ = fs::create_dir_all("/run/sshd");
    let work = tempfile::tempdir().expect("a directory");
    let host_key = work.path().join("key");
    run(Command::new(keygen).args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&host_key));
    let host_key = host_key.to_str().expect("UTF-8").to_owned();
    let (main, other) = (work.path().join("main"), work.path().join("other"));
    let texts = [
        (&main, "Port 22\nPermitRootLogin yes\nPubkeyAuthentication no\n"),
        (&other, "Port 24\nListenAddress 127.0.0.1\nAllowUsers nobody\n"),
    ];
    let mut files = MemoryFiles::new();
    for (path, text) in texts {
        fs::write(path, text).expect("written");
        files.write(path.to_str().expect("UTF-8"), text);
    }
    let (main, other) = (main.to_str().expect("UTF-8"), other.to_str().expect("UTF-8"));
    let unit = "/etc/systemd/system/ssh.service";
    files.symlink("/etc/systemd/system/multi-user.target.wants/ssh.service", unit);
    for arguments in [
        "-D",
        "-p 2222",
        "-Dp2222 -p 23",
        "-o Port=2222",
        "-oPort=2222 -p 23",
        "-o \"Port 2222\"",
        "-o PermitRootLogin=no -o PermitRootLogin=yes",
        "-o PubkeyAuthentication=yes",
        "-o \"AllowUsers root daemon\" -o DenyUsers=nobody",
        "-4",
        "-6",
        "-o ListenAddress=127.0.0.1:2200 -p 23",
        "-o ListenAddress=127.0.0.1 -p 23",
        "-Deq -o HostKeyAlgorithms=ssh-ed25519",
        &format!("-f {other}"),
        &format!("-f {other} -p 25 -o PermitRootLogin=no"),
    ] {
        let arguments = format!("{arguments} -h {host_key}");
        let has_file = arguments.contains("-f ");
        let arguments = if has_file { arguments } else { format!("-f {main} {arguments}") };
        files.write(unit, format!("[Service]\nExecStart={} {arguments}\n", sshd.display()));
        let systemd = Systemd::read_later_boots(&files).expect("readable");
        let command = SshdCommand::read(&files, &systemd).expect("readable");
        let login = Login {
            user: "root".into(),
            from: [192, 168, 1, 5].into(),
            to: [192, 168, 1, 80].into(),
            port: 22,
            today: 20_000,
        };
        let ours = SshdConfig::read_as(&files, &Accounts::default(), &login, &command);
        let ours = of_model(&ours.expect("readable"));
        let script = format!(
            "exec {} {arguments} -T -C user=root,host=x,addr=192.168.1.5,laddr=192.168.1.80,lport=22",
            sshd.display()
        );
        let output = run(Command::new("sh").args(["-c", &script]));
        assert!(
            output.status.success(),
            "{arguments}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let theirs = of_sshd(&String::from_utf8_lossy(&output.stdout), "");
        let by_family = arguments.contains("-4") || arguments.contains("-6");
        for (key, value) in theirs.iter().filter(|(key, _)| *key != "listenaddress" || !by_family) {
            assert_eq!(ours.get(key), Some(value), "{arguments}: {key}");
        }
    }
}
