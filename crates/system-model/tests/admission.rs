//! What keeps users out, item by item, and what would let them in.

use std::{collections::BTreeSet, process::Command};

use system_model::{
    FileLine, MemoryFiles, Systemd,
    accounts::Accounts,
    sshd::{
        Admission, HindranceKind, ImageKeys, Login, Repair, SshHost, SshServer, admission,
        dropbear_admission, ssh_servers,
    },
};

const KEY: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIJmv0Xq0E1TY1sDPyzS0DaF9Pp4rbTMaIxFzqPAsVdoq";

fn system() -> MemoryFiles {
    let mut files = MemoryFiles::new();
    files.write(
        "/etc/passwd",
        "root:x:0:0:root:/root:/bin/bash\npi:x:1000:1000:,,,:/home/pi:/bin/bash\nsshd:x:105:65534::/run/sshd:/usr/sbin/nologin\n",
    );
    files.write("/etc/group", "root:x:0:\nsudo:x:27:pi\npi:x:1000:\n");
    files.write("/etc/shadow", "root:*:19000:0:99999:7:::\npi:*:19000:0:99999:7:::\n");
    files.write("/etc/ssh/sshd_config", "Include /etc/ssh/sshd_config.d/*.conf\nUsePAM yes\n");
    for program in ["/bin/bash", "/usr/sbin/nologin", "/usr/sbin/sshd"] {
        files.write(program, "").own(program, 0o755, 0, 0);
    }
    files.directory("/home/pi").own("/home/pi", 0o755, 1000, 1000);
    files.write("/home/pi/.ssh/authorized_keys", format!("ssh-ed25519 {KEY} owner\n"));
    files.own("/home/pi/.ssh", 0o700, 1000, 1000).own(
        "/home/pi/.ssh/authorized_keys",
        0o600,
        1000,
        1000,
    );
    files
}

fn login(user: &str) -> Login {
    Login {
        user: user.into(),
        from: [192, 168, 1, 5].into(),
        to: [192, 168, 1, 80].into(),
        port: 22,
        today: 20_500,
    }
}

fn judge(files: &MemoryFiles) -> Admission {
    let systemd = Systemd::read_later_boots(files).expect("readable");
    let host = SshHost::read(files, &systemd).expect("readable");
    admission(&host, &login("pi"), Some(KEY)).expect("readable")
}

/// The kinds that keep pi out of a system that was changed.
fn kinds(change: impl Fn(&mut MemoryFiles)) -> Vec<HindranceKind> {
    let mut files = system();
    change(&mut files);
    judge(&files).certain.into_iter().map(|hindrance| hindrance.kind).collect()
}

fn config(text: &str) -> Vec<HindranceKind> {
    kinds(|files| {
        files.write("/etc/ssh/sshd_config.d/50.conf", text);
    })
}

#[test]
fn a_usual_system_lets_in() {
    let admission = judge(&system());
    assert!(admission.is_open() && admission.uncertain.is_empty(), "{admission:?}");
    assert_eq!(
        admission.key_files,
        ["/home/pi/.ssh/authorized_keys", "/home/pi/.ssh/authorized_keys2"]
    );
}

