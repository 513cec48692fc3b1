//! What is found of programs that no unit names.

use super::*;
use crate::{BootModel, MemoryFiles};

fn threats(files: &MemoryFiles) -> Vec<(String, Effect)> {
    let model = BootModel::read(files).unwrap();
    let threats = model.threats(&Effect::ALL).into_iter();
    threats.map(|threat| (threat.location.to_string(), threat.effect)).collect()
}

#[test]
fn a_generator_counts_unless_it_is_masked() {
    let path = "/usr/lib/systemd/system-generators/name";
    let mut files = MemoryFiles::new();
    files.write(path, "#!/bin/sh\nhostnamectl set-hostname pi\n").own(path, 0o755, 0, 0);
    assert_eq!(threats(&files), [(format!("{path}, line 2"), Effect::HostName)]);
    files.symlink("/etc/systemd/system-generators/name", "/dev/null");
    assert_eq!(threats(&files), []);
    files.remove("/etc/systemd").own(path, 0o644, 0, 0);
    assert_eq!(threats(&files), [], "one that is not executable");
}

#[test]
fn the_first_program_of_all_may_be_a_script() {
    let text = "#!/bin/sh\nrm -f /etc/ssh/ssh_host_*\nexec /lib/systemd/systemd\n";
    let mut files = MemoryFiles::new();
    files.write("/sbin/init", text).own("/sbin/init", 0o755, 0, 0);
    assert_eq!(threats(&files), [("/sbin/init, line 2".to_owned(), Effect::HostKeys)]);
    files.boot_partition(1, "/boot").write("/boot/cmdline.txt", "init=/lib/systemd/systemd\n");
    assert_eq!(threats(&files), [], "another one is named");
    files.remove("/boot/cmdline.txt");
    files.write("/lib/systemd/systemd", [0x7f, b'E', b'L', b'F']);
    files.symlink("/sbin/init", "/lib/systemd/systemd");
    assert_eq!(threats(&files), []);
}

#[test]
fn rules_run_programs() {
    let mut files = MemoryFiles::new();
    files
        .write("/opt/net", "#!/bin/sh\nip addr add 10.0.0.5/24 dev eth0\n")
        .write("/usr/lib/udev/keys", "#!/bin/sh\nrm -f /etc/ssh/ssh_host_*\n")
        .write(
            "/etc/udev/rules.d/9.rules",
            "# RUN+=\"/opt/net\"\nSUBSYSTEM==\"net\", \\\n KERNEL==\"eth0\", RUN+=\"/opt/net up\"\n\
             PROGRAM==\"keys %k\", SYMLINK+=\"x\"\n",
        )
        .write("/etc/udev/rules.d/8", "RUN+=\"/opt/net\"\n");
    assert_eq!(
        threats(&files),
        [
            ("/opt/net, line 2".to_owned(), Effect::Address),
            ("/usr/lib/udev/keys, line 2".to_owned(), Effect::HostKeys),
        ]
    );
}

#[test]
fn ifup_runs_commands_and_scripts() {
    let unit = "/etc/systemd/system/multi-user.target.wants/networking.service";
    let (script, other) = ("/etc/network/if-up.d/more", "/etc/network/if-up.d/more.bak");
    let mut files = MemoryFiles::new();
    files
        .write("/lib/systemd/system/networking.service", "[Service]\nExecStart=/sbin/ifup -a\n")
        .symlink(unit, "/lib/systemd/system/networking.service")
        .write(
            "/etc/network/interfaces",
            "auto lo\niface lo inet loopback\n up ip addr add 10.0.0.9/24 dev eth0\n\
             auto eth1\niface eth1 inet manual\n up ip addr add 10.1.0.9/24 dev eth1\n\
             up ip addr add 10.1.0.8/24 dev $IFACE\n post-up rm -f /etc/machine-id\n",
        )
        .write(script, "#!/bin/sh\nip addr flush dev $IFACE\ndhclient eth0\n")
        .own(script, 0o755, 0, 0)
        .write(other, "#!/bin/sh\nresize2fs /dev/x\n")
        .own(other, 0o755, 0, 0);
    assert_eq!(
        threats(&files),
        [
            ("/etc/network/interfaces, line 3".to_owned(), Effect::Address),
            ("/etc/network/interfaces, line 8".to_owned(), Effect::MachineId),
            (format!("{script}, line 3"), Effect::Address),
        ]
    );
    files.remove(unit);
    assert_eq!(threats(&files), [], "nothing runs ifup");
}

