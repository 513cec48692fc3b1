//! Bases that would undo a card at its first boot, or keep its owner out: what `build` writes,
//! and whether `verify` and `apply` see a card on which it was put back. The stand-ins are the
//! sample base with files changed by debugfs and mtools.

use std::{fs, path::Path};

use crate::support::*;

const CARD: &str = "out/xu4-node1.img";
const WANTS: &str = "/etc/systemd/system/multi-user.target.wants";

/// A base made from the sample, and a profile with one node.
fn bench(prepare: impl FnOnce(&Bench, &str)) -> Bench {
    let bench = Bench::with_profile(
        "cluster: test\nbase: base.img\ncard: 64MiB\n\
         network: {interface: eth0, prefix: 24, gateway: 192.168.1.1, dns: [192.168.1.1]}\n\
         nodes: [{name: xu4-node1, address: 192.168.1.81}]\nssh: {users: [root]}\n\
         users: {root: {locked: true}, odroid: {locked: true}}\n",
    );
    decoded_base(&bench);
    prepare(&bench, "base.img");
    bench
}

/// Carries out debugfs commands on the root filesystem of an image.
fn change(bench: &Bench, image: &str, commands: &str) {
    let list = bench.path("commands");
    fs::write(&list, commands).unwrap();
    let target = format!("{}?offset={ROOT_OFFSET}", bench.path(image).display());
    run("e2fsprogs", "debugfs", &["-w", "-f", list.to_str().unwrap(), &target]);
}

/// Makes a directory if it is missing: debugfs's mkdir damages the filesystem if it exists.
fn make_directory(bench: &Bench, image: &str, path: &str) {
    let found = debugfs(&bench.path(image), &format!("stat {path}"));
    if !found.contains("Type: directory") {
        change(bench, image, &format!("mkdir {path}\n"));
    }
}

/// Writes a file whose directory may be missing.
fn add(bench: &Bench, image: &str, path: &str, text: &str) {
    let parents = Path::new(path).ancestors().skip(1).map(|parent| parent.to_str().unwrap());
    let mut parents: Vec<&str> = parents.filter(|parent| parent.len() > 1).collect();
    parents.reverse();
    for parent in parents {
        make_directory(bench, image, parent);
    }
    write(bench, image, path, text);
}

/// Runs mtools on the FAT partition of an image.
fn fat(bench: &Bench, program: &str, image: &str, arguments: &[&str]) -> String {
    let target = format!("{}@@{FIRST_PARTITION}", bench.path(image).display());
    run("mtools", program, &[&["-i", target.as_str()], arguments].concat())
}

/// Checks that `verify` accepts the card, and e2fsck has no complaint about it.
fn is_right(bench: &Bench) {
    let (code, out, error) = verify(bench, &[CARD]);
    assert_eq!(code, Some(0), "{out}{error}");
    e2fsck(&bench.path(CARD));
}