#[test]
fn settings_keep_out() {
    use HindranceKind as H;
    for (text, expected) in [
        ("PubkeyAuthentication no\n", vec![H::PubkeyAuthenticationOff]),
        ("Match User p?\nPubkeyAuthentication no\n", vec![H::PubkeyAuthenticationOff]),
        ("Match User root\nPubkeyAuthentication no\n", vec![]),
        ("Match Address 10.0.0.0/8\nPubkeyAuthentication no\n", vec![]),
        ("Match Group sudo\nDenyUsers pi\n", vec![H::Denied("DenyUsers")]),
        ("AllowUsers root\n", vec![H::NotAllowed("AllowUsers")]),
        ("AllowUsers root\nAllowUsers pi@192.168.*\n", vec![]),
        ("AllowGroups adm\n", vec![H::NotAllowed("AllowGroups")]),
        ("DenyGroups su*\n", vec![H::Denied("DenyGroups")]),
        (
            "AuthenticationMethods publickey,password\n",
            vec![H::AuthenticationMethods("publickey,password".into())],
        ),
        ("PubkeyAcceptedKeyTypes ssh-rsa\n", vec![H::KeyAlgorithm]),
        ("HostKeyAlgorithms -ssh-ed25519\n", vec![H::HostKeyAlgorithm]),
        (
            "AuthorizedKeysFile /etc/keys/%u\n",
            vec![H::KeyFilesElsewhere(vec!["/etc/keys/pi".into()]), H::KeyMissing],
        ),
        ("AuthorizedKeysFile %h/.ssh/authorized_keys\n", vec![]),
        ("RevokedKeys /etc/ssh/revoked\n", vec![H::RevokedKeysMissing("/etc/ssh/revoked".into())]),
        ("Port 2222\n", vec![H::NotListening(22)]),
        ("ListenAddress 127.0.0.1\n", vec![H::NotListening(22)]),
        ("PermitRootLogin no\n", vec![]),
    ] {
        assert_eq!(config(text), expected, "{text}");
    }
    let mut files = system();
    files.write("/etc/ssh/sshd_config.d/50.conf", "Port 22\nAllowUsers root\n");
    let found = judge(&files).certain;
    assert_eq!(found[0].at, Some(FileLine::new("/etc/ssh/sshd_config.d/50.conf", 2)));
    assert_eq!(
        found[0].repair,
        Some(Repair::SshdSetting {
            file: "/etc/ssh/sshd_config".into(),
            keyword: "AllowUsers",
            value: "pi".into(),
            for_user: Some("pi".into())
        })
    );
    // The repair, put first, opens.
    files.write("/etc/ssh/sshd_config.d/00.conf", "Match User pi\nAllowUsers pi\n");
    assert!(judge(&files).is_open());
}

#[test]
fn accounts_keep_out() {
    use HindranceKind as H;
    let shadow = |line: &'static str| {
        kinds(|files| {
            files.write("/etc/shadow", format!("pi:{line}\n"));
        })
    };
    assert_eq!(shadow("*:19000:0:99999:7::20000:"), [H::AccountExpired(20_000)]);
    assert_eq!(shadow("*:19000:0:99999:7::30000:"), []);
    assert_eq!(shadow("$6$x:0:0:99999:7:::"), [H::PasswordExpired]);
    assert_eq!(shadow("!:19000:0:99999:7:::"), []);
    let without_pam = |field: &'static str| {
        kinds(|files| {
            files.write("/etc/ssh/sshd_config", "UsePAM no\n");
            files.write("/etc/shadow", format!("pi:{field}:0:0:99999:7:::\n"));
        })
    };
    assert_eq!(without_pam("!"), [H::Locked]);
    assert_eq!(without_pam("*"), []);
    let mut files = system();
    files.write("/etc/ssh/sshd_config", "\n").write("/etc/shadow", "pi:!$6$x:1:0:99999:7:::\n");
    let field = "*$6$x".to_owned();
    assert_eq!(
        judge(&files).certain[0].repair,
        Some(Repair::PasswordField { user: "pi".into(), field })
    );
    assert_eq!(
        kinds(|files| {
            files.write("/etc/nologin", "");
        }),
        [H::NologinFile]
    );
    let shell = |shell: &str| {
        kinds(|files| {
            files.write("/etc/passwd", format!("pi:x:1000:1000::/home/pi:{shell}\n"));
        })
    };
    assert!(matches!(shell("/usr/sbin/nologin")[..], [H::Shell(..)]));
    assert!(matches!(shell("/bin/zsh")[..], [H::Shell(..)]));
    assert!(matches!(shell("/home")[..], [H::Shell(..)]));
    assert_eq!(shell("/bin/bash"), []);
}

