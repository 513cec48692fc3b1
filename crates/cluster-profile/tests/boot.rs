//! Programs that would undo a card when it boots: rendered edits keep them from it, and the
//! model of the finished card finds none.

mod common;

use cluster_profile::{Change, FileEdit, render_node, render_shared};
use common::{Fixture, NOW, PROFILE};
use system_model::{BootModel, Effect, MemoryFiles, SystemFiles as _};

const WANTS: &str = "/etc/systemd/system/multi-user.target.wants";

/// A small Debian with ifupdown and an sshd that starts.
fn debian() -> MemoryFiles {
    let mut files = MemoryFiles::new();
    files
        .write(
            "/etc/passwd",
            "root:x:0:0:root:/root:/bin/bash\nodroid:x:1000:1000::/home/odroid:/bin/bash\n",
        )
        .write("/etc/group", "root:x:0:\nodroid:x:1000:\n")
        .write("/etc/shadow", "root:*:19000:0:99999:7:::\nodroid:*:19000:0:99999:7:::\n")
        .write("/etc/hostname", "image\n")
        .write("/etc/hosts", "127.0.0.1 localhost\n")
        .write("/etc/machine-id", "0123456789abcdef0123456789abcdef\n")
        .write("/etc/network/interfaces", "auto eth0\niface eth0 inet dhcp\n")
        .write("/sbin/ifup", "x")
        .write("/bin/bash", "x")
        .own("/bin/bash", 0o755, 0, 0)
        .write("/etc/ssh/sshd_config", "UsePAM yes\n")
        .write("/usr/sbin/sshd", "x")
        .own("/usr/sbin/sshd", 0o755, 0, 0)
        .directory("/root")
        .directory("/home/odroid");
    unit(&mut files, "ssh", "/usr/sbin/sshd -D");
    files
}

/// A service that is enabled.
fn unit(files: &mut MemoryFiles, name: &str, command: &str) {
    let path = format!("/lib/systemd/system/{name}.service");
    files.write(&path, format!("[Service]\nExecStart={command}\n"));
    files.symlink(&format!("{WANTS}/{name}.service"), &path);
}

fn apply(files: &mut MemoryFiles, edits: &[FileEdit]) {
    for FileEdit { path, change, .. } in edits {
        match change {
            Change::Write { contents, .. } => files.write(path, contents),
            Change::Directory { .. } => files.directory(path),
            Change::Symlink { target } => files.remove(path).symlink(path, target),
            Change::Remove => files.remove(path),
            Change::Clear => files.remove(path).directory(path),
            Change::Copy { .. } | Change::Touch { .. } => files,
        };
    }
}

fn is_about_boot(edit: &FileEdit) -> bool {
    let purpose = format!("{:?}", edit.purpose);
    ["FirstBoot", "Cloud", "SshServer"].iter().any(|start| purpose.starts_with(start))
}

/// Renders, applies, and returns the card and the notes about booting. A second run has to
/// change nothing, and no known program may be left.
#[track_caller]
fn disarmed(mut files: MemoryFiles) -> (MemoryFiles, String) {
    let fixture = Fixture::new(PROFILE);
    let render = |files: &MemoryFiles| {
        render_shared(&fixture.cluster, &fixture.keys, files, NOW)
            .unwrap_or_else(|error| panic!("{error}"))
    };
    let rendered = render(&files);
    apply(&mut files, &rendered.edits);
    files.write("/etc/machine-id", "11111111111111111111111111111111\n");
    let again = render(&files);
    let more: Vec<&FileEdit> = again.edits.iter().filter(|edit| is_about_boot(edit)).collect();
    assert!(more.is_empty(), "a second run changes {more:#?}");
    let model = BootModel::read(&files).unwrap();
    let known: Vec<_> =
        model.threats(&Effect::ALL).into_iter().filter(|threat| threat.known).collect();
    assert!(known.is_empty(), "left: {known:#?}");
    let notes = rendered.notes.iter().map(|note| format!("{note}\n")).collect();
    (files, notes)
}

#[test]
fn a_system_without_such_programs_stays_as_it_is() {
    let fixture = Fixture::new(PROFILE);
    let rendered = render_shared(&fixture.cluster, &fixture.keys, &debian(), NOW).unwrap();
    assert!(!rendered.edits.iter().any(is_about_boot), "{:?}", rendered.edits);
}

