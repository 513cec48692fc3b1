//! The udev rule in docs/guide.md that lets users write cards without root.

use std::{env, fs, path::Path, process::Command};

use crate::support::*;

/// What the guide says to put where: the name of the file, and its line.
fn advice() -> (String, String) {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guide.md");
    let guide = fs::read_to_string(guide).unwrap();
    let (_, after) = guide.split_once("`/etc/udev/rules.d/").expect("a file of rules");
    let (name, _) = after.split_once('`').unwrap();
    let mut rules = guide.lines().filter(|line| line.starts_with("    SUBSYSTEM=="));
    let rule = rules.next().expect("a rule").trim().to_owned();
    assert_eq!(rules.next(), None);
    (name.to_owned(), rule)
}

/// Returns udevadm of this machine, or of the system that scripts/test has unpacked.
fn udevadm() -> String {
    let trees = env::var("SYSTEM_MODEL_TREES").unwrap_or_default();
    let mut places = trees.split(':').flat_map(|tree| ["bin", "usr/bin"].map(|dir| (tree, dir)));
    let found = places.find_map(|(tree, dir)| {
        let path = Path::new(tree).join(dir).join("udevadm");
        path.is_file().then(|| path.display().to_string())
    });
    found.unwrap_or_else(|| "udevadm".to_owned())
}

/// Runs `udevadm test` in a mount namespace, where a loop device looks as if it were on a bus, and
/// had or had not a removable medium. udev's own rules set the bus in 60-persistent-storage.rules.
const SCRIPT: &str = r#"
set -eu
udevadm=$1 name=$2 rule=$3 bus=$4 removable=$5
mount -t tmpfs none /run
mkdir -p /run/udev/rules.d
printf 'SUBSYSTEM=="block", ENV{ID_BUS}="%s"\n' "$bus" >/run/udev/rules.d/60-persistent-storage.rules
printf '%s\n' "$rule" >"/run/udev/rules.d/$name"
# What it runs for devices that users at the computer may use.
printf 'TAG=="uaccess", ENV{MAJOR}!="", RUN{builtin}+="uaccess"\n' >/run/udev/rules.d/73-seat-late.rules
printf '%s\n' "$removable" >/run/removable
mount --bind /run/removable /sys/block/loop0/removable
mount -t tmpfs none /dev/block
"$udevadm" test --action=add /sys/block/loop0 2>&1
"#;

#[test]
fn the_rule_lets_users_open_readers_on_usb_and_nothing_else() {
    let (name, rule) = advice();
    if !loops() {
        return;
    }
    let udevadm = udevadm();
    for (bus, removable, expected) in
        [("usb", "1", true), ("usb", "0", false), ("ata", "1", false), ("ata", "0", false)]
    {
        let mut command = Command::new("unshare");
        command.args(["-m", "sh", "-c", SCRIPT, "sh", &udevadm, &name, &rule, bus, removable]);
        let output = command.output().expect("unshare runs");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success(),
            "udevadm is needed: scripts/test unpacks it\n{said}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(said.contains(&format!("Reading rules file: /run/udev/rules.d/{name}")), "{said}");
        // Mistakes are named with the file and the line.
        let complaint = format!("{name}:");
        let complaints = said.lines().filter(|line| {
            let is_action = line.contains(": Adding") || line.contains("TAG");
            line.contains(&complaint) && !is_action
        });
        assert_eq!(complaints.count(), 0, "{said}");
        assert_eq!(said.contains("run: 'uaccess'"), expected, "{bus} {removable}: {said}");
    }
}