#[test]
fn a_wizard_of_the_first_login_counts_while_its_mark_is_there() {
    let mark = "/var/lib/first";
    let mut files = MemoryFiles::new();
    files
        .write("/etc/passwd", "root:x:0:0::/root:/bin/bash\n")
        .write("/etc/profile.d/first.sh", format!("if [ -f {mark} ]; then\n  /opt/wizard\nfi\n"))
        .write("/opt/wizard", "#!/bin/sh\npasswd root\n")
        .write("/root/.bash_login", "hostnamectl set-hostname pi\n");
    let of_root = ("/root/.bash_login, line 1".to_owned(), Effect::HostName);
    assert_eq!(threats(&files), std::slice::from_ref(&of_root));
    files.write(mark, "");
    assert_eq!(threats(&files), [("/opt/wizard, line 2".to_owned(), Effect::Passwords), of_root]);
    let model = BootModel::read(&files).unwrap();
    assert!(model.threats(&Effect::ALL).iter().all(|threat| threat.at_login));
}

/// Enables a unit, as a package does.
fn enable(files: &mut MemoryFiles, name: &str) {
    let unit = format!("/lib/systemd/system/{name}");
    files.write(&unit, "[Service]\nExecStart=/usr/sbin/program\n");
    files.symlink(&format!("/etc/systemd/system/multi-user.target.wants/{name}"), &unit);
}

#[test]
fn cron_runs_at_boot_and_later() {
    let mut files = MemoryFiles::new();
    files
        .write(
            "/etc/crontab",
            "SHELL=/bin/sh\n17 * * * * root cd / && run-parts /etc/cron.hourly\n",
        )
        .write("/etc/cron.hourly/keys", "#!/bin/sh\nssh-keygen -A\n")
        .write("/etc/cron.d/name", "@reboot root hostname pi > /etc/hostname\n")
        .write("/etc/cron.d/name.bak", "@reboot root rm /etc/machine-id\n")
        .write("/var/spool/cron/crontabs/root", "*/5 * * * * cp /etc/hosts.old /etc/hosts\n");
    assert_eq!(threats(&files), [], "nothing starts cron");
    enable(&mut files, "cron.service");
    assert_eq!(
        threats(&files),
        [
            ("/etc/cron.hourly/keys, line 2".to_owned(), Effect::HostKeys),
            ("/etc/cron.d/name, line 1".to_owned(), Effect::HostName),
            ("/var/spool/cron/crontabs/root, line 1".to_owned(), Effect::Hosts),
        ]
    );
}

#[test]
fn dispatchers_run_scripts_when_an_interface_is_up() {
    let name = "#!/bin/sh\nip addr flush dev $1\nhostnamectl set-hostname \"x-$2\"\n";
    let mut files = MemoryFiles::new();
    for path in [
        "/usr/lib/NetworkManager/dispatcher.d/20-name",
        "/etc/NetworkManager/dispatcher.d/no-wait.d/30-name",
        "/usr/lib/networkd-dispatcher/routable.d/40-name",
    ] {
        files.write(path, name).own(path, 0o755, 0, 0);
    }
    files.write("/etc/networkd-dispatcher/off.d/50-name", name);
    assert_eq!(threats(&files), [], "no dispatcher runs");
    enable(&mut files, "NetworkManager.service");
    enable(&mut files, "networkd-dispatcher.service");
    let line = |path: &str| (format!("{path}, line 3"), Effect::HostName);
    assert_eq!(
        threats(&files),
        [
            line("/usr/lib/NetworkManager/dispatcher.d/20-name"),
            line("/etc/NetworkManager/dispatcher.d/no-wait.d/30-name"),
            line("/usr/lib/networkd-dispatcher/routable.d/40-name"),
        ]
    );
    files.symlink("/etc/NetworkManager/dispatcher.d/20-name", "/dev/null");
    assert_eq!(threats(&files).len(), 2);
}

#[test]
fn configuration_of_systemds_own_programs_counts() {
    let mut files = MemoryFiles::new();
    files
        .write("/usr/lib/tmpfiles.d/a.conf", "# keys\nr! /etc/ssh/ssh_host_*\n")
        .write("/etc/sysctl.d/b.conf", "kernel.hostname = board\n");
    assert_eq!(threats(&files), []);
    enable(&mut files, "systemd-tmpfiles-setup.service");
    enable(&mut files, "systemd-sysctl.service");
    assert_eq!(
        threats(&files),
        [
            ("/usr/lib/tmpfiles.d/a.conf, line 2".to_owned(), Effect::HostKeys),
            ("/etc/sysctl.d/b.conf, line 1".to_owned(), Effect::HostName),
        ]
    );
    files.symlink("/etc/tmpfiles.d/a.conf", "/dev/null").remove("/etc/sysctl.d/b.conf");
    assert_eq!(threats(&files), []);
}