#[test]
fn arguments_of_the_kernel_are_removed_on_a_boot_partition() {
    for prefix in ["/boot/firmware", "p1:"] {
        let mut files = debian();
        files.boot_partition(1, prefix);
        let path = format!("{prefix}/cmdline.txt");
        files.write(
            &path,
            "console=tty1 root=/dev/mmcblk0p2 rootwait resize \
             init=/usr/lib/raspberrypi-sys-mods/firstboot quiet\n",
        );
        let (files, notes) = disarmed(files);
        let line = files.read_text(&path).unwrap().unwrap();
        assert_eq!(line, "console=tty1 root=/dev/mmcblk0p2 rootwait quiet\n");
        assert!(
            notes.contains(&format!(
                "disarmed Raspberry Pi OS's init=/usr/lib/raspberrypi-sys-mods/firstboot ({path}), \
                 which replaces the host keys and the disk id, grows the root partition, and \
                 applies custom.toml; it would have changed the host keys, the disk id and \
                 partition and filesystem sizes\n"
            )),
            "{notes}"
        );
    }
}

#[test]
fn units_of_each_family_are_disabled() {
    for (name, command) in [
        ("dietpi-firstboot", "/var/lib/dietpi/services/dietpi-firstboot.bash"),
        ("dietpi-fs_partition_resize", "/var/lib/dietpi/services/fs_partition_resize.bash"),
        ("armbian-firstrun", "/usr/lib/armbian/armbian-firstrun start"),
        ("armbian-resize-filesystem", "/usr/lib/armbian/armbian-resize-filesystem start"),
        ("orangepi-firstrun", "/usr/lib/orangepi/orangepi-firstrun start"),
        ("orangepi-resize-filesystem", "/usr/lib/orangepi/orangepi-resize-filesystem start"),
        ("rpi-set-sysconf", "/usr/local/sbin/rpi-set-sysconf"),
        ("bbbio-set-sysconf", "/usr/bin/bbbio-set-sysconf"),
        ("userconfig", "/usr/lib/userconf-pi/userconf-service"),
    ] {
        let mut files = debian();
        unit(&mut files, name, command);
        let (_, notes) = disarmed(files);
        assert!(notes.contains(&format!("{name}.service (/lib/systemd/system/")), "{notes}");
    }
}

#[test]
fn a_unit_that_its_package_enables_is_masked() {
    let mut files = debian();
    let unit = "/lib/systemd/system/regenerate_ssh_host_keys.service";
    files.write(unit, "[Service]\nExecStart=/usr/bin/ssh-keygen -A\n");
    files.symlink(
        "/lib/systemd/system/multi-user.target.wants/regenerate_ssh_host_keys.service",
        "../regenerate_ssh_host_keys.service",
    );
    let (files, notes) = disarmed(files);
    let mask = files.read_link("/etc/systemd/system/regenerate_ssh_host_keys.service").unwrap();
    assert_eq!(mask.as_deref(), Some("/dev/null"));
    assert!(notes.contains("which replaces the host keys"), "{notes}");
}

#[test]
fn programs_that_are_not_known_are_noted_with_their_line() {
    let mut files = debian();
    unit(&mut files, "factory-setup", "/opt/setup.sh");
    files.write("/opt/setup.sh", "#!/bin/sh\necho hello\nrm -f /etc/ssh/ssh_host_*\n");
    let (files, notes) = disarmed(files);
    assert!(files.exists(&format!("{WANTS}/factory-setup.service")).unwrap());
    assert!(
        notes.contains(
            "factory-setup.service runs when a card boots and seems to change the host keys \
             (/opt/setup.sh, line 3: rm -f /etc/ssh/ssh_host_*)\n"
        ),
        "{notes}"
    );
}

/// Conditions of units see what a card has, and not what its image had.
#[test]
fn unknown_programs_are_judged_on_the_finished_card() {
    let renew = |image: &[&str], condition: &str| {
        let mut files = debian();
        for key in image {
            files.write(&format!("/etc/ssh/ssh_host_{key}_key"), "x");
        }
        unit(&mut files, "renew", "/usr/bin/ssh-keygen -A");
        files.write(
            "/etc/systemd/system/renew.service.d/x.conf",
            format!("[Unit]\nConditionPathExists={condition}\n"),
        );
        disarmed(files).1.contains("renew.service runs when a card boots")
    };
    // The card has its own key, and no other, whatever the image had.
    assert!(!renew(&[], "!/etc/ssh/ssh_host_ed25519_key"));
    assert!(renew(&[], "/etc/ssh/ssh_host_ed25519_key"));
    assert!(renew(&["rsa"], "!/etc/ssh/ssh_host_rsa_key"));
    assert!(!renew(&["rsa"], "/etc/ssh/ssh_host_rsa_key"));
}

