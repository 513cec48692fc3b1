use super::*;
use crate::{BootModel, Effect, MemoryFiles};

fn base() -> MemoryFiles {
    let mut files = MemoryFiles::new();
    files.write("/etc/machine-id", "0123456789abcdef0123456789abcdef\n");
    files
}

fn systemd(files: &MemoryFiles) -> Systemd {
    BootModel::read(files).unwrap().systemd().clone()
}

fn running(files: &MemoryFiles, unit: &str) -> bool {
    systemd(files).running(unit).is_some()
}

const WANTS: &str = "/etc/systemd/system/multi-user.target.wants";

fn enabled(unit: &str, text: &str) -> MemoryFiles {
    let mut files = base();
    let path = format!("/usr/lib/systemd/system/{unit}");
    files.write(&path, text).symlink(&format!("{WANTS}/{unit}"), &path);
    files
}

#[test]
fn links_masks_and_aliases() {
    let mut files = enabled("a.service", "[Unit]\nWants=b.service\n[Service]\nExecStart=/a\n");
    files.write("/usr/lib/systemd/system/b.service", "[Service]\nExecStart=/b\n");
    files.symlink("/etc/systemd/system/c.service", "/usr/lib/systemd/system/b.service");
    assert!(running(&files, "a.service") && running(&files, "b.service"));
    assert!(running(&files, "c.service"), "an alias");
    let steps = systemd(&files).disarm("c.service");
    assert_eq!(
        steps,
        [Disarm::MaskUnit {
            unit: "b.service".to_owned(),
            path: "/etc/systemd/system/b.service".to_owned()
        }]
    );
    assert_eq!(
        systemd(&files).disarm("a.service"),
        [Disarm::DisableUnit {
            unit: "a.service".to_owned(),
            links: vec![format!("{WANTS}/a.service")]
        }]
    );
    let mut masked = files.clone();
    masked.symlink("/etc/systemd/system/b.service", "/dev/null");
    assert!(!running(&masked, "b.service"));
    masked.remove("/etc/systemd/system/b.service").write("/etc/systemd/system/b.service", "");
    assert!(!running(&masked, "b.service"), "an empty file masks");
    // A link of a package is hidden by a link to /dev/null of the same name in /etc.
    let mut files = base();
    files.write("/usr/lib/systemd/system/d.service", "[Service]\nExecStart=/d\n");
    files.symlink("/usr/lib/systemd/system/multi-user.target.wants/d.service", "../d.service");
    assert!(running(&files, "d.service"));
    files.symlink(&format!("{WANTS}/d.service"), "/dev/null");
    assert!(!running(&files, "d.service"));
}

#[test]
fn templates_get_their_instance() {
    let mut files = base();
    files.write("/lib/systemd/system/x@.service", "[Service]\nExecStart=/run-it %i %n\n");
    files.symlink(&format!("{WANTS}/x@a.service"), "/lib/systemd/system/x@.service");
    files.write("/etc/systemd/system/x@.service.d/1.conf", "[Service]\nExecStartPre=/pre %p\n");
    let model = systemd(&files);
    let commands: Vec<&str> =
        model.running("x@a.service").unwrap().execs.iter().map(|e| e.command.as_str()).collect();
    assert_eq!(commands, ["/pre x", "/run-it a x@a.service"]);
}

#[test]
fn drop_ins_of_every_kind_apply_in_order() {
    let mut files = enabled("foo-bar.service", "[Service]\nExecStart=/a\n");
    files.write("/etc/systemd/system/foo-bar.service.d/20.conf", "[Service]\nExecStart=/b\n");
    files.write("/usr/lib/systemd/system/foo-.service.d/10.conf", "[Service]\nExecStart=\n");
    files.write("/etc/systemd/system/service.d/30.conf", "[Service]\nExecStartPost=/c\n");
    files.write("/usr/lib/systemd/system/foo-bar.service.d/20.conf", "[Service]\nExecStart=/no\n");
    let model = systemd(&files);
    let unit = model.running("foo-bar.service").unwrap();
    let commands: Vec<&str> = unit.execs.iter().map(|exec| exec.command.as_str()).collect();
    assert_eq!(commands, ["/b", "/c"]);
    assert_eq!(unit.drop_ins.len(), 3);
}

