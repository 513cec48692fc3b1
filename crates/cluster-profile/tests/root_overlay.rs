//! Overlays over the root filesystem: noted where a node can do without what they lose, and
//! refused where it cannot.

mod common;

use cluster_profile::{RenderError, card_obstacles};
use common::{Fixture, Memory, PROFILE, ubuntu_1604};

const LINE: &str = "/boot/firmware/cmdline.txt";
const CONF: &str = "/etc/overlayroot.conf";

fn base(argument: &str) -> Memory {
    ubuntu_1604().file(LINE, format!("console=tty1 {argument} rootwait\n"))
}

fn with_docker(base: Memory) -> Memory {
    base.file("/usr/bin/dockerd", "").dir("/lib/systemd/system").file("/usr/bin/flock", "")
}

#[track_caller]
fn refused(fixture: &Fixture, base: &Memory) -> (String, String) {
    let error = fixture.shared(base).unwrap_err();
    assert!(matches!(error, RenderError::NothingKept(_)), "{error}");
    (error.to_string(), error.fix().unwrap())
}

fn notes(fixture: &Fixture, base: &Memory) -> Vec<String> {
    let notes = fixture.settled(base, 0).1;
    notes.into_iter().filter(|note| note.contains("keeps in memory")).collect()
}

#[test]
fn what_a_swarm_or_docker_keeps_must_not_be_lost() {
    let swarm = Fixture::new(&format!("{PROFILE}swarm: {{}}\n"));
    let plain = Fixture::new(PROFILE);
    for argument in ["overlayroot=tmpfs", "boot=overlay", "systemd.volatile=state"] {
        let base = with_docker(base(argument));
        for (fixture, what) in [(&swarm, "the swarm's state"), (&plain, "Docker's data")] {
            let (text, fix) = refused(fixture, &base);
            assert_eq!(
                text,
                format!(
                    "`{argument}` ({LINE}, line 1) keeps in memory what programs write, so every \
                     reboot loses {what} in /var/lib/docker"
                )
            );
            assert_eq!(
                fix,
                format!("set `boot: {{cmdline: {{remove: ['{argument}']}}}}` in the profile")
            );
        }
    }
    // Every reason is listed, and nothing else is left out.
    let base = with_docker(base("overlayroot=tmpfs ro"))
        .file("/etc/ssh/sshd_config", "ListenAddress 10.9.9.9\n");
    let nodes: Vec<_> = swarm.cluster.nodes.iter().collect();
    let all = card_obstacles(&swarm.cluster, &nodes, &swarm.keys, &base, common::NOW).unwrap();
    let texts: Vec<String> = all.iter().map(|one| one.reason.to_string()).collect();
    assert!(texts.iter().any(|text| text.contains("overlayroot=tmpfs")), "{texts:?}");
    assert!(texts.iter().any(|text| text.contains("port 22")), "{texts:?}");
}

#[test]
fn the_profile_can_turn_it_off() {
    let removes = "boot: {cmdline: {remove: [overlayroot=tmpfs]}}\nswarm: {}\n";
    let fixture = Fixture::new(&format!("{PROFILE}{removes}"));
    let (card, _) = fixture.settled(&with_docker(base("overlayroot=tmpfs")), 0);
    assert_eq!(card.text(LINE), "console=tty1 rootwait\n");
    let in_file = with_docker(base("quiet")).file(CONF, "# x\noverlayroot=\"tmpfs\"\n");
    let fixture = Fixture::new(&format!("{PROFILE}swarm: {{}}\n"));
    let (text, fix) = refused(&fixture, &in_file);
    assert!(text.starts_with(&format!("`overlayroot=tmpfs` ({CONF}, line 2) ")), "{text}");
    assert_eq!(fix, format!("set `overlayroot=disabled` in {CONF} of the base image"));
    let own = format!(
        "{PROFILE}swarm: {{}}\nfiles:\n  - {{path: {CONF}, content: \"overlayroot=disabled\\n\"}}\n"
    );
    Fixture::new(&own).settled(&in_file, 0);
}

#[test]
fn elsewhere_it_is_a_note() {
    let fixture = Fixture::new(PROFILE);
    let found = notes(&fixture, &base("overlayroot=tmpfs"));
    assert!(found.len() == 1 && found[0].contains(&format!("({LINE}, line 1)")), "{found:?}");
    for argument in ["overlayroot=disabled", "overlayroot=", "overlayroot", "boot=local"] {
        assert!(notes(&fixture, &base(argument)).is_empty(), "{argument}");
        with_docker_settles(&fixture, argument);
    }
    // Docker is there and off, or has a filesystem that the overlay leaves alone.
    let unit = "/usr/lib/systemd/system/docker.service";
    let off = with_docker(base("overlayroot=tmpfs")).file(unit, "[Service]\nExecStart=/x\n");
    assert_eq!(notes(&fixture, &off).len(), 1);
    let apart = with_docker(base("overlayroot=tmpfs:recurse=0"))
        .file("/etc/fstab", "LABEL=d /var/lib/docker ext4 defaults 0 2\n");
    assert_eq!(notes(&fixture, &apart).len(), 1);
    let (_, all) = fixture.settled(&with_docker(base("overlayroot=/dev/sda1")), 0);
    assert!(all.iter().any(|note| note.contains("on /dev/sda1; files that are there hide")));
}

fn with_docker_settles(fixture: &Fixture, argument: &str) {
    fixture.settled(&with_docker(base(argument)), 0);
}