#[test]
fn programs_that_only_name_something_are_noted_as_such() {
    let mut files = debian();
    unit(&mut files, "fix", "/opt/fix.sh");
    files.write("/opt/fix.sh", "#!/bin/sh\n/opt/edit /etc/hostname\nrm /tmp/x\n");
    let (_, notes) = disarmed(files);
    assert!(
        notes.contains(
            "fix.service runs when a card boots, names the host name and writes files, so it may \
             change that (/opt/fix.sh, line 2: /opt/edit /etc/hostname)\n"
        ),
        "{notes}"
    );
}

#[test]
fn cloud_init_is_turned_off_with_its_user_data() {
    let mut files = debian();
    files.boot_partition(1, "p1:");
    files
        .write(
            "/etc/cloud/cloud.cfg",
            "datasource_list: [NoCloud]\ncloud_init_modules: [update_etc_hosts, users-groups, \
             ssh]\n",
        )
        .write("/etc/cloud/cloud-init.enabled", "")
        .write("p1:/cmdline.txt", "root=/dev/mmcblk0p2 cloud-init=enabled ds=nocloud;i=x\n")
        .write("p1:/meta-data", "instance-id: x\n")
        .write("p1:/user-data", "#cloud-config\nmanage_etc_hosts: true\nusers: [{name: lab}]\n");
    let (files, notes) = disarmed(files);
    assert!(files.exists("/etc/cloud/cloud-init.disabled").unwrap());
    assert!(!files.exists("/etc/cloud/cloud-init.enabled").unwrap());
    let line = files.read_text("p1:/cmdline.txt").unwrap().unwrap();
    assert_eq!(line, "root=/dev/mmcblk0p2 ds=nocloud;i=x\n");
    let user_data = files.read_text("p1:/user-data").unwrap().unwrap();
    assert!(user_data.starts_with("#cloud-config\n# Emptied by nodecard"), "{user_data}");
    assert!(
        notes.contains(
            "the user lab does not exist on the cards: only cloud-init would have created it, at \
             the first boot\n"
        ),
        "{notes}"
    );
}

#[test]
fn a_user_whom_the_profile_creates_is_not_missed() {
    let mut files = debian();
    files.write(
        "/etc/cloud/cloud.cfg",
        "users: [{name: lab}, {name: anna}]\ncloud_init_modules: [users-groups]\n",
    );
    let profile = format!("{PROFILE}users: {{lab: {{create: true}}}}\n");
    let fixture = Fixture::new(&profile);
    let rendered = render_shared(&fixture.cluster, &fixture.keys, &files, NOW).unwrap();
    let notes: Vec<String> = rendered.notes.iter().map(ToString::to_string).collect();
    let misses = |user: &str| {
        notes.iter().any(|note| note.starts_with(&format!("the user {user} does not exist")))
    };
    assert!(misses("anna") && !misses("lab"), "{notes:?}");
}

/// Where nobody can tell what cloud-init does, it does nothing.
#[test]
fn cloud_init_is_turned_off_where_it_cannot_be_checked() {
    let unread = |user_data: &str| {
        let mut files = debian();
        files.boot_partition(1, "p1:");
        files
            .write(
                "/etc/cloud/cloud.cfg",
                "datasource_list: [NoCloud]\nnetwork: {config: disabled}\n",
            )
            .write("p1:/meta-data", "instance-id: x\n")
            .write("p1:/user-data", user_data);
        let (files, notes) = disarmed(files);
        (files.exists("/etc/cloud/cloud-init.disabled").unwrap(), notes)
    };
    assert!(!unread("#cloud-config\n").0);
    let (is_off, notes) = unread("#include\nhttp://example.org/more\n");
    assert!(is_off);
    let expected = "cloud-init reads p1:/user-data, which nodecard cannot check (a part that comes \
                    from the network, http://example.org/more); it is turned off by \
                    /etc/cloud/cloud-init.disabled\n";
    assert!(notes.contains(expected), "{notes}");
}

