//! netplan's files, drawn and from a table of cases, judged by netplan itself: what it writes for
//! systemd-networkd and NetworkManager, read as these read it, gives an interface the same
//! addresses as the model of netplan does.

mod common;

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use common::{Draw, cases, load_tree, program, run, tables};
use system_model::{
    BootModel, MemoryFiles,
    network::{Fit, Netplan, Network, Networkd},
};

const INTERFACES: [&str; 5] = ["eth0", "eth1", "enp1s0", "lan0", "wlan0"];

fn netplan_text(draw: &mut Draw) -> String {
    let mut text = String::from("network:\n  version: 2\n");
    if draw.one_in(5) {
        text.push_str(&format!("  renderer: {}\n", draw.of(&["networkd", "NetworkManager"])));
    }
    text.push_str("  ethernets:\n");
    for id in ["eth0", "any", "mac"] {
        if draw.one_in(2) {
            continue;
        }
        text.push_str(&format!("    {id}:\n"));
        match id {
            "any" => text.push_str(&format!(
                "      match: {{name: \"{}\"}}\n",
                draw.of(&["e*", "eth?", "en*"])
            )),
            "mac" => text.push_str(
                "      match: {macaddress: \"00:11:22:33:44:55\"}\n      set-name: eth0\n",
            ),
            _ => {}
        }
        text.push_str(&format!("      dhcp4: {}\n", draw.of(&["true", "false", "yes", "off"])));
        if draw.one_in(2) {
            let address = draw.of(&["10.0.0.1/24", "10.0.0.2/24\", \"10.0.0.3/8", "fd00::1/64"]);
            text.push_str(&format!("      addresses: [\"{address}\"]\n"));
        }
        if draw.one_in(3) {
            text.push_str("      dhcp6: true\n");
        }
        if draw.one_in(8) {
            text.push_str(&format!(
                "      renderer: {}\n",
                draw.of(&["networkd", "NetworkManager"])
            ));
        }
    }
    if draw.one_in(14) {
        text.push_str(draw.of(&[
            "    eth0: [\n",
            "    bad\n",
            "    eth0: {addresses: [10.0.0.1]}\n",
            "    eth0: {dhcp4: perhaps}\n",
            "\tx: y\n",
            "    eth0: {addresses: 10.0.0.1/24}\n",
            "other: 1\n",
        ]));
    }
    if text.ends_with("ethernets:\n") {
        text.push_str("    {}\n");
    }
    text
}

/// What netplan and the model say of files.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Refused,
    Same,
}

/// A system in which networkd and NetworkManager start.
fn system() -> MemoryFiles {
    let mut files = MemoryFiles::new();
    for name in ["systemd-networkd", "NetworkManager"] {
        let unit = format!("/lib/systemd/system/{name}.service");
        files.write(&unit, format!("[Service]\nExecStart=/usr/sbin/{name}\n"));
        files
            .symlink(&format!("/etc/systemd/system/multi-user.target.wants/{name}.service"), &unit);
    }
    files
}

/// How interfaces get addresses: of each, the kinds.
fn addresses(files: &MemoryFiles) -> Vec<(&'static str, BTreeSet<String>)> {
    let model = BootModel::read(files).expect("readable");
    let network = Network::read(files, model.systemd()).expect("readable");
    let of = |name| {
        let sources = network.sources(name).into_iter();
        sources.map(|source| format!("{:?} {}", source.kind, source.certain)).collect()
    };
    INTERFACES.map(|name| (name, of(name))).to_vec()
}

