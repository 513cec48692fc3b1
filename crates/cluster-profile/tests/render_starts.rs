//! What systemd starts on the finished card: no card is made on which it does not start an ssh
//! server, or what sets the address.

mod common;

use cluster_profile::{Note, RenderError};
use common::{Fixture, Memory, PROFILE, debian_bare, ubuntu_1604};

const LINE: &str = "/boot/firmware/cmdline.txt";
const UNIT: &str = "/lib/systemd/system/ssh.service";
const LINK: &str = "/etc/systemd/system/multi-user.target.wants/ssh.service";

/// A base with an ssh.service that nothing starts.
fn base(arguments: &str) -> Memory {
    ubuntu_1604()
        .file("/usr/sbin/sshd", "")
        .with_mode("/usr/sbin/sshd", 0o755)
        .file(UNIT, "[Service]\nExecStart=/usr/sbin/sshd -D\n")
        .file(LINE, format!("console=tty1 {arguments} rootwait\n"))
}

fn notes_enabling(fixture: &Fixture, base: &Memory) -> bool {
    let rendered = fixture.shared(base).unwrap_or_else(|error| panic!("{error}"));
    rendered.notes.iter().any(|note| matches!(note, Note::SshServerEnabled { .. }))
}

#[track_caller]
fn refused(fixture: &Fixture, base: &Memory) -> (String, String) {
    let error = fixture.shared(base).unwrap_err();
    assert!(matches!(error, RenderError::NotStarted { .. }), "{error}");
    (error.to_string(), error.fix().unwrap())
}

#[test]
fn an_ssh_server_that_does_not_start_is_refused_with_the_reason() {
    let fixture = Fixture::new(PROFILE);
    assert!(notes_enabling(&fixture, &base("quiet")));
    for (argument, why) in [
        ("systemd.mask=ssh.service", "is masked by `systemd.mask=ssh.service`"),
        ("rescue", "is not a part of rescue.target, to which `rescue` boots"),
        (
            "systemd.unit=emergency.target",
            "is not a part of emergency.target, to which `systemd.unit=emergency.target` boots",
        ),
    ] {
        for base in [base(argument), base(argument).link(LINK, UNIT)] {
            let (text, fix) = refused(&fixture, &base);
            assert_eq!(
                text,
                format!(
                    "the ssh server does not start at boot: ssh.service {why} ({LINE}, line 1)"
                )
            );
            let remove =
                format!("set `boot: {{cmdline: {{remove: ['{argument}']}}}}` in the profile");
            assert_eq!(fix, remove);
        }
        // The profile does that.
        let settings = format!("{PROFILE}boot: {{cmdline: {{remove: ['{argument}']}}}}\n");
        assert!(notes_enabling(&Fixture::new(&settings), &base(argument)), "{argument}");
    }
    let condition = "[Unit]\nConditionPathExists=/etc/enable-ssh\n[Service]\nExecStart=/x\n";
    let conditional = base("quiet").file(UNIT, condition);
    let (text, fix) = refused(&fixture, &conditional);
    let place = format!("({UNIT}, line 2)");
    assert_eq!(
        text,
        format!(
            "the ssh server does not start at boot: ssh.service has a condition that fails {place}"
        )
    );
    assert_eq!(fix, format!("let the condition hold, or remove it {place} in the base image"));
    // The profile's `files` are a part of the card.
    let files = "files:\n  - {path: /etc/enable-ssh, content: ''}\n";
    assert!(notes_enabling(&Fixture::new(&format!("{PROFILE}{files}")), &conditional));
    let kiosk = base("quiet")
        .file("/etc/systemd/system/kiosk.target", "[Unit]\nDescription=Kiosk\n")
        .link("/etc/systemd/system/default.target", "kiosk.target");
    let (text, fix) = refused(&fixture, &kiosk);
    assert!(text.ends_with("is not a part of kiosk.target, to which the system boots"), "{text}");
    assert_eq!(fix, "run `systemctl set-default multi-user.target` in the base image");
}