/// What cloud-init sets may be what the image has, and not what the card gets.
#[test]
fn cloud_init_is_turned_off_for_what_only_a_finished_card_has() {
    let fixture = Fixture::new(PROFILE);
    let names: Vec<&str> = fixture.cluster.nodes.iter().map(|node| node.name.as_str()).collect();
    let is_off = |user_data: &str, node: usize| {
        let mut files = debian();
        files.write("/etc/hostname", format!("{}\n", names[0]));
        files.boot_partition(1, "p1:");
        files
            .write(
                "/etc/cloud/cloud.cfg",
                "datasource_list: [NoCloud]\nnetwork: {config: disabled}\n\
                 cloud_init_modules: [set_hostname, ssh]\n",
            )
            .write("/etc/ssh/ssh_host_rsa_key", "x")
            .write("/etc/ssh/ssh_host_ed25519_key", "x")
            .write("p1:/meta-data", "instance-id: x\n")
            .write("p1:/user-data", format!("#cloud-config\n{user_data}"));
        let shared = render_shared(&fixture.cluster, &fixture.keys, &files, NOW).unwrap();
        apply(&mut files, &shared.edits);
        let node = &fixture.cluster.nodes[node];
        let own = render_node(&fixture.cluster, node, &fixture.keys, &files, NOW).unwrap();
        apply(&mut files, &own.edits);
        files.exists("/etc/cloud/cloud-init.disabled").unwrap()
    };
    let quiet = "ssh_deletekeys: false\nssh_genkeytypes: [ed25519]\n";
    let name = format!("{quiet}preserve_hostname: false\nhostname: {}\n", names[0]);
    assert!(!is_off(&name, 0));
    assert!(is_off(&name, 1));
    assert!(is_off("ssh_deletekeys: false\nssh_genkeytypes: [rsa]\npreserve_hostname: true\n", 0));
}

#[test]
fn an_ssh_server_that_nothing_starts_is_enabled() {
    let link = format!("{WANTS}/ssh.service");
    let mut files = debian();
    files.remove(&link).write("/etc/ssh/sshd_not_to_be_run", "");
    let (files, notes) = disarmed(files);
    let target = files.read_link(&link).unwrap();
    assert_eq!(target.as_deref(), Some("/lib/systemd/system/ssh.service"));
    assert!(!files.exists("/etc/ssh/sshd_not_to_be_run").unwrap());
    let note = "/usr/sbin/sshd does not start at boot in the image: enabled ssh.service\n";
    assert!(notes.contains(note), "{notes}");

    // A unit that is masked.
    let mut files = debian();
    files.symlink("/etc/systemd/system/ssh.service", "/dev/null");
    let (files, notes) = disarmed(files);
    assert_eq!(files.read_link("/etc/systemd/system/ssh.service").unwrap(), None);
    assert!(notes.contains(note), "{notes}");

    // A script of System V.
    let mut files = debian();
    files.remove(&link).remove("/lib/systemd/system/ssh.service");
    files.write("/etc/init.d/ssh", "#!/bin/sh\n/usr/sbin/sshd\n").own(
        "/etc/init.d/ssh",
        0o755,
        0,
        0,
    );
    let (files, _) = disarmed(files);
    assert_eq!(files.read_link("/etc/rc3.d/S01ssh").unwrap().as_deref(), Some("../init.d/ssh"));
}

#[test]
fn a_system_without_an_ssh_server_is_refused_if_logins_need_one() {
    let mut files = debian();
    files.remove("/usr/sbin/sshd");
    let render = |profile: &str, files: &MemoryFiles| {
        let fixture = Fixture::new(profile);
        render_shared(&fixture.cluster, &fixture.keys, files, NOW).map_err(|error| {
            assert!(error.fix().unwrap().starts_with("install openssh-server or dropbear"));
            error.to_string()
        })
    };
    let refused = render(PROFILE, &files).unwrap_err();
    assert_eq!(refused, "the image has no ssh server, so nobody can log in by key");
    let (without, _) = PROFILE.split_once("ssh:").unwrap();
    assert!(render(without, &files).is_ok());
}

#[test]
fn a_system_that_keeps_nothing_of_a_card_is_refused_by_name() {
    let fixture = Fixture::new(PROFILE);
    let mut files = debian();
    files.directory("/ostree/deploy");
    let error = render_shared(&fixture.cluster, &fixture.keys, &files, NOW).unwrap_err();
    assert_eq!(
        error.to_string(),
        "no card can be made from an ostree system (/ostree/deploy in the image): its files are in \
         a deployment below /ostree, which its boot loader chooses"
    );
    assert!(error.fix().is_some_and(|fix| fix.contains("Raspberry Pi OS")));
}

/// The kernel's own configuration of an interface, of which programs know nothing.
#[test]
fn an_address_on_the_command_line_is_noted() {
    let path = "/boot/firmware/cmdline.txt";
    let with = |argument: &str| {
        let mut files = debian();
        files.boot_partition(1, "/boot/firmware");
        files.write(path, format!("console=tty1 {argument} rootwait\n"));
        disarmed(files).1
    };
    for argument in ["ip=dhcp", "ip=192.168.1.99::192.168.1.1:255.255.255.0::eth0:off"] {
        let notes = with(argument);
        let line = format!(
            "{argument} runs when a card boots and seems to change the network configuration \
             ({path}, line 1: {argument})\n"
        );
        assert!(notes.contains(&line), "{notes}");
    }
    for argument in ["ip=off", "ip=none", "ip="] {
        assert!(!with(argument).contains("network configuration"), "{argument}");
    }
}