/// Has netplan and the model read files, and compares them.
fn judge(generate: &Path, root: &Path, texts: &[(&str, String)]) -> Result<Outcome, String> {
    let mut files = system();
    let mut shown = String::new();
    files.write("/usr/libexec/netplan/generate", "");
    fs::create_dir_all(root.join("run")).expect("a directory");
    for (path, text) in texts {
        let whole = root.join(path.trim_start_matches('/'));
        fs::create_dir_all(whole.parent().expect("a parent")).expect("a directory");
        shown.push_str(&format!("--- {path}\n{text}"));
        if let Some(target) = text.strip_prefix("-> ") {
            std::os::unix::fs::symlink(target, &whole).expect("a link");
            files.symlink(path, target);
        } else {
            fs::write(&whole, text).expect("written");
            files.write(path, text);
        }
    }
    let output = run(Command::new(generate).arg("-r").arg(root));
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    let netplan = Netplan::read(&files).expect("readable");
    match (output.status.success(), &netplan.error) {
        (false, Some(_)) => return Ok(Outcome::Refused),
        (false, None) => return Err(format!("netplan refuses:\n{shown}{errors}")),
        (true, Some(at)) => return Err(format!("netplan accepts ({at:?}):\n{shown}{errors}")),
        (true, None) => {}
    }
    // What netplan wrote, read as the programs do, against what is said to be written.
    let mut written = system();
    load_tree(&mut written, root, "/run");
    load_tree(&mut written, root, "/etc/systemd");
    load_tree(&mut written, root, "/usr/lib");
    // Of the devices that udev has NetworkManager leave alone, those that are named.
    let rules = fs::read_to_string(root.join("run/udev/rules.d/90-netplan.rules"));
    let mut unmanaged = String::from("[keyfile]\nunmanaged-devices+=");
    for rule in rules.unwrap_or_default().lines() {
        let named = rule
            .strip_prefix("SUBSYSTEM==\"net\", ACTION==\"add|change|move\", ENV{ID_NET_NAME}==\"");
        let name = named.and_then(|rest| rest.strip_suffix("\", ENV{NM_UNMANAGED}=\"1\""));
        if let Some(name) = name.filter(|name| !name.contains('"')) {
            unmanaged.push_str(&format!("interface-name:{name};"));
        }
    }
    written.write("/etc/NetworkManager/conf.d/netplan-rules.conf", unmanaged);
    let theirs = Networkd::read(&written).expect("readable");
    let mut ours = Networkd::default();
    ours.add(netplan.networkd_files());
    let view = |networkd: &Networkd| {
        let files = networkd
            .files
            .iter()
            .map(|file| (file.name.clone(), INTERFACES.map(|name| file.fits(name) != Fit::No)));
        files.collect::<Vec<_>>()
    };
    let (mine, theirs) = ((view(&ours), addresses(&files)), (view(&theirs), addresses(&written)));
    if mine != theirs {
        let run = run(Command::new("sh")
            .arg("-c")
            .arg("cd \"$1\" && find run -type f | xargs tail -n +1")
            .arg("sh")
            .arg(root));
        let run = String::from_utf8_lossy(&run.stdout).into_owned();
        return Err(format!("model   {mine:?}\nnetplan {theirs:?}\n{shown}{errors}{run}"));
    }
    Ok(Outcome::Same)
}

#[test]
fn drawn_netplan_files_are_rendered_as_netplan_does() {
    let generate = program(&["generate", "../lib/netplan/generate"], "netplan.io");
    let work = tempfile::tempdir().expect("a directory");
    let (mut compared, mut refused, mut wrong) = (0, 0, Vec::new());
    for seed in 0..cases(120) {
        let mut draw = Draw::new(seed + 99);
        let mut texts = Vec::new();
        for path in [
            "/lib/netplan/00-a.yaml",
            "/etc/netplan/00-a.yaml",
            "/etc/netplan/50-b.yaml",
            "/run/netplan/20-c.yaml",
        ] {
            if !draw.one_in(2) {
                texts.push((path, netplan_text(&mut draw)));
            }
        }
        match judge(&generate, &work.path().join(seed.to_string()), &texts) {
            Ok(Outcome::Same) => compared += 1,
            Ok(Outcome::Refused) => refused += 1,
            Err(difference) => wrong.push(difference),
        }
    }
    assert!(wrong.is_empty(), "{} cases differ:\n{}", wrong.len(), wrong.join("\n"));
    println!("{compared} netplan configurations were rendered alike, {refused} refused by both");
    assert!(compared > 50 && refused > 3, "{compared} compared, {refused} refused");
}

/// Cases of one kind each, separated by empty lines.
const TABLE: &str = include_str!("netplan_cases.txt");

#[test]
fn forms_of_netplan_files_are_rendered_as_netplan_does() {
    let generate = program(&["generate", "../lib/netplan/generate"], "netplan.io");
    let work = tempfile::tempdir().expect("a directory");
    let (mut compared, mut refused, mut wrong) = (0, 0, Vec::new());
    for (number, texts) in tables::cases(TABLE).iter().enumerate() {
        match judge(&generate, &work.path().join(number.to_string()), texts) {
            Ok(Outcome::Same) => compared += 1,
            Ok(Outcome::Refused) => refused += 1,
            Err(difference) => wrong.push(difference),
        }
    }
    assert!(wrong.is_empty(), "{} cases differ:\n{}", wrong.len(), wrong.join("\n\n"));
    println!("{compared} forms were rendered alike, {refused} refused by both");
    assert!(compared > 40 && refused > 8, "{compared} compared, {refused} refused");
}
