//! The profile's `boot:`: kernel arguments wherever a base keeps them, and config.txt.

mod common;

use cluster_profile::{Purpose, RenderError};
use common::{Fixture, Memory, PROFILE, profiles, ubuntu_1604};

fn boot(settings: &str) -> Fixture {
    Fixture::new(&format!("{PROFILE}boot: {settings}\n"))
}

#[test]
fn arguments_go_to_the_file_that_counts() {
    let fixture = boot("{cmdline: {add: [quiet, fsck.repair=yes], remove: [splash]}}");
    for (path, before, after) in [
        (
            "/boot/firmware/cmdline.txt",
            "console=tty1 root=/dev/mmcblk0p2 splash rootwait\n",
            "console=tty1 root=/dev/mmcblk0p2 rootwait quiet fsck.repair=yes\n",
        ),
        (
            "/boot/boot.ini",
            "ODROIDXU-UBOOT-CONFIG\nsetenv bootargs \"root=/dev/mmcblk0p2 splash quiet\"\n",
            "ODROIDXU-UBOOT-CONFIG\nsetenv bootargs \"root=/dev/mmcblk0p2 quiet \
             fsck.repair=yes\"\n",
        ),
        (
            "/boot/extlinux/extlinux.conf",
            "label l\n  kernel /k\n  append root=/dev/sda1 splash\n",
            "label l\n  kernel /k\n  append root=/dev/sda1 quiet fsck.repair=yes\n",
        ),
        ("/boot/armbianEnv.txt", "verbosity=1\n", "verbosity=1\nextraargs=quiet fsck.repair=yes\n"),
        (
            "/boot/armbianEnv.txt",
            "extraargs=splash net.ifnames=0\n",
            "extraargs=net.ifnames=0 quiet fsck.repair=yes\n",
        ),
        ("/boot/uEnv.txt", "uname_r=6.1\n", "uname_r=6.1\noptargs=quiet fsck.repair=yes\n"),
    ] {
        let (card, _) = fixture.settled(&ubuntu_1604().file(path, before), 1);
        assert_eq!(card.text(path), after, "{path}");
    }
}

/// The part of raspi-firmware 1.20220830's z50-raspi-firmware that writes the two files, with its
/// settings and files taken from a directory.
const HOOK: &str = r#"
firmware_custom="$1/etc/default/raspi-firmware-custom"
printf 'enable_uart=1\nupstream_kernel=1\n\nkernel=vmlinuz\n' >$1/config.txt
if [ -f "$firmware_custom" ] ; then
  cat >>$1/config.txt <<EOF

# Inserted by ${firmware_custom}
$(cat ${firmware_custom})
EOF
fi
cmdline_custom="$1/etc/default/raspi-extra-cmdline"
if [ -f "$cmdline_custom" ] ; then
  post_cmdline=$(cat $cmdline_custom)
fi
cat >$1/cmdline.txt <<EOF
console=tty0 root=/dev/mmcblk0p2 rw fsck.repair=yes net.ifnames=0 cma=64M rootwait ${post_cmdline}
EOF
"#;

#[test]
fn what_raspi_firmware_writes_anew_has_the_profiles_settings() {
    let fixture = boot(
        "{cmdline: {add: [quiet, cgroup_enable=memory], remove: [splash, rootwait]}, \
         config: {dtoverlay: [disable-bt], enable_uart: 0}}",
    );
    let base = ubuntu_1604()
        .file("/boot/firmware/cmdline.txt", "root=/dev/mmcblk0p2 rootwait splash\n")
        .file("/boot/firmware/config.txt", "enable_uart=1\n")
        .file("/etc/default/raspi-extra-cmdline", "splash audit=0")
        .file("/etc/kernel/postinst.d/z50-raspi-firmware", HOOK);
    let (card, notes) = fixture.settled(&base, 0);
    let work = tempfile::tempdir().unwrap();
    let defaults = work.path().join("etc/default");
    std::fs::create_dir_all(&defaults).unwrap();
    for name in ["raspi-extra-cmdline", "raspi-firmware-custom"] {
        std::fs::write(defaults.join(name), card.text(&format!("/etc/default/{name}"))).unwrap();
    }
    let ran = std::process::Command::new("sh").args(["-ec", HOOK, "sh"]).arg(work.path()).status();
    assert!(ran.unwrap().success());
    let written = |name: &str| std::fs::read_to_string(work.path().join(name)).unwrap();
    let arguments = written("cmdline.txt");
    assert!(arguments.ends_with("rootwait audit=0 quiet cgroup_enable=memory\n"), "{arguments}");
    assert_eq!(arguments.lines().count(), 1);
    let config = written("config.txt");
    assert!(config.ends_with("dtoverlay=disable-bt\nenable_uart=0\n"), "{config}");
    let stays = "rootwait";
    assert!(notes.iter().any(|note| note.contains(stays) && note.contains("z50-")), "{notes:?}");
    // A hook that writes neither of the two files, as Raspberry Pi OS has, and an old one.
    let path = "/etc/kernel/postinst.d/z50-raspi-firmware";
    for (hook, notes_of_hook) in [
        ("cp /boot/vmlinuz-6 /boot/firmware/kernel8.img\n", 0),
        ("echo >$1/cmdline.txt\n", 1),
        ("echo arm_64bit=1 >$1/config.txt\n", 1),
        ("echo >$1/cmdline.txt\necho >$1/config.txt\n", 2),
    ] {
        let (card, notes) = fixture.settled(&base.clone().file(path, hook), 0);
        assert_eq!(card.text("/etc/default/raspi-extra-cmdline"), "splash audit=0");
        assert!(!card.has("/etc/default/raspi-firmware-custom"));
        let about = notes.iter().filter(|note| note.contains("z50-raspi-firmware"));
        assert_eq!(about.count(), notes_of_hook, "{notes:?}");
    }
}