/// Checks that `verify` reports an error in these words, and that `apply` fixes it.
fn is_found_and_fixed(bench: &Bench, words: &[&str]) {
    let (code, out, error) = verify(bench, &[CARD]);
    assert_eq!(code, Some(1), "{out}{error}");
    for word in [&["  error  "], words].concat() {
        assert!(out.contains(word), "{word} is missing: {out}");
    }
    let target = format!("xu4-node1={CARD}");
    let output = bench.nodecard(&["apply", "profile.yaml", &target, "--yes"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    is_right(bench);
}

fn names(bench: &Bench, directory: &str) -> String {
    debugfs(&bench.path(CARD), &format!("ls -p {directory}"))
}

/// Raspberry Pi OS until 2025: `init=` in cmdline.txt on the boot partition renews the host keys.
#[test]
fn an_init_program_on_the_kernel_command_line() {
    const PROGRAM: &str = "/usr/lib/raspberrypi-sys-mods/firstboot";
    let armed = format!("console=tty1 root=LABEL=rootfs rootwait init={PROGRAM}\n");
    let bench = bench(|bench, base| {
        add(bench, base, PROGRAM, "#!/bin/bash\nrm -f /etc/ssh/ssh_host_*_key*\nssh-keygen -A\n");
        change(bench, base, "mkdir /boot/firmware\n");
        let fstab =
            "LABEL=rootfs / ext4 defaults 0 1\nLABEL=BOOT /boot/firmware vfat defaults 0 2\n";
        write(bench, base, "/etc/fstab", fstab);
        fs::write(bench.path("cmdline.txt"), &armed).unwrap();
        fat(bench, "mcopy", base, &[bench.path("cmdline.txt").to_str().unwrap(), "::"]);
    });
    let report = one_line(&bench.built(&[]));
    assert!(report.contains(&format!("init={PROGRAM}")), "{report}");
    let line = fat(&bench, "mtype", CARD, &["::cmdline.txt"]);
    assert_eq!(line, "console=tty1 root=LABEL=rootfs rootwait\n");
    let boot = bench.path("boot.fat");
    fs::write(&boot, bytes(&bench.path(CARD), FIRST_PARTITION, 8 << 20)).unwrap();
    run("dosfstools", "fsck.vfat", &["-n", boot.to_str().unwrap()]);
    is_right(&bench);

    fat(&bench, "mcopy", CARD, &["-o", bench.path("cmdline.txt").to_str().unwrap(), "::"]);
    let place = "/boot/firmware/cmdline.txt:1";
    is_found_and_fixed(&bench, &[place, "the next boot runs init=", "replaces the host keys"]);
    assert_eq!(fat(&bench, "mtype", CARD, &["::cmdline.txt"]), line);
}

/// DietPi: a service resets host name, machine id and passwords.
#[test]
fn a_service_that_resets_the_identity() {
    const UNIT: &str = "/etc/systemd/system/dietpi-firstboot.service";
    const SCRIPT: &str = "/var/lib/dietpi/services/dietpi-firstboot.bash";
    let arm = format!("symlink {WANTS}/dietpi-firstboot.service {UNIT}\n");
    let bench = bench(|bench, base| {
        let unit = format!(
            "[Service]\nType=oneshot\nExecStart={SCRIPT}\n[Install]\nWantedBy=multi-user.target\n"
        );
        add(bench, base, UNIT, &unit);
        add(bench, base, SCRIPT, "#!/bin/bash\nhostnamectl set-hostname DietPi\n");
        add(bench, base, "/boot/dietpi.txt", "AUTO_SETUP_NET_HOSTNAME=DietPi\n");
        add(bench, base, "/boot/dietpi/.install_stage", "-1\n");
        change(bench, base, &arm);
    });
    let report = one_line(&bench.built(&[]));
    assert!(report.contains("DietPi's dietpi-firstboot.service"), "{report}");
    assert!(!names(&bench, WANTS).contains("dietpi"));
    is_right(&bench);

    change(&bench, CARD, &arm);
    is_found_and_fixed(&bench, &[UNIT, "the next boot runs dietpi-firstboot.service"]);
    assert!(!names(&bench, WANTS).contains("dietpi"));
}

/// A program that nobody has heard of: reported, not removed.
#[test]
fn an_unknown_program_that_renews_host_keys() {
    let bench = bench(|bench, base| {
        let unit = "[Service]\nType=oneshot\nExecStart=/opt/vendor/setup\n";
        add(bench, base, "/lib/systemd/system/vendor.service", unit);
        add(bench, base, "/opt/vendor/setup", "#!/bin/sh\necho\nrm -f /etc/ssh/ssh_host_*\n");
        let link = format!("symlink {WANTS}/vendor.service /lib/systemd/system/vendor.service\n");
        change(bench, base, &link);
    });
    let notes = one_line(&bench.built(&[]));
    let line = "(/opt/vendor/setup, line 3: rm -f /etc/ssh/ssh_host_*)";
    for part in ["vendor.service runs when a card boots", line] {
        assert!(notes.contains(part), "{notes}");
    }
    let (code, out, _) = verify(&bench, &[CARD]);
    assert_eq!(code, Some(1), "{out}");
    for part in ["  warning  ", "/opt/vendor/setup:3\n", "found:    rm -f /etc/ssh/ssh_host_*\n"] {
        assert!(out.contains(part), "{part} is missing: {out}");
    }
    assert!(names(&bench, WANTS).contains("vendor.service"));
}

/// Raspberry Pi OS since 2016: sshd is installed, and nothing starts it.
#[test]
fn an_ssh_server_that_nothing_starts() {
    let link = format!("{WANTS}/ssh.service");
    let bench = bench(|bench, base| {
        let unit =
            "[Service]\nExecStart=/usr/sbin/sshd -D\n[Install]\nWantedBy=multi-user.target\n";
        add(bench, base, "/lib/systemd/system/ssh.service", unit);
        change(bench, base, &format!("rm {link}\n"));
    });
    bench.built(&[]);
    let target = debugfs(&bench.path(CARD), &format!("stat {link}"));
    assert!(target.contains("/lib/systemd/system/ssh.service"), "{target}");
    is_right(&bench);

    change(&bench, CARD, &format!("rm {link}\n"));
    is_found_and_fixed(&bench, &["ssh-server", "nothing starts the ssh server at boot"]);
}

/// interfaces(5): a logical interface in a file that is included relative to another. ifupdown
/// itself judges these forms in system-model's tests.
#[test]
fn dhcp_beside_the_static_address() {
    let interfaces = "auto lo\niface lo inet loopback\nsource sub/main\n";
    let dhcp = "auto eth0=home\niface home inet dhcp\n";
    let bench = bench(|bench, base| {
        add(bench, base, "/etc/network/interfaces", interfaces);
        add(bench, base, "/etc/network/sub/main", "source eth0.cfg\n");
        add(bench, base, "/etc/network/sub/eth0.cfg", dhcp);
    });
    let notes = one_line(&bench.built(&[]));
    assert!(!notes.contains("but not eth0"), "{notes}");
    is_right(&bench);

    let written = cat(&bench.path(CARD), "/etc/network/interfaces");
    write(&bench, CARD, "/etc/network/interfaces", &format!("source sub/dhcp.cfg\n{written}"));
    add(&bench, CARD, "/etc/network/sub/dhcp.cfg", dhcp);
    is_found_and_fixed(
        &bench,
        &["sub/dhcp.cfg:1", "this line should not be there", "auto eth0=home"],
    );
}

/// sshd ignores the keys of a user whose home belongs to another one.
#[test]
fn a_home_that_sshd_does_not_trust() {
    let bench = bench(|_, _| ());
    bench.built(&[]);
    change(&bench, CARD, "set_inode_field /root uid 1000\n");
    is_found_and_fixed(&bench, &["owner ", "/root\n", "expected: 0:0"]);
}

/// What a family's image has that its first boot acts on, and what makes it run.
struct Armed {
    family: &'static str,
    /// Files, with their contents; scripts get the mode of programs.
    files: &'static [(&'static str, &'static str)],
    /// Units in /lib/systemd/system that a target's directory starts: the directory, the unit
    /// and its command.
    units: &'static [(&'static str, &'static str, &'static str)],
    /// What arms it again on a finished card: one of the units or of the files.
    again: &'static str,
    /// What `verify` says then.
    found: &'static str,
}

