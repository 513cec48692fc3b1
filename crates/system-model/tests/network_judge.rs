//! Drawn networks, judged by ifupdown and netplan themselves. ifupdown runs as root in
//! namespaces of its own.

mod common;

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use common::{Draw, cases, program, run};
use system_model::{
    MemoryFiles,
    network::{AddressKind, Fit, Interfaces, Netplan, Networkd},
};

fn word(draw: &mut Draw) -> &'static str {
    draw.of(&["eth0", "eth1", "home", "work", "eth"])
}

fn interfaces_line(draw: &mut Draw, number: usize) -> String {
    let name = word(draw);
    match draw.number(30) {
        0 | 1 => format!("auto {name}\n"),
        2 => format!("auto {name}={}\n", word(draw)),
        3 => format!("auto {} {name}\n", word(draw)),
        4 => format!("allow-hotplug {name}\n"),
        5 => format!(
            "allow-auto {}\n",
            draw.of(&[
                "/e*",
                "/eth?",
                "/eth[0]",
                "/e*=home",
                "/x*",
                "/eth0/1",
                "/eth0/2",
                "/eth1/0=work"
            ])
        ),
        6 => format!("allow-hotplug {}=work\n", draw.of(&["eth0", "/eth1", "eth1"])),
        7 | 8 => format!("iface {name} inet dhcp\n"),
        9..=11 => format!(
            "iface {name} inet static\n\taddress 10.1.{number}.{}/24\n",
            draw.number(250) + 1
        ),
        12 => format!(
            "iface {name} inet6 static\n  address fd00::{number}:{}/64\n",
            draw.number(99) + 1
        ),
        13 => format!("iface {name} inet manual inherits {}\n", word(draw)),
        14 => format!("iface {name} inherits {}\n", word(draw)),
        15 => format!("iface {name} \\\n inet dhcp\n# comment \\\n"),
        16 => "no-auto-down eth0\n".to_owned(),
        17 => "  # comment\n\n".to_owned(),
        18 => format!("iface {name} inet static\n address 10.2.{number}.1/24 \n hostname x\\\ny\n"),
        19 => "source-directory sub\n".to_owned(),
        20 => format!(
            "source {}\n",
            draw.of(&[
                "sub/*",
                "sub/a",
                "ABS/sub/b.cfg ABS/sub/a",
                "sub/none*",
                "s?b/[ab]*",
                "\"sub/a\"",
                "ABS/*/c",
                "$(ls)",
                "sub/a;b",
                "sub/loop",
                "'sub/with space'"
            ])
        ),
        21 => format!("iface {name} inherits {}\n address 10.3.{number}.1/24\n", word(draw)),
        22 => format!(
            "iface {name} inet static\n address 10.4.{number}.1/24\n address 10.5.{number}.1/24\n"
        ),
        23 => format!("rename {}\n", draw.of(&["eth1=lan0", "eth9=eth0", "eth1=eth1", "/x*=y"])),
        24 => format!("auto lan0\niface lan0 inet static\n address 10.6.{number}.1/24\n"),
        25 => format!("allow-hotplug {name} \\\n {}\n", word(draw)),
        26 => format!("iface {name} inet static\n addr\\\ness 10.7.{number}.1/24\nauto\n"),
        27 => "\\\n auto eth0\n".to_owned(),
        28 if draw.one_in(4) => "rename eth1\n".to_owned(),
        _ => draw
            .of(&[
                "iface eth0 inet\n",
                "misplaced option\n",
                "iface eth0 inet wrong\n",
                "allow-hotplug\n",
                "mtu 1500\n",
                "auto\n",
            ])
            .to_owned(),
    }
}

/// (logical interface, family) and addresses of what ifup would bring up for an interface.
type Up = (BTreeSet<(String, String)>, BTreeSet<String>);

