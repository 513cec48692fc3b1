//! Drawn trees of units, judged by systemd itself: the jobs of its initial transaction
//! (`systemd --test`), its conditions (`systemd-analyze condition`) and what it makes of
//! presets and masks (`systemctl --root`). All as root, in a mount namespace and a root
//! directory of their own.

mod common;
mod host;

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use common::{Draw, cases, program, run};
use host::HostFiles;
use system_model::{BootModel, ConditionState, ReadOptions, Reason, UnitState};

/// The units that are drawn.
const UNITS: [&str; 11] = [
    "aa.service",
    "bb.service",
    "cc.service",
    "dd.service",
    "ee.target",
    "ff.timer",
    "ff.service",
    "gg.path",
    "gg.service",
    "hh.socket",
    "hh.service",
];
/// Templates, and the instances that links and directives name.
const TEMPLATES: [&str; 1] = ["tt@.service"];
const INSTANCES: [&str; 2] = ["tt@x.service", "tt@y-z.service"];
/// Another name for a unit, and a script of System V.
const OTHERS: [&str; 2] = ["alias.service", "old.service"];

/// Mounts of /etc/fstab.
const MOUNTS: [&str; 4] = ["data.mount", "data-deep.mount", "data.automount", "srv-x.mount"];

/// Units that a timer, path or socket starts, later than the initial transaction. They pull in
/// nothing themselves.
const ACTIVATED: [&str; 3] = ["ff.service", "gg.service", "hh.service"];

const TARGETS: [&str; 4] = ["multi-user.target", "basic.target", "sysinit.target", "timers.target"];

/// Arguments of the kernel about units, and the unit that each chooses: only a systemd that runs as
/// the first process reads that, so the judge is told it (systemd(1), "Kernel Command Line").
const ARGUMENTS: [(&str, &str); 20] = [
    ("systemd.mask=aa.service", ""),
    ("systemd.mask=bb", ""),
    ("systemd.mask=alias.service", ""),
    ("systemd.mask=tt@x.service", ""),
    ("systemd.mask=tt@.service", ""),
    ("rd.systemd.mask=cc.service", ""),
    ("systemd.mask", ""),
    ("systemd.wants=dd.service", ""),
    ("systemd.wants=cc", ""),
    ("systemd.wants=tt@y-z.service", ""),
    ("systemd.wants=alias.service", ""),
    ("systemd.unit=ee.target", "ee.target"),
    ("systemd.unit=rescue.target", "rescue.target"),
    ("systemd.unit=none.target", "none.target"),
    ("systemd.unit", ""),
    ("single", "rescue.target"),
    ("1", "rescue.target"),
    ("emergency", "emergency.target"),
    ("3", "multi-user.target"),
    ("rescue=1", ""),
];

/// Files of systemd's own that every tree gets.
const STOCK: [&str; 18] = [
    "basic.target",
    "emergency.service",
    "emergency.target",
    "getty.target",
    "graphical.target",
    "local-fs.target",
    "local-fs-pre.target",
    "multi-user.target",
    "paths.target",
    "remote-fs.target",
    "rescue.service",
    "rescue.target",
    "shutdown.target",
    "slices.target",
    "sockets.target",
    "swap.target",
    "sysinit.target",
    "timers.target",
];

const DIRECTORIES: [&str; 3] =
    ["etc/systemd/system", "usr/local/lib/systemd/system", "usr/lib/systemd/system"];

struct Tree<'a> {
    root: PathBuf,
    draw: &'a mut Draw,
    missing: Vec<&'static str>,
    masked: Vec<&'static str>,
    /// What the kernel is started with.
    arguments: String,
}