/// The families that no stand-in boots, with their programs as their public sources have them.
/// (The sample base is Hardkernel's.)
const ARMED: [Armed; 4] = [
    Armed {
        family: "Orange Pi",
        files: &[
            ("/boot/orangepiEnv.txt", "rootdev=LABEL=rootfs\n"),
            ("/usr/lib/orangepi/orangepi-firstrun", "#!/bin/bash\nrm -f /etc/ssh/ssh_host*\n"),
            ("/root/.not_logged_in_yet", ""),
        ],
        units: &[
            (
                "basic.target.wants",
                "orangepi-resize-filesystem.service",
                "/usr/lib/orangepi/orangepi-resize-filesystem start",
            ),
            (
                "multi-user.target.wants",
                "orangepi-firstrun.service",
                "/usr/lib/orangepi/orangepi-firstrun start",
            ),
        ],
        again: "orangepi-firstrun.service",
        found: "the next boot runs orangepi-firstrun.service",
    },
    Armed {
        family: "BeagleBoard.org",
        files: &[
            ("/etc/bbb.io/growpart", ""),
            ("/etc/bbb.io/ssh_regenerate", ""),
            ("/usr/sbin/bbbio-set-sysconf", "#!/bin/sh -e\nhostname -b beagle\n"),
        ],
        units: &[(
            "basic.target.requires",
            "bbbio-set-sysconf.service",
            "/usr/sbin/bbbio-set-sysconf",
        )],
        again: "/etc/bbb.io/ssh_regenerate",
        found: "/etc/bbb.io/ssh_regenerate makes the first boot replace the host keys",
    },
    Armed {
        family: "Radxa",
        files: &[
            ("/etc/radxa_image_fingerprint", ""),
            (
                "/etc/fstab",
                "LABEL=rootfs / ext4 defaults 0 1\nLABEL=BOOT /config vfat defaults 0 2\n",
            ),
            (
                "/config/before.txt",
                "no_fail\nadd_user radxa radxa\nresize_root\nregenerate_ssh_hostkey\n",
            ),
        ],
        units: &[],
        again: "/config/before.txt",
        found: "/config/before.txt adds a user, resizes root",
    },
    Armed {
        family: "Debian for Raspberry Pi",
        files: &[(
            "/usr/local/sbin/rpi-set-sysconf",
            "#!/usr/bin/perl\nopen(F, '>', '/etc/hostname');\n",
        )],
        units: &[
            ("basic.target.requires", "rpi-set-sysconf.service", "/usr/local/sbin/rpi-set-sysconf"),
            (
                "multi-user.target.requires",
                "rpi-generate-ssh-host-keys.service",
                "/bin/sh -c 'ssh-keygen -A'",
            ),
        ],
        again: "rpi-set-sysconf.service",
        found: "the next boot runs rpi-set-sysconf.service",
    },
];