fn of_ifup(output: &str, interface: &str) -> Up {
    let (mut stanzas, mut addresses, mut ours) = (BTreeSet::new(), BTreeSet::new(), false);
    for line in output.lines() {
        if let Some(rest) = line.strip_prefix("ifup: configuring interface ") {
            let (names, family) = rest.split_once(" (").expect("a family");
            let (physical, logical) = names.split_once('=').expect("two names");
            ours = physical == interface;
            if ours {
                stanzas.insert((logical.to_owned(), family.trim_end_matches(')').to_owned()));
            }
        }
        let address = line.split("addr add ").nth(1).filter(|_| ours);
        if let Some(address) = address {
            addresses.insert(address.split('/').next().expect("an address").to_owned());
        }
    }
    (stanzas, addresses)
}

fn of_model(interfaces: &Interfaces, interface: &str) -> Up {
    let up = interfaces.brought_up(interface);
    let stanzas = up.iter().map(|up| (up.stanza.name.clone(), up.stanza.family.clone()));
    let addresses =
        interfaces.sources(interface).into_iter().filter_map(|source| match source.kind {
            AddressKind::Static(address) => address.split('/').next().map(str::to_owned),
            _ => None,
        });
    (stanzas.collect(), addresses.collect())
}

#[test]
fn drawn_interfaces_files_are_brought_up_as_ifup_does() {
    let ifup = program(&["ifup"], "ifupdown");
    let unshare = program(&["unshare"], "util-linux");
    program(&["ip"], "iproute2");
    if !run(Command::new(&unshare).args(["-n", "-m", "true"])).status.success() {
        println!("not root: ifupdown was NOT asked");
        return;
    }
    let work = tempfile::tempdir().expect("a directory");
    let base = work.path().to_str().expect("UTF-8");
    let (mut compared, mut refused) = (0, 0);
    let count = cases(150);
    let mut drawn = Vec::new();
    for seed in 0..count {
        let mut draw = Draw::new(seed + 7);
        let at = format!("{base}/{seed}");
        let mut files = MemoryFiles::new();
        let mut put = |path: &str, text: String| {
            let text = text.replace("ABS", &at);
            fs::create_dir_all(Path::new(path).parent().expect("a parent")).expect("a directory");
            fs::write(path, &text).expect("written");
            files.write(path, text);
        };
        let mut number = 0;
        for name in ["a", "b.cfg", "c", "loop", "with space"] {
            let mut text = String::new();
            for _ in 0..draw.number(4) {
                number += 1;
                text.push_str(&interfaces_line(&mut draw, number));
            }
            if name == "loop" {
                text.push_str("source ABS/interfaces\nsource loop\n");
            }
            put(&format!("{at}/sub/{name}"), text);
        }
        let mut text = String::from("auto lo\niface lo inet loopback\n");
        for _ in 0..draw.number(12) {
            number += 1;
            text.push_str(&interfaces_line(&mut draw, number));
        }
        put(&format!("{at}/interfaces"), text);
        drawn.push((at, files));
    }
    // One namespace for all: creating one takes longer than everything else.
    let script = format!(
        "mkdir -p /run/network; mount -t tmpfs none /run/network; ip link add eth0 type veth peer name eth1 || exit 9\n\
         i=0; while [ $i -lt {count} ]; do cd {base}/$i\n\
         {ifup} -v -n -a -i {base}/$i/interfaces > auto.log 2>&1\n\
         {ifup} -v -n -a --allow=hotplug -i {base}/$i/interfaces > hotplug.log 2>&1\n\
         i=$((i+1)); done",
        ifup = ifup.display()
    );
    let output =
        run(Command::new(&unshare).args(["-n", "-m", "sh", "-c", &script]).current_dir("/"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for (at, files) in drawn {
        let read = |name: &str| fs::read_to_string(format!("{at}/{name}")).expect("readable");
        let (auto, hotplug, main) = (read("auto.log"), read("hotplug.log"), read("interfaces"));
        let interfaces = Interfaces::read_file(&files, &format!("{at}/interfaces"));
        let interfaces = interfaces.expect("readable").expect("there");
        let failed = auto.contains("couldn't read interfaces file")
            || auto.contains("missing target name for interface");
        assert_eq!(interfaces.readable, !failed, "{main}\n{auto}\n{:?}", interfaces.problems);
        if failed {
            refused += 1;
            continue;
        }
        let subs: String = ["a", "b.cfg", "c", "loop", "with space"]
            .map(|name| format!("--- {name}\n{}", read(&format!("sub/{name}"))))
            .concat();
        // ifup 0.8.41 ends here by mistake; and where it only shows what it would do, the old
        // name is still there for patterns to match.
        let renames = auto.contains("ip link set eth1 name");
        if auto.contains("asprintf") || renames && (main.clone() + &subs).contains(" /") {
            continue;
        }
        for interface in ["eth0", "eth1", "lan0"] {
            let (mut stanzas, mut addresses) = of_ifup(&auto, interface);
            let (more, more_addresses) = of_ifup(&hotplug, interface);
            stanzas.extend(more);
            addresses.extend(more_addresses);
            assert_eq!(
                of_model(&interfaces, interface),
                (stanzas, addresses),
                "{interface} in {at}\n{main}{subs}\n{auto}\n{hotplug}\n{:?}",
                interfaces.problems
            );
            compared += 1;
        }
    }
    println!("{compared} interfaces were brought up alike, {refused} files refused by both");
    assert!(compared > 100 && refused > 5, "{compared} compared, {refused} refused");
}

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

#[test]
fn drawn_netplan_files_are_rendered_as_netplan_does() {
    let generate = program(&["generate", "../lib/netplan/generate"], "netplan.io");
    let work = tempfile::tempdir().expect("a directory");
    let (mut compared, mut refused) = (0, 0);
    for seed in 0..cases(120) {
        let mut draw = Draw::new(seed + 99);
        let root = work.path().join(seed.to_string());
        let mut files = MemoryFiles::new();
        files.write("/usr/libexec/netplan/generate", "");
        let mut shown = String::new();
        for path in [
            "/lib/netplan/00-a.yaml",
            "/etc/netplan/00-a.yaml",
            "/etc/netplan/50-b.yaml",
            "/run/netplan/20-c.yaml",
        ] {
            if draw.one_in(2) {
                continue;
            }
            let text = netplan_text(&mut draw);
            let whole = root.join(path.trim_start_matches('/'));
            fs::create_dir_all(whole.parent().expect("a parent")).expect("a directory");
            fs::write(&whole, &text).expect("written");
            shown.push_str(&format!("--- {path}\n{text}"));
            files.write(path, text);
        }
        fs::create_dir_all(root.join("run")).expect("a directory");
        let output = run(Command::new(&generate).arg("-r").arg(&root));
        let netplan = Netplan::read(&files).expect("readable");
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        if !output.status.success() {
            assert!(netplan.error.is_some(), "netplan refuses:\n{shown}{errors}");
            refused += 1;
            continue;
        }
        assert_eq!(netplan.error, None, "netplan accepts:\n{shown}{errors}");
        // What netplan wrote, read as networkd does, against what is said to be written.
        let mut written = MemoryFiles::new();
        let directory = root.join("run/systemd/network");
        for entry in fs::read_dir(&directory).into_iter().flatten() {
            let name = entry.expect("an entry").file_name().into_string().expect("UTF-8");
            if name.ends_with(".network") {
                let text = fs::read_to_string(directory.join(&name)).expect("readable");
                written.write(&format!("/run/systemd/network/{name}"), text);
            }
        }
        let theirs = Networkd::read(&written).expect("readable");
        let mut ours = Networkd::default();
        ours.add(netplan.networkd_files());
        let view = |networkd: &Networkd| {
            let files = networkd.files.iter().map(|file| {
                (
                    file.name.clone(),
                    ["eth0", "enp1s0", "wlan0"].map(|name| file.fits(name) != Fit::No),
                )
            });
            files.collect::<Vec<_>>()
        };
        assert_eq!(view(&ours), view(&theirs), "{shown}{errors}");
        for interface in ["eth0", "eth1", "enp1s0"] {
            let kinds = |networkd: &Networkd| {
                let sources = networkd.sources(interface).into_iter();
                sources.map(|source| format!("{:?}", source.kind)).collect::<BTreeSet<_>>()
            };
            assert_eq!(kinds(&ours), kinds(&theirs), "{interface}\n{shown}{errors}");
        }
        compared += 1;
    }
    println!("{compared} netplan configurations were rendered alike, {refused} refused by both");
    assert!(compared > 50 && refused > 3, "{compared} compared, {refused} refused");
}