#[test]
fn systemd_grows_filesystems() {
    let mut files = MemoryFiles::new();
    files.write(
        "/etc/fstab",
        "# LABEL=a / ext4 x-systemd.growfs\nLABEL=a / ext4 defaults,x-systemd.growfs 0 1\n\
         LABEL=b /boot vfat defaults\n",
    );
    assert_eq!(threats(&files), [("/etc/fstab, line 2".to_owned(), Effect::Sizes)]);
    files.remove("/etc/fstab");
    let unit = "/lib/systemd/system/systemd-repart.service";
    files.write(unit, "[Service]\nExecStart=/usr/bin/systemd-repart --dry-run=no\n");
    files.symlink("/lib/systemd/system/sysinit.target.wants/systemd-repart.service", unit);
    assert_eq!(threats(&files), [], "without a definition it does nothing");
    files.write("/usr/lib/repart.d/50-root.conf", "[Partition]\nType=root\n");
    assert_eq!(threats(&files), [(format!("{unit}, line 2"), Effect::Sizes)]);
    files.symlink("/etc/repart.d/50-root.conf", "/dev/null");
    assert_eq!(threats(&files), []);
}

/// A unit's variables and directory are known to its commands, and to the scripts that they start.
#[test]
fn commands_see_what_their_unit_sets() {
    let unit = "/etc/systemd/system/x.service";
    for (setting, command) in [
        ("Environment=K=/etc/ssh/ssh_host_rsa_key", "/bin/rm -f $K"),
        ("Environment=\"A=b c\" 'K=/etc/ssh/ssh_host_rsa_key'", "/bin/rm -f ${K}"),
        ("Environment=K=/etc/ssh/ssh_host_rsa_key", "/opt/x"),
        ("EnvironmentFile=-/etc/default/x", "/bin/rm -f $K"),
        ("EnvironmentFile=/etc/default/x", "/bin/sh -c '/opt/x'"),
        ("WorkingDirectory=/etc/ssh", "/bin/rm -f ssh_config ssh_host_rsa_key"),
        ("WorkingDirectory=/etc/ssh", "/bin/sh -c 'rm *_key'"),
    ] {
        let mut files = MemoryFiles::new();
        files
            .symlink("/etc/systemd/system/multi-user.target.wants/x.service", unit)
            .write(unit, format!("[Service]\n{setting}\nExecStart={command}\n"))
            .write("/etc/default/x", "# x\nK=\"/etc/ssh/ssh_host_rsa_key\"\n")
            .write("/opt/x", "#!/bin/sh\nrm -f \"$K\"\n");
        let found = threats(&files);
        assert!(matches!(found.as_slice(), [(_, Effect::HostKeys)]), "{command}: {found:?}");
        files.write(unit, format!("[Service]\nExecStart={}\n", command.replace("_key", "")));
        let found = threats(&files);
        assert!(found.is_empty() || setting.starts_with("Working"), "{command}: {found:?}");
    }
}

#[test]
fn pam_runs_programs_at_a_login() {
    let script = "/etc/update-motd.d/10-first";
    let mut files = MemoryFiles::new();
    files
        .write(script, "#!/bin/sh\nchage -d 0 root\nresize2fs /dev/mmcblk0p2\n")
        .own(script, 0o755, 0, 0)
        .write("/etc/pam.d/login", "session optional pam_exec.so quiet log=/x /opt/name -a\n")
        .write("/opt/name", "#!/bin/sh\necho pi > /etc/hostname\n");
    let name = ("/opt/name, line 2".to_owned(), Effect::HostName);
    assert_eq!(threats(&files), std::slice::from_ref(&name));
    files.write("/etc/pam.d/sshd", "session optional pam_motd.so motd=/run/motd.dynamic\n");
    let sizes = (format!("{script}, line 3"), Effect::Sizes);
    assert!(threats(&files).contains(&sizes), "{:?}", threats(&files));
    let model = BootModel::read(&files).unwrap();
    assert!(model.threats(&Effect::ALL).iter().all(|threat| threat.at_login));
}

#[test]
fn the_command_line_sets_name_and_machine_id() {
    let mut files = MemoryFiles::new();
    files.write(
        "/boot/cmdline.txt",
        "root=/dev/x systemd.hostname=pi systemd.machine_id=0123456789abcdef0123456789abcdef\n",
    );
    let at = |effect| ("/boot/cmdline.txt, line 1".to_owned(), effect);
    assert_eq!(threats(&files), [at(Effect::HostName), at(Effect::MachineId)]);
}