impl Tree<'_> {
    fn write(&self, path: &str, text: &str) {
        let whole = self.root.join(path);
        fs::create_dir_all(whole.parent().expect("a parent")).expect("a directory");
        fs::write(whole, text).expect("written");
    }

    fn link(&self, path: &str, target: &str) {
        let whole = self.root.join(path);
        fs::create_dir_all(whole.parent().expect("a parent")).expect("a directory");
        let _ = fs::remove_file(&whole);
        symlink(target, whole).expect("a link");
    }

    fn any(&mut self) -> &'static str {
        let all: Vec<&str> = UNITS.iter().chain(&INSTANCES).chain(&OTHERS).copied().collect();
        self.draw.of(&all)
    }

    /// A unit that can start. How much of a unit's dependencies starts if one that it requires is
    /// missing or masked depends on the order of a hash table in systemd.
    fn sound(&mut self) -> &'static str {
        let file =
            |unit: &str| if unit.starts_with("tt@") { "tt@.service" } else { unit }.to_owned();
        let (missing, masked) = (&self.missing, &self.masked);
        let gone = |unit: &&str| {
            let file = file(unit);
            let mask = |name: &str| {
                let stem = name.trim_end_matches(".service");
                let mut words = self.arguments.split_whitespace();
                words.any(|one| {
                    one.strip_prefix("systemd.mask=").is_some_and(|one| one == name || one == stem)
                })
            };
            missing.iter().chain(masked).any(|one| *one == file) || mask(&file) || mask(unit)
        };
        let all: Vec<&str> =
            UNITS.iter().chain(&INSTANCES).copied().filter(|unit| !gone(unit)).collect();
        self.draw.of(&all)
    }

    fn condition(&mut self) -> String {
        let draw = &mut *self.draw;
        let negated = draw.of(&["", "", "!", "|", "|!"]);
        let one = draw.of(&[
            "PathExists={}/etc/there",
            "PathExists={}/etc/no",
            "PathExists={}/etc/dangling",
            "PathExistsGlob={}/etc/th*",
            "PathExistsGlob={}/etc/{x,there}",
            "PathIsDirectory={}/etc/directory",
            "PathIsDirectory={}/etc/there",
            "PathIsSymbolicLink={}/etc/link",
            "FileNotEmpty={}/etc/there",
            "FileNotEmpty={}/etc/empty",
            "FileIsExecutable={}/etc/there",
            "FileIsExecutable={}/etc/script",
            "DirectoryNotEmpty={}/etc/directory",
            "DirectoryNotEmpty={}/etc/full",
            "KernelCommandLine={}quiet",
            "KernelCommandLine={}root",
            "KernelCommandLine={}root=/dev/b",
            "KernelCommandLine={}root=/dev/a",
            "FirstBoot={}yes",
            "FirstBoot={}false",
        ]);
        let kind = if draw.one_in(6) { "Assert" } else { "Condition" };
        if draw.one_in(12) {
            format!("{kind}PathExists=\n")
        } else {
            format!("{kind}{}\n", one.replace("{}", negated))
        }
    }

    fn unit_section(&mut self, target: bool) -> String {
        let mut text = String::from("[Unit]\n");
        // systemd.target(5): targets have no conditions of their own worth drawing.
        for _ in 0..if target { 0 } else { self.draw.number(3) } {
            text.push_str(&self.condition());
        }
        for _ in 0..self.draw.number(3) {
            let key = self.draw.of(&["Wants", "Wants", "Requires", "BindsTo", "Upholds"]);
            let unit = match key {
                "Requires" | "BindsTo" => self.sound(),
                _ => self.any(),
            };
            let more = if self.draw.one_in(5) && key != "Requires" && key != "BindsTo" {
                " cc.service"
            } else {
                ""
            };
            if self.draw.one_in(10) {
                text.push_str(&format!("{key}=\n"))
            } else {
                text.push_str(&format!("{key}={unit}{more}\n"))
            }
        }
        if self.draw.one_in(3) {
            text.push_str("DefaultDependencies=no\n");
        }
        if self.draw.one_in(6) && !target {
            text.push_str("RequiresMountsFor=/data//deep/er\n");
        }
        text
    }

    /// Lines of /etc/fstab about filesystems that need no device.
    fn fstab(&mut self) {
        let mut text = String::new();
        for point in ["/data", "/data/deep/", "//srv/./x"] {
            if self.draw.one_in(3) {
                continue;
            }
            let options = self.draw.of(&[
                "defaults",
                "nofail",
                "noauto",
                "noauto",
                "noauto,x-systemd.automount",
                "x-systemd.automount",
                "x-systemd.wanted-by=ee.target",
                "noauto,x-systemd.wanted-by=dd.service",
                "x-systemd.required-by=basic.target",
            ]);
            text.push_str(&format!("none {point} tmpfs {options} 0 0\n"));
        }
        self.write("etc/fstab", &text);
        if self.draw.one_in(8) {
            self.link("etc/systemd/system/srv-x.mount", "/dev/null");
        }
    }

    fn unit(&mut self, name: &str) -> String {
        let mut text = if ACTIVATED.contains(&name) {
            String::from("[Unit]\nDefaultDependencies=no\n")
        } else {
            self.unit_section(name.ends_with(".target"))
        };
        let suffix = name.rsplit('.').next().unwrap_or_default();
        match suffix {
            "service" => {
                text.push_str("[Service]\nType=oneshot\nExecStart=/bin/true %i\n");
                if self.draw.one_in(9) && !ACTIVATED.contains(&name) {
                    text.push_str("Sockets=hh.socket\n");
                }
            }
            "timer" => text.push_str("[Timer]\nOnBootSec=1\n"),
            "path" => text.push_str("[Path]\nPathExists=/etc/there\n"),
            "socket" => text.push_str("[Socket]\nListenStream=/run/hh\n"),
            _ => {}
        }
        if suffix != "target" && self.draw.one_in(2) {
            let by = self.draw.of(&TARGETS);
            let key = self.draw.of(&["WantedBy", "WantedBy", "RequiredBy"]);
            text.push_str(&format!("[Install]\n{key}={by}\n"));
            if name.contains("@.") {
                text.push_str("DefaultInstance=x\n");
            }
        }
        text
    }

    /// Draws the arguments of the kernel. Returns the unit that they choose.
    fn draw_arguments(&mut self) -> &'static str {
        let (mut line, mut chosen) = (String::from("quiet root=/dev/a"), "default.target");
        for _ in 0..if self.draw.one_in(2) { 1 + self.draw.number(3) } else { 0 } {
            let at = self.draw.number(ARGUMENTS.len());
            let (argument, unit) = ARGUMENTS[at];
            line.push(' ');
            line.push_str(argument);
            chosen = if unit.is_empty() { chosen } else { unit };
        }
        line.push('\n');
        self.write("boot/cmdline.txt", &line);
        self.arguments = line;
        chosen
    }

    fn make(&mut self) {
        for name in UNITS.iter().chain(&TEMPLATES) {
            match self.draw.number(14) {
                // The model takes a target without a file for one of systemd's own.
                0 | 1 if !name.ends_with(".target") => self.missing.push(name),
                2 => self.masked.push(name),
                _ => {}
            }
        }
        for name in UNITS.iter().chain(&TEMPLATES) {
            if self.missing.contains(name) {
                continue;
            }
            let text = self.unit(name);
            let directory = self.draw.of(&DIRECTORIES);
            self.write(&format!("{directory}/{name}"), &text);
            if self.draw.one_in(8) {
                // A unit of the same name in another directory.
                let text = self.unit(name);
                let directory = self.draw.of(&DIRECTORIES);
                self.write(&format!("{directory}/{name}"), &text);
            }
            if self.masked.contains(name) {
                let path = format!("etc/systemd/system/{name}");
                if self.draw.one_in(3) {
                    let _ = fs::remove_file(self.root.join(&path));
                    self.write(&path, "");
                } else {
                    self.link(&path, "/dev/null");
                }
            }
            if self.draw.one_in(5) && !ACTIVATED.contains(name) {
                let drop_in = self.unit_section(false);
                let stem = name.rsplit('.').next().unwrap_or_default();
                let own = format!("{name}.d");
                let general = format!("{stem}.d");
                let directory = self.draw.of(&DIRECTORIES);
                let which = self.draw.of(&[own.as_str(), own.as_str(), general.as_str()]);
                let number = self.draw.number(3);
                // General drop-ins with directives would reach the stock units as well.
                if which == own {
                    self.write(&format!("{directory}/{which}/{number}.conf"), &drop_in);
                }
            }
        }
        for _ in 0..2 + self.draw.number(6) {
            let kind = self.draw.of(&["wants", "wants", "wants", "requires"]);
            let unit = if kind == "requires" { self.sound() } else { self.any() };
            let by = if self.draw.one_in(4) {
                self.draw.of(&["aa.service", "ee.target", "bb.service"])
            } else {
                self.draw.of(&TARGETS)
            };
            let directory = self.draw.of(&DIRECTORIES);
            let file = match unit.split_once('@') {
                Some(_) => "tt@.service",
                None => unit,
            };
            let target =
                if self.draw.one_in(6) { "/dev/null".to_owned() } else { format!("../{file}") };
            self.link(&format!("{directory}/{by}.{kind}/{unit}"), &target);
        }
        if self.draw.one_in(3) {
            self.link("etc/systemd/system/alias.service", "/usr/lib/systemd/system/aa.service");
        }
        if self.draw.one_in(3) {
            let runlevel = self.draw.number(6);
            self.write(
                "etc/init.d/old",
                "#!/bin/sh\n### BEGIN INIT INFO\n# Provides: old\n# Default-Start: 2 3\n\
                 ### END INIT INFO\ntrue\n",
            );
            fs::set_permissions(
                self.root.join("etc/init.d/old"),
                std::os::unix::fs::PermissionsExt::from_mode(0o755),
            )
            .expect("executable");
            self.link(&format!("etc/rc{runlevel}.d/S01old"), "../init.d/old");
        }
        for number in 0..self.draw.number(3) {
            let mut text = String::new();
            for _ in 0..1 + self.draw.number(3) {
                let rule = self.draw.of(&["enable", "disable", "disable"]);
                let unit = self.draw.of(&["aa.service", "b*.service", "*", "tt@.service", "ff.*"]);
                text.push_str(&format!("{rule} {unit}\n"));
            }
            let directory = self.draw.of(&["etc", "usr/lib"]);
            self.write(&format!("{directory}/systemd/system-preset/{number}0-x.preset"), &text);
        }
    }
}