#[test]
fn owners_and_modes_keep_out() {
    use HindranceKind as H;
    let own = |path: &'static str, mode, uid| {
        kinds(|files| {
            files.own(path, mode, uid, uid);
        })
    };
    let wrong = |path: &str, uid| vec![H::WrongOwner { path: path.into(), uid }];
    let open = |path: &str, mode| vec![H::WritableByOthers { path: path.into(), mode }];
    assert_eq!(own("/home/pi", 0o755, 1005), wrong("/home/pi", 1005));
    assert_eq!(own("/home/pi", 0o777, 1000), open("/home/pi", 0o777));
    assert_eq!(own("/home/pi", 0o700, 0), [H::NotSearchable("/home/pi".into())]);
    assert_eq!(own("/home", 0o700, 0), [H::NotSearchable("/home".into())]);
    // sshd stops at the home.
    assert_eq!(own("/home", 0o777, 0), []);
    assert_eq!(own("/home/pi/.ssh", 0o755, 0), []);
    assert_eq!(
        own("/home/pi/.ssh/authorized_keys", 0o600, 0),
        [H::NotReadable("/home/pi/.ssh/authorized_keys".into())]
    );
    assert_eq!(
        own("/home/pi/.ssh/authorized_keys", 0o666, 1000),
        open("/home/pi/.ssh/authorized_keys", 0o666)
    );
    let mut files = system();
    files.own("/home", 0o700, 0, 0);
    let repair = Repair::Attributes { path: "/home".into(), mode: 0o711, uid: 0, gid: 0 };
    assert_eq!(judge(&files).certain[0].repair, Some(repair));
    // Debian's sshd lets a private group write.
    files = system();
    files.own("/home/pi", 0o775, 1000, 1000);
    let found = judge(&files);
    assert!(found.is_open() && found.uncertain.len() == 1, "{found:?}");
    files.write("/etc/group", "pi:x:1000:root\n");
    assert!(!judge(&files).is_open());
    // A home elsewhere, through a symlink.
    files = MemoryFiles::new();
    files.write("/data/pi/.ssh/authorized_keys", format!("ssh-ed25519 {KEY}\n"));
    let mut moved = system();
    moved.remove("/home/pi").symlink("/home/pi", "/data/pi");
    moved.write("/data/pi/.ssh/authorized_keys", format!("ssh-ed25519 {KEY}\n"));
    for path in ["/data/pi", "/data/pi/.ssh", "/data/pi/.ssh/authorized_keys"] {
        moved.own(path, 0o700, 1000, 1000);
    }
    assert!(judge(&moved).is_open(), "{:?}", judge(&moved));
    moved.remove("/data/pi");
    assert!(judge(&moved).certain.iter().any(|found| matches!(found.kind, H::HomeMissing(_))));
}

/// What keeps sshd from listening on the node's address is blamed, and another port is added only
/// where that helps.
#[test]
fn the_line_that_keeps_sshd_from_listening_is_named() {
    for (text, line, is_repaired) in [
        ("Port 22\nListenAddress 127.0.0.1\n", 2, false),
        ("Port 2222\nListenAddress 127.0.0.1\n", 2, false),
        ("Port 22\nAddressFamily inet6\n", 2, false),
        ("Port 2222\nListenAddress 192.168.1.80\n", 1, true),
        ("Port 2222\nListenAddress 192.168.1.80:2222\n", 2, false),
        ("AddressFamily inet\nPort 2222\n", 2, true),
    ] {
        let mut files = system();
        files.write("/etc/ssh/sshd_config", text);
        let found = judge(&files).certain;
        let [hindrance] = found.as_slice() else { panic!("{text}: {found:?}") };
        assert_eq!(hindrance.kind, HindranceKind::NotListening(22), "{text}");
        assert_eq!(hindrance.at.as_ref().unwrap().line, line, "{text}");
        assert_eq!(hindrance.repair.is_some(), is_repaired, "{text}");
    }
}