#[test]
fn conditions() {
    for (condition, holds) in [
        ("ConditionPathExists=/there", true),
        ("ConditionPathExists=!/there", false),
        ("ConditionPathExists=|/no\nConditionPathExists=|/there", true),
        ("ConditionPathExists=|/no\nConditionPathExists=|/nor", false),
        ("ConditionPathExists=/no\nConditionPathExists=", true),
        ("ConditionPathExistsGlob=/th{ere,en}", true),
        ("ConditionFirstBoot=yes", false),
        ("ConditionFirstBoot=no", true),
        ("ConditionFileNotEmpty=/there", false),
        ("ConditionDirectoryNotEmpty=/etc", true),
        ("ConditionKernelCommandLine=quiet", true),
        ("ConditionKernelCommandLine=!root", false),
        ("ConditionKernelCommandLine=root=/dev/b", false),
        ("AssertPathExists=/no", false),
        ("ConditionPathExists=/run/flag", true),
        ("ConditionVirtualization=!container", true),
    ] {
        let mut files =
            enabled("a.service", &format!("[Unit]\n{condition}\n[Service]\nExecStart=/a\n"));
        files.write("/there", "").write("/boot/cmdline.txt", "quiet root=/dev/a\n");
        assert_eq!(running(&files, "a.service"), holds, "{condition}");
    }
}

#[test]
fn a_first_boot_applies_presets() {
    let unit = "[Service]\nExecStart=/a\n[Install]\nWantedBy=multi-user.target\n";
    for (id, first) in [
        (None, true),
        (Some("uninitialized\n"), true),
        (Some(""), false),
        (Some("0123456789abcdef0123456789abcdef\n"), false),
    ] {
        let mut files = base();
        files.remove("/etc/machine-id");
        if let Some(id) = id {
            files.write("/etc/machine-id", id);
        }
        for name in ["a", "b", "c"] {
            files.write(&format!("/usr/lib/systemd/system/{name}.service"), unit);
        }
        files.write("/usr/lib/systemd/system-preset/90-x.preset", "enable a*\ndisable b.service\n");
        files.write(
            "/etc/systemd/system-preset/10-x.preset",
            "disable c.service\nenable c.service\n",
        );
        assert_eq!(systemd(&files).first_boot(), first, "{id:?}");
        assert_eq!(running(&files, "a.service"), first, "{id:?}");
        assert!(!running(&files, "b.service") && !running(&files, "c.service"));
        files.remove("/usr/lib/systemd/system-preset").remove("/etc/systemd/system-preset");
        assert_eq!(running(&files, "c.service"), first, "no rule enables");
        if first {
            let steps = systemd(&files).disarm("a.service");
            assert!(matches!(steps.as_slice(), [Disarm::MaskUnit { .. }]), "{steps:?}");
        }
    }
}

#[test]
fn sockets_timers_and_paths_start_services() {
    for (kind, section, target) in
        [("socket", "Socket", "sockets"), ("timer", "Timer", "timers"), ("path", "Path", "paths")]
    {
        let mut files = base();
        let unit = format!("a.{kind}");
        files.write(&format!("/lib/systemd/system/{unit}"), format!("[{section}]\n"));
        files.write("/lib/systemd/system/a.service", "[Service]\nExecStart=/a\n");
        assert!(!running(&files, "a.service"));
        files.symlink(&format!("/etc/systemd/system/{target}.target.wants/{unit}"), "x");
        assert!(running(&files, "a.service"), "{kind}");
        assert!(running(&files, &unit));
    }
}

#[test]
fn system_v_scripts_count_only_without_a_native_unit() {
    let mut files = base();
    files.write("/etc/init.d/networking", "#!/bin/sh\n").own("/etc/init.d/networking", 0o755, 0, 0);
    files.symlink("/etc/rcS.d/S01networking", "../init.d/networking");
    assert!(running(&files, "networking.service"));
    assert_eq!(
        systemd(&files).disarm("networking.service"),
        [Disarm::RemoveSysvLink { path: "/etc/rcS.d/S01networking".to_owned() }]
    );
    let mut native = files.clone();
    native.write("/lib/systemd/system/networking.service", "[Service]\nExecStart=/x\n");
    assert!(!running(&native, "networking.service"), "a native unit that nothing enables");
    files.symlink("/etc/systemd/system/networking.service", "/dev/null");
    assert!(!running(&files, "networking.service"), "masked");
}