impl Armed {
    /// Writes a file with the mode of a program, or to the boot partition that Radxa mounts.
    fn add_file(bench: &Bench, image: &str, path: &str, contents: &str) {
        if let Some(name) = path.strip_prefix("/config/") {
            let file = bench.path(name);
            fs::write(&file, contents).unwrap();
            fat(bench, "mcopy", image, &["-o", file.to_str().unwrap(), "::"]);
            return;
        }
        add(bench, image, path, contents);
        if contents.starts_with("#!") {
            change(bench, image, &format!("set_inode_field {path} mode 0100755\n"));
        }
    }

    /// Starts a unit at boot.
    fn enable(bench: &Bench, image: &str, directory: &str, unit: &str) {
        let directory = format!("/etc/systemd/system/{directory}");
        let link = format!("symlink {directory}/{unit} /lib/systemd/system/{unit}\n");
        make_directory(bench, image, &directory);
        change(bench, image, &link);
    }

    fn put_on(&self, bench: &Bench, image: &str) {
        for (path, contents) in self.files {
            Armed::add_file(bench, image, path, contents);
        }
        for (directory, unit, command) in self.units {
            let text = format!("[Service]\nType=oneshot\nExecStart={command}\n");
            add(bench, image, &format!("/lib/systemd/system/{unit}"), &text);
            Armed::enable(bench, image, directory, unit);
        }
    }

    /// Puts back what was disarmed.
    fn put_back(&self, bench: &Bench, image: &str) {
        if let Some((directory, unit, _)) =
            self.units.iter().find(|(_, unit, _)| *unit == self.again)
        {
            return Armed::enable(bench, image, directory, unit);
        }
        let (path, contents) = self.files.iter().find(|(path, _)| *path == self.again).unwrap();
        Armed::add_file(bench, image, path, contents);
    }
}

#[test]
fn families_that_no_stand_in_boots() {
    for armed in &ARMED {
        let family = armed.family;
        let bench = bench(|bench, base| armed.put_on(bench, base));
        let report = one_line(&bench.built(&[]));
        assert!(report.contains(&format!("{family}'s ")), "{report}");
        let name = armed.again.rsplit_once('/').map_or(armed.again, |(_, name)| name);
        assert!(report.contains(name), "{family}: {report}");
        is_right(&bench);

        armed.put_back(&bench, CARD);
        is_found_and_fixed(&bench, &[armed.found]);
    }
}

/// The owner's own key pair on a card, and a key whose private half everyone with the image has.
#[test]
fn apply_removes_the_images_keys_and_not_the_owners() {
    const ROOTS: &str = "/root/.ssh/authorized_keys";
    const ODROIDS: &str = "/home/odroid/.ssh/authorized_keys";
    let pair = |bench: &Bench, name: &str| {
        let path = bench.path(name);
        let arguments = ["-q", "-t", "ecdsa", "-N", "", "-C", name, "-f", path.to_str().unwrap()];
        run("openssh-client", "ssh-keygen", &arguments);
        let public = bench.path(&format!("{name}.pub"));
        (fs::read_to_string(path).unwrap(), fs::read_to_string(public).unwrap())
    };
    let mut of_image = String::new();
    let bench = bench(|bench, base| {
        let (private, public) = pair(bench, "image");
        write(bench, base, "/home/odroid/.ssh/id_ecdsa", &private);
        of_image = public;
    });
    bench.built(&[]);
    is_right(&bench);
    let (private, own) = pair(&bench, "own");
    write(&bench, CARD, "/root/.ssh/id_ecdsa", &private);
    write(&bench, CARD, ROOTS, &format!("# notes\n{own}"));
    let odroids = cat(&bench.path(CARD), ODROIDS);
    write(&bench, CARD, ODROIDS, &format!("{odroids}{of_image}"));
    is_found_and_fixed(&bench, &["cloned-user-key", "can log in as odroid", "authorized-key"]);
    let roots = cat(&bench.path(CARD), ROOTS);
    assert!(roots.starts_with(&format!("# notes\n{own}ssh-ed25519 ")), "{roots}");
    assert_eq!(cat(&bench.path(CARD), ODROIDS), odroids);
    assert_eq!(cat(&bench.path(CARD), "/root/.ssh/id_ecdsa"), private);
}