#[test]
fn a_base_without_boot_files_is_an_error() {
    let error = boot("{cmdline: {add: [quiet]}}").shared(&ubuntu_1604()).unwrap_err();
    assert!(matches!(error, RenderError::NoCommandLine) && error.fix().is_some(), "{error}");
    let error = boot("{config: {enable_uart: 1}}").shared(&ubuntu_1604()).unwrap_err();
    assert!(matches!(error, RenderError::NoConfigTxt) && error.fix().is_some(), "{error}");
}

#[test]
fn config_txt_is_changed_for_every_board() {
    let fixture = boot("{config: {enable_uart: 1, dtoverlay: [disable-wifi, disable-bt]}}");
    let base = ubuntu_1604().file(
        "/boot/firmware/config.txt",
        "enable_uart=0\ndtoverlay=disable-bt\n[pi4]\narm_boost=1\n",
    );
    let (card, _) = fixture.settled(&base, 0);
    assert_eq!(
        card.text("/boot/firmware/config.txt"),
        "enable_uart=1\ndtoverlay=disable-bt\n[pi4]\narm_boost=1\n[all]\ndtoverlay=disable-wifi\n"
    );
}

fn with_docker(base: Memory) -> Memory {
    base.file("/usr/bin/dockerd", "").dir("/lib/systemd/system").file("/usr/bin/flock", "")
}

/// Docker needs the memory cgroup, which the Raspberry Pi's kernels leave off.
#[test]
fn a_swarm_on_a_raspberry_pi_gets_the_memory_cgroup() {
    let fixture = Fixture::new(&format!("{PROFILE}swarm: {{}}\n"));
    let lines = |base: Memory, path: &str| -> String {
        let edits = fixture.shared(&base).unwrap().edits;
        let mut card = base;
        card.apply(&edits);
        assert!(
            edits.iter().all(|edit| edit.path != path || matches!(edit.purpose, Purpose::Boot(_)))
        );
        card.text(path)
    };
    let path = "/boot/firmware/cmdline.txt";
    let pi = |line: &str| {
        with_docker(ubuntu_1604()).file("/boot/firmware/config.txt", "").file(path, line)
    };
    assert_eq!(
        lines(pi("root=/dev/x rootwait\n"), path),
        "root=/dev/x rootwait cgroup_enable=memory cgroup_memory=1\n"
    );
    let there = "root=/dev/x cgroup_memory=1 cgroup_enable=memory\n";
    assert_eq!(lines(pi(there), path), there);
    let other = with_docker(ubuntu_1604()).file("/boot/armbianEnv.txt", "extraargs=a\n");
    assert_eq!(lines(other, "/boot/armbianEnv.txt"), "extraargs=a\n");
}

#[test]
fn mistakes_in_the_profile_are_reported() {
    for (settings, place, message) in [
        ("[quiet]", "7:7", "`boot` must be a mapping of keys to values, not a list"),
        ("{cmdline: {add: [a b]}}", "7:24", "\"a b\" is not one kernel argument"),
        ("{cmdline: {add: ['a=\"b']}}", "7:24", "\"a=\\\"b\" is not one kernel argument"),
        ("{cmdline: {add: [a], remove: [a]}}", "7:24", "a cannot be both added and removed"),
        ("{cmdline: {append: [a]}}", "7:18", "unknown key `append`"),
        ("{config: {a b: 1}}", "7:17", "\"a b\" is not a key of config.txt"),
        ("{config: {a: }}", "7:17", "a has no value"),
        ("{config: {a: \"1\\n2\"}}", "7:20", "\"1\\n2\" is not a value of config.txt"),
        (
            "{config: [a]}",
            "7:16",
            "`config` must be a mapping of config.txt's keys to values, not a list",
        ),
    ] {
        let text = profiles::profile(&["{name: xu4-node1, address: 192.168.1.81}"])
            + &format!("boot: {settings}\n");
        let problems = profiles::parse(&text).expect_err(settings);
        let summary = profiles::summary(&problems);
        assert!(summary.starts_with(&format!("{place}: {message}")), "{settings}: {summary}");
    }
}