#[test]
fn rc_local_runs_if_it_is_executable() {
    let mut files = base();
    files.write("/etc/rc.local", "#!/bin/sh\nresize2fs /dev/x\n");
    assert_eq!(BootModel::read(&files).unwrap().threats(&Effect::ALL), []);
    files.own("/etc/rc.local", 0o755, 0, 0);
    let threats = BootModel::read(&files).unwrap().threats(&Effect::ALL);
    assert_eq!(threats[0].location.to_string(), "/etc/rc.local, line 2");
    files.symlink("/etc/systemd/system/rc-local.service", "/dev/null");
    assert_eq!(BootModel::read(&files).unwrap().threats(&Effect::ALL), []);
}

#[test]
fn the_target_of_the_command_line_starts() {
    let mut files = enabled("a.service", "[Service]\nExecStart=/a\n");
    files.write("/lib/systemd/system/small.target", "[Unit]\n");
    files.write("/boot/cmdline.txt", "root=x systemd.unit=small.target\n");
    assert_eq!(systemd(&files).default_target(), "small.target");
    assert!(!running(&files, "a.service"));
    files.write("/boot/cmdline.txt", "root=x console=ttyS0,115200\n");
    files.write(
        "/lib/systemd/system/serial-getty@.service",
        "[Service]\nExecStart=/sbin/agetty %I\n",
    );
    files.symlink("/etc/systemd/system/default.target", "/lib/systemd/system/graphical.target");
    assert!(running(&files, "a.service") && running(&files, "serial-getty@ttyS0.service"));
}

#[test]
fn hostile_trees_end() {
    let mut files = base();
    files.symlink("/etc/systemd/system/default.target", "a.target");
    files.symlink("/etc/systemd/system/a.target", "b.target");
    files.symlink("/etc/systemd/system/b.target", "a.target");
    assert!(systemd(&files).started().len() < 10);
    let mut files = base();
    for name in ["a", "b"] {
        let text = "[Unit]\nWants=a.service b.service x@%n.service\n[Service]\nExecStart=%\n";
        files.write(&format!("/lib/systemd/system/{name}.service"), text);
        files.symlink(&format!("{WANTS}/{name}.service"), "x");
    }
    files.write("/lib/systemd/system/x@.service", "[Unit]\nWants=x@%i%i.service\n");
    files.write("/etc/systemd/system/a.service.d/x.conf", b"\xff\xfe\0[[[=\n=\n[Unit\n\\\n");
    files.symlink("/etc/systemd/system/loop.service", "loop.service");
    files.symlink("/etc/rcS.d", "/etc/rcS.d");
    files.write("/boot/cmdline.txt", b"\"\xff init= = systemd.run=\" ds=nocloud;;=;s= ip=");
    files.write("/boot/extlinux/extlinux.conf", "append\nlabel\nappend x\ndefault");
    files.write(
        "/boot/boot.ini",
        "setenv\nsetenv bootargs\nsetenv bootargs \"\nsetenv bootargs ${bootargs} x",
    );
    assert!(systemd(&files).started().len() > 2);
}

/// Seen in a drawn tree, judged by systemd.
#[test]
fn a_system_v_script_without_links_is_a_unit_that_others_can_want() {
    let mut files = enabled("a.service", "[Unit]\nWants=old.service\n[Service]\nExecStart=/a\n");
    let script = "/etc/init.d/old";
    files.write(script, "#!/bin/sh\nrm -f /etc/machine-id\n").own(script, 0o755, 0, 0);
    assert!(running(&files, "old.service"));
    let threats = BootModel::read(&files).unwrap().threats(&[Effect::MachineId]);
    assert_eq!(threats.len(), 1, "{threats:?}");
    files.remove(&format!("{WANTS}/a.service"));
    assert!(!running(&files, "old.service"));
}