#[test]
fn dropbear_is_judged_by_its_own_rules() {
    let mut files = system();
    files.remove("/etc/ssh/sshd_config");
    files.write("/usr/sbin/dropbear", "").own("/usr/sbin/dropbear", 0o755, 0, 0);
    files.write(
        "/lib/systemd/system/dropbear.service",
        "[Service]\nEnvironment=DROPBEAR_PORT=22 DROPBEAR_RECEIVE_WINDOW=65536\nEnvironmentFile=-/etc/default/dropbear\n\
         ExecStart=/usr/sbin/dropbear -EF -p \"$DROPBEAR_PORT\" -W \"$DROPBEAR_RECEIVE_WINDOW\" $DROPBEAR_EXTRA_ARGS\n",
    );
    files.write("/etc/shells", "/bin/sh\n/bin/bash # usual\n");
    let kinds = |files: &MemoryFiles, user: &str| {
        let systemd = Systemd::read_later_boots(files).expect("readable");
        let host = SshHost::read(files, &systemd).expect("readable");
        let found = dropbear_admission(&host, &login(user), None).expect("readable");
        found.certain.into_iter().map(|hindrance| hindrance.kind).collect::<Vec<_>>()
    };
    assert_eq!(kinds(&files, "pi"), []);
    files.write("/etc/default/dropbear", "DROPBEAR_EXTRA_ARGS=\"-swg\"\n");
    files.directory("/root");
    assert_eq!(kinds(&files, "pi"), []);
    assert_eq!(kinds(&files, "root"), [HindranceKind::DropbearOption("-w".into())]);
    files.write("/etc/default/dropbear", "DROPBEAR_PORT=2222\n");
    assert_eq!(kinds(&files, "pi"), [HindranceKind::NotListening(22)]);
    files.write("/etc/default/dropbear", "").write("/etc/shells", "/bin/sh\n");
    assert_eq!(kinds(&files, "pi"), [HindranceKind::ShellNotListed("/bin/bash".into())]);
    let servers = ssh_servers(&files, &|unit| unit == "dropbear.service").expect("readable");
    let starts: Vec<_> = servers.iter().map(|server| (server.server, server.starts())).collect();
    assert_eq!(starts, [(SshServer::OpenSsh, false), (SshServer::Dropbear, true)]);
    files.write("/etc/ssh/sshd_not_to_be_run", "");
    let servers = ssh_servers(&files, &|_| true).expect("readable");
    assert!(!servers[0].starts());
}