/// Makes the parts of a tree that are the same in all.
fn common_parts(tree: &Tree<'_>) {
    for name in STOCK {
        let host = ["/usr/lib/systemd/system", "/lib/systemd/system"]
            .iter()
            .find_map(|directory| fs::read_to_string(format!("{directory}/{name}")).ok())
            .unwrap_or_else(|| panic!("{name} is missing: install Debian's package systemd"));
        tree.write(&format!("usr/lib/systemd/system/{name}"), &host);
    }
    tree.link("usr/lib/systemd/system/default.target", "multi-user.target");
    tree.link("lib", "usr/lib");
    tree.write("etc/there", "x\n");
    tree.write("etc/empty", "");
    tree.write("etc/script", "#!/bin/sh\n");
    fs::set_permissions(
        tree.root.join("etc/script"),
        std::os::unix::fs::PermissionsExt::from_mode(0o755),
    )
    .expect("executable");
    tree.link("etc/link", "there");
    tree.link("etc/dangling", "nowhere");
    tree.write("etc/full/file", "");
    fs::create_dir_all(tree.root.join("etc/directory")).expect("a directory");
    // What presets say of units that no rule names is "enable".
    tree.write("usr/lib/systemd/system-preset/99-default.preset", "disable *\n");
}

/// Runs systemd on every tree. Leaves `transaction`, `first.transaction` (after presets),
/// `condition.UNIT` and `states` beside each.
const SCRIPT: &str = r#"
set -e
root=$1 user=65534
mkdir -p $root/usr $root/run $root/tmp $root/proc $root/dev $root/sys
ask() {
    chroot $root env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/ SYSTEMD_PROC_CMDLINE="$(cat $tree/cmdline)" "$@"
}
mount --bind /usr $root/usr
for name in bin sbin lib lib32 lib64 libx32; do
    if [ -L /$name ]; then ln -s usr/$name $root/$name 2>/dev/null || true; fi