/// A system that counts how often it is asked something.
struct Counting(MemoryFiles, std::cell::Cell<usize>);

impl Counting {
    fn one(&self) -> &MemoryFiles {
        self.1.set(self.1.get() + 1);
        &self.0
    }
}

impl SystemFiles for Counting {
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, SystemError> {
        self.one().read(path)
    }
    fn list(&self, path: &str) -> Result<Option<Vec<String>>, SystemError> {
        self.one().list(path)
    }
    fn metadata(&self, path: &str) -> Result<Option<crate::FileMetadata>, SystemError> {
        self.one().metadata(path)
    }
    fn read_link(&self, path: &str) -> Result<Option<String>, SystemError> {
        self.one().read_link(path)
    }
    fn boot_partitions(&self) -> Vec<crate::BootPartition> {
        self.one().boot_partitions()
    }
}

#[test]
fn the_files_read_grow_with_the_units_not_with_their_square() {
    let asked = |units: usize| {
        let mut files = base();
        for unit in 0..units {
            let path = format!("/usr/lib/systemd/system/u{unit}.service");
            let link = format!("/etc/systemd/system/u{unit}.target.wants/u{unit}.service");
            files.write(&path, "[Service]\nExecStart=/a\n").symlink(&link, &path);
        }
        let files = Counting(files, 0.into());
        let lines = CommandLines::read(&files.0).unwrap();
        Systemd::read(&files, &lines, Some(false)).unwrap();
        files.1.get()
    };
    let (few, many) = (asked(20), asked(80));
    assert!(few > 20 && many < 4 * few + 50, "{few} and {many}");
}

/// A tree with these arguments, in which ssh.service is enabled.
fn with_arguments(arguments: &str) -> MemoryFiles {
    let mut files = enabled("ssh.service", "[Service]\nExecStart=/usr/sbin/sshd -D\n");
    files.boot_partition(1, "/boot/firmware");
    files.write("/boot/firmware/cmdline.txt", &format!("console=tty1 {arguments} rootwait\n"));
    files
}

#[test]
fn the_command_line_masks_wants_and_chooses() {
    let why = |files: &MemoryFiles| systemd(files).why_not_started("ssh.service");
    let argument = |text: &str| KernelArgument {
        text: text.to_owned(),
        location: Location::new("/boot/firmware/cmdline.txt", 1),
    };
    for text in ["systemd.mask=ssh.service", "systemd.mask=ssh"] {
        let masked = NotStarted::MaskedByArgument(argument(text));
        assert_eq!(why(&with_arguments(text)), Some(masked), "{text}");
    }
    for (text, target) in [
        ("rescue", "rescue.target"),
        ("single", "rescue.target"),
        ("1", "rescue.target"),
        ("emergency", "emergency.target"),
        ("systemd.unit=emergency.target", "emergency.target"),
        ("systemd.unit=missing.target", "rescue.target"),
    ] {
        let (target, argument) = (target.to_owned(), Some(argument(text)));
        let other = NotStarted::OtherTarget { target, argument };
        assert_eq!(why(&with_arguments(text)), Some(other), "{text}");
    }
    for text in [
        "rd.systemd.mask=ssh.service",
        "rescue 3",
        "rescue=1",
        "systemd.unit=wrong",
        "systemd.run=/x systemd.unit=kernel-command-line.target",
        "systemd.unit=rescue.target systemd.wants=ssh",
    ] {
        assert_eq!(why(&with_arguments(text)), None, "{text}");
    }
    let mut files = base();
    files.write("/usr/lib/systemd/system/ssh.service", "[Unit]\nConditionPathExists=/no\n");
    assert_eq!(why(&files), Some(NotStarted::NotEnabled));
    files.symlink(&format!("{WANTS}/ssh.service"), "/x");
    let unit = Location::new("/usr/lib/systemd/system/ssh.service", 2);
    assert_eq!(why(&files), Some(NotStarted::Condition(unit)));
    let mask = "/etc/systemd/system/ssh.service";
    files.symlink(mask, "/dev/null");
    assert_eq!(why(&files), Some(NotStarted::Masked(mask.to_owned())));
}