#[test]
fn what_the_command_line_starts_is_not_enabled_again() {
    let fixture = Fixture::new(PROFILE);
    assert!(!notes_enabling(&fixture, &base("systemd.wants=ssh.service")));
    // The server alone does not make a node.
    let (text, _) = refused(&fixture, &base("systemd.unit=rescue.target systemd.wants=ssh"));
    assert!(text.starts_with("ifupdown does not start at boot: "), "{text}");
}

/// Each of these alone needs an ssh server.
#[test]
fn keys_of_users_and_a_swarm_enable_an_ssh_server() {
    let bare = PROFILE.replace("ssh:\n  users: [root, odroid]\n", "");
    let base = || base("quiet").file("/usr/bin/dockerd", "").file("/usr/bin/flock", "");
    assert!(!notes_enabling(&Fixture::new(&bare), &base()));
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAk7+5fdhtepRjC3WTWxqPoZ3pdIuqBjSIR0Xalan0j me";
    for more in
        [format!("users: {{odroid: {{authorized_keys: ['{key}']}}}}\n"), "swarm: {}\n".into()]
    {
        let fixture = Fixture::new(&format!("{bare}{more}"));
        let rendered = fixture.shared(&base()).unwrap_or_else(|error| panic!("{error}"));
        assert!(rendered.edits.iter().any(|edit| edit.path == LINK), "{more}");
        assert!(notes_enabling(&fixture, &base()), "{more}");
    }
}

#[test]
fn a_back_end_that_the_command_line_keeps_off_is_refused() {
    let bare = Fixture::new(&PROFILE.replace("ssh:\n  users: [root, odroid]\n", ""));
    let base = |arguments: &str| base(arguments).unit("networking.service");
    for argument in ["systemd.mask=networking.service", "rescue"] {
        let (text, fix) = refused(&bare, &base(argument));
        assert!(text.starts_with("ifupdown does not start at boot: networking.service "), "{text}");
        assert!(fix.contains(argument), "{fix}");
    }
    bare.settled(&base("quiet"), 0);
}

/// netplan's generator starts networkd, if the image lets it.
#[test]
fn netplan_without_networkd_is_refused() {
    let bare = Fixture::new(&PROFILE.replace("ssh:\n  users: [root, odroid]\n", ""));
    let networkd = "/lib/systemd/system/systemd-networkd.service";
    let base = || {
        debian_bare()
            .file(networkd, "[Service]\nExecStart=/lib/systemd/systemd-networkd\n")
            .file("/usr/sbin/netplan", "")
            .file("/lib/netplan/generate", "")
            .file("/etc/netplan/50-cloud-init.yaml", "network:\n  version: 2\n")
    };
    bare.shared(&base()).unwrap_or_else(|error| panic!("{error}"));
    let masked = base().link("/etc/systemd/system/systemd-networkd.service", "/dev/null");
    let (text, _) = refused(&bare, &masked);
    assert!(text.contains("systemd-networkd.service is masked"), "{text}");
}

#[test]
fn a_swarm_without_docker_is_refused() {
    let swarm = Fixture::new(&format!("{PROFILE}swarm: {{}}\n"));
    let base = |arguments: &str| {
        base(arguments)
            .file("/usr/bin/dockerd", "")
            .file("/usr/bin/flock", "")
            .unit("docker.service")
    };
    swarm.shared(&base("quiet")).unwrap_or_else(|error| panic!("{error}"));
    for unit in ["docker.service", "nodecard-swarm.service"] {
        let (text, _) = refused(&swarm, &base(&format!("systemd.mask={unit}")));
        assert!(text.contains(&format!("{unit} is masked by `systemd.mask={unit}`")), "{text}");
    }
    let masked = base("quiet").link("/etc/systemd/system/docker.service", "/dev/null");
    let (text, _) = refused(&swarm, &masked);
    assert!(text.starts_with("Docker does not start at boot: docker.service is masked"), "{text}");
}