done
mount --rbind /proc $root/proc; mount --rbind /dev $root/dev; mount --rbind /sys $root/sys
mkdir -p $root/etc; mount -t tmpfs none $root/etc
mount -t tmpfs none $root/usr/local
mkdir -p $root/usr/local/lib/systemd/system
for tree in "$2"/*/; do
    tree=${tree%/}
    judge() {
        mount --bind $tree/$1/usr/lib/systemd/system $root/usr/lib/systemd/system
        mount --bind $tree/$1/usr/local/lib/systemd/system $root/usr/local/lib/systemd/system
        mount --bind $tree/$1/etc $root/etc
        # Generators have an environment of their own.
        mount --bind $tree/cmdline $root/proc/cmdline
        mount -t tmpfs none $root/run; mount -t tmpfs none $root/tmp; chmod 1777 $root/tmp
        mkdir -p $root/run/systemd; chown $user $root/run/systemd
        ask setpriv --reuid $user --regid $user --clear-groups \
            /usr/lib/systemd/systemd --test --system --no-pager --unit=$(cat $tree/chosen) >$tree/$2 2>&1 || echo "ENDED WITH $?" >>$tree/$2
        if [ $2 = transaction ]; then
            # Left by the run above, as the tree has no machine id.
            rm -f $root/run/systemd/first-boot
            for unit in $(cat $tree/conditions); do
                ask systemd-analyze condition --unit=$unit >$tree/condition.$unit 2>&1 && echo HOLDS >>$tree/condition.$unit || true
            done
        fi
        umount $root/proc/cmdline $root/tmp $root/run $root/etc $root/usr/local/lib/systemd/system $root/usr/lib/systemd/system
    }
    judge tree transaction
    systemctl --root=$tree/first preset-all --preset-mode=enable-only >$tree/presets 2>&1 || true
    judge first first.transaction
    systemctl --root=$tree/tree is-enabled $(cat $tree/names) >$tree/states 2>$tree/states.errors || true
done
"#;

/// Returns the units that a transaction starts, or `None` if systemd did not get that far.
fn transaction(text: &str) -> Option<BTreeSet<String>> {
    // Which job goes for a cycle depends on the order of a hash table.
    if text.contains("ordering cycle") {
        return None;
    }
    if text.contains("ENDED WITH") || !text.contains("determined initial transaction") {
        return None;
    }
    let jobs = text.lines().filter_map(|line| {
        line.trim().strip_prefix("Action: ")?.strip_suffix(" -> start").map(str::to_owned)
    });
    Some(jobs.collect())
}

#[test]
fn drawn_units_start_as_systemd_starts_them() {
    let unshare = program(&["unshare"], "util-linux");
    for (name, package) in [
        ("systemctl", "systemd"),
        ("systemd-analyze", "systemd"),
        ("setpriv", "util-linux"),
        ("chroot", "coreutils"),
    ] {
        program(&[name], package);
    }
    if !run(Command::new(&unshare).args(["-m", "true"])).status.success() {
        test_support::not_judged("systemd was not asked: that needs root");
        return;
    }
    let work = tempfile::tempdir().expect("a directory");
    // systemd runs as another user, which has to get there.
    run(Command::new("chmod").arg("755").arg(work.path()));
    let ours = UNITS.iter().chain(&INSTANCES).chain(&OTHERS).chain(&MOUNTS);
    let ours: Vec<&str> = ours.copied().collect();
    let with_conditions = ["aa.service", "bb.service", "cc.service"];
    let trees = work.path().join("trees");
    for seed in 0..cases(30) {
        let mut draw = Draw::new(seed + 11);
        let at = trees.join(format!("{seed:04}"));
        let (root, missing, masked) = (at.join("tree"), Vec::new(), Vec::new());
        let arguments = String::new();
        let mut tree = Tree { root, draw: &mut draw, missing, masked, arguments };
        for directory in DIRECTORIES {
            fs::create_dir_all(tree.root.join(directory)).expect("a directory");
        }
        common_parts(&tree);
        let chosen = tree.draw_arguments();
        tree.make();
        tree.fstab();
        fs::write(at.join("cmdline"), &tree.arguments).expect("written");
        fs::write(at.join("chosen"), chosen).expect("written");
        let exists = |name: &&str| {
            let at = |directory| tree.root.join(directory).join(name).symlink_metadata().is_ok();
            DIRECTORIES.iter().any(at)
        };
        let names: Vec<&str> = UNITS.into_iter().filter(exists).collect();
        fs::write(at.join("names"), names.join("\n")).expect("written");
        fs::write(at.join("conditions"), with_conditions.join("\n")).expect("written");
        let copied = run(Command::new("cp").arg("-a").arg(at.join("tree")).arg(at.join("first")));
        assert!(copied.status.success());
    }
    let root = work.path().join("root");
    fs::create_dir(&root).expect("a directory");
    let output =
        run(Command::new(&unshare).args(["-m", "sh", "-c", SCRIPT, "sh"]).arg(&root).arg(&trees));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let (mut started, mut judged, mut by_preset, mut gave_up, mut severed) = (0, 0, 0, 0, 0);
    let mut wrong = Vec::new();
    for seed in 0..cases(30) {
        let at = trees.join(format!("{seed:04}"));
        let read = |name: &str| fs::read_to_string(at.join(name)).unwrap_or_default();
        let mut plain = BTreeSet::new();
        for (first_boot, file) in [(false, "transaction"), (true, "first.transaction")] {
            let files = HostFiles::new(&at.join("tree"));
            let options = ReadOptions { first_boot: Some(first_boot) };
            let model = BootModel::read_with(&files, options).expect("readable");
            let Some(theirs) = transaction(&read(file)) else {
                // A required unit that is missing or masked: systemd starts its rescue target.
                let said = read(file);
                let known = ["Failed to isolate default target", "ordering cycle"];
                assert!(known.iter().any(|one| said.contains(one)), "{said}");
                gave_up += 1;
                continue;
            };
            let started_units = model.systemd().started();
            let is_activated = |name: &str| {
                let is_activation = |reason: &Reason| matches!(reason, Reason::Activation { .. });
                let unit = started_units.iter().find(|unit| unit.name == name);
                unit.is_some_and(|unit| unit.reasons.iter().any(is_activation))
            };
            let compared = || ours.iter().copied().filter(|name| !is_activated(name));
            let theirs: BTreeSet<&str> = compared().filter(|name| theirs.contains(*name)).collect();
            let mine: BTreeSet<&str> = compared()
                .filter(|name| started_units.iter().any(|unit| unit.name == *name))
                .collect();
            if mine != theirs {
                // At a broken symlink preset-all ends; what it enabled before depends on its order.
                if first_boot && read("presets").contains("Failed to preset unit") {
                    severed += 1;
                    continue;
                }
                wrong.push(format!(
                    "seed {seed}, first boot {first_boot}: model {mine:?}, systemd {theirs:?}\n{}\n{}",
                    read(file).lines().take(12).collect::<Vec<_>>().join("\n"),
                    show(&at)
                ));
                continue;
            }
            started += theirs.len();
            if first_boot {
                by_preset += theirs.difference(&plain).count();
                continue;
            }
            plain = theirs.clone();
            for name in &with_conditions {
                let Some(unit) = model.systemd().started().iter().find(|unit| unit.name == *name)
                else {
                    continue;
                };
                let said = read(&format!("condition.{name}"));
                let holds = said.lines().any(|line| line == "HOLDS");
                let mine = match unit.condition {
                    ConditionState::Holds => true,
                    ConditionState::Fails(_) => false,
                    ConditionState::Open(_) => panic!("nothing here is open: {unit:?}"),
                };
                assert_eq!(mine, holds, "seed {seed}, {name}: {said}\n{}", show(&at));
                judged += 1;
            }
            let (names, states) = (read("names"), read("states"));
            assert_eq!(names.lines().count(), states.lines().count(), "{}", read("states.errors"));
            for (name, state) in names.lines().zip(states.lines()) {
                let mine = model.systemd().state(name);
                // systemctl does not look at the kernel's command line.
                if matches!(mine, UnitState::MaskedByArgument(_)) {
                    continue;
                }
                assert_eq!(
                    matches!(mine, UnitState::Masked(_)),
                    state.starts_with("masked"),
                    "seed {seed}, {name} is {state}: {mine:?}\n{}",
                    show(&at)
                );
            }
        }
    }
    assert!(wrong.is_empty(), "{} trees differ:\n{}", wrong.len(), wrong.join("\n"));
    println!(
        "{started} units start alike ({by_preset} by presets), {judged} conditions judged, \
         {gave_up} boots that systemd gives up, {severed} whose presets end at a broken symlink"
    );
    assert!(started > 100 && judged > 15 && by_preset > 3, "{started} {judged} {by_preset}");
}

/// Shows the drawn files of a tree.
fn show(at: &Path) -> String {
    let script = "cat cmdline; cd tree && find . -type l -path '*system*' -printf '%p -> %l\\n' && \
                  find . -type f -path '*system*' ! -name '*-*.target' | sort | \
                  while read -r file; do case $file in *-fs.target|*/[bgmpst]*.target) ;; \
                  *) echo \"--- $file\"; cat \"$file\";; esac; done";
    let output = run(Command::new("sh").args(["-c", script]).current_dir(at));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