#[test]
fn keys_of_the_image_are_found_as_ssh_keygen_derives_them() {
    let work = tempfile::tempdir().expect("a directory");
    let mut files = system();
    let kinds: [&[&str]; 8] = [
        &["-t", "ed25519"],
        &["-t", "rsa", "-b", "2048"],
        &["-t", "ecdsa"],
        &["-t", "rsa", "-b", "2048", "-m", "PEM"],
        &["-t", "rsa", "-b", "2048", "-m", "PKCS8"],
        &["-t", "ecdsa", "-b", "384", "-m", "PEM"],
        &["-t", "ecdsa", "-b", "521", "-m", "PKCS8"],
        &["-t", "ed25519", "-N", "secret"],
    ];
    let mut publics = Vec::new();
    for (number, kind) in kinds.iter().enumerate() {
        let path = work.path().join(number.to_string());
        let mut command = Command::new("ssh-keygen");
        command.args(["-q", "-f"]).arg(&path).args(*kind);
        if !kind.contains(&"-N") {
            command.args(["-N", ""]);
        }
        let status = command
            .status()
            .expect("ssh-keygen is missing: install Debian's package openssh-client");
        assert!(status.success(), "{kind:?}");
        let public = std::fs::read_to_string(path.with_extension("pub")).expect("readable");
        publics.push(public.split(' ').nth(1).expect("a key").to_owned());
        files
            .write(&format!("/home/old/.ssh/key{number}"), std::fs::read(&path).expect("readable"));
    }
    // Root's file has the image's keys, and one of the owner's.
    let algorithm = |number: usize| match number {
        0 | 7 => "ssh-ed25519",
        2 => "ecdsa-sha2-nistp256",
        5 => "ecdsa-sha2-nistp384",
        6 => "ecdsa-sha2-nistp521",
        _ => "ssh-rsa",
    };
    let mut lines = format!("ssh-ed25519 {KEY} owner\n");
    for (number, public) in publics.iter().enumerate() {
        lines.push_str(&format!("no-pty {} {public} k{number}\n", algorithm(number)));
    }
    files.write("/root/.ssh/authorized_keys", lines);
    files.write("/etc/keys/pi", format!("ssh-ed25519 {}\n", publics[0]));
    files.symlink("/home/old/.ssh/loop", "loop").write("/root/big", vec![b'x'; 100_000]);
    let accounts = Accounts::read(&files).expect("readable");
    let keys = ImageKeys::read(&files, &accounts, &["/etc/keys/%u".to_owned()]).expect("readable");
    assert_eq!(keys.keys.len(), 8);
    for (key, public) in keys.keys.iter().zip(&publics) {
        assert_eq!(key.public.as_ref(), Some(public), "{}", key.private);
        assert_eq!(key.encrypted, key.private.ends_with('7'));
    }
    let root: Vec<usize> =
        keys.opened.iter().filter(|line| line.user == "root").map(|line| line.key.line).collect();
    assert_eq!(root, [2, 3, 4, 5, 6, 7, 8, 9]);
    assert!(keys.opened.iter().any(|line| line.user == "pi" && line.file == "/etc/keys/pi"));
    assert_eq!(keys.opened.len(), 9);
}

/// The private half of a key that lets somebody in may lie anywhere.
#[test]
fn private_halves_are_found_outside_of_the_usual_places() {
    let work = tempfile::tempdir().expect("a directory");
    let pair = |name: &str| {
        let path = work.path().join(name);
        let mut command = Command::new("ssh-keygen");
        command.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&path);
        assert!(command.status().expect("ssh-keygen runs").success());
        let public = std::fs::read_to_string(path.with_extension("pub")).expect("readable");
        let public = public.split(' ').nth(1).expect("a key").to_owned();
        (std::fs::read(&path).expect("readable"), public)
    };
    let (private, public) = pair("one");
    let (other, other_public) = pair("two");
    let wanted: BTreeSet<String> = [public.clone(), "AAAAowner".to_owned()].into();
    for path in [
        "/opt/board/support/id_rsa",
        "/srv/x/y/z/deploy.key",
        "/usr/share/vendor/insecure_key",
        "/usr/local/etc/key.pem",
        "/home/pi/projects/keys/board",
        "/root/keys/board",
        "/var/lib/vendor/key",
        "/var/backups/home/id",
        "/etc/vendor/key",
        "/data/key",
    ] {
        let mut files = MemoryFiles::new();
        files.write("/etc/passwd", "root:x:0:0::/root:/bin/sh\npi:x:1000:1000::/home/pi:/bin/sh\n");
        files.write(path, &private).write("/opt/other", &other).symlink("/opt/loop", "/opt");
        files.write("/usr/lib/x/key", &other);
        let accounts = Accounts::read(&files).expect("readable");
        assert!(ImageKeys::read(&files, &accounts, &[]).expect("readable").keys.is_empty());
        let found = ImageKeys::read_wanted(&files, &accounts, &wanted).expect("readable");
        let found: Vec<_> = found.keys.iter().map(|key| (&*key.private, &key.public)).collect();
        assert_eq!(found, [(path, &Some(public.clone()))]);
        let both = [public.clone(), other_public.clone()].into();
        let found = ImageKeys::read_wanted(&files, &accounts, &both).expect("readable");
        assert_eq!(found.keys.len(), 2, "{path}");
    }
}
