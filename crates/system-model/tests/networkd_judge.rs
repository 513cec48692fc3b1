//! .network files, drawn and from a table of cases, judged by systemd-networkd itself, as root in
//! namespaces of their own: which file it takes for an interface, the static addresses that the
//! interface gets, and whether it asks DHCP.

mod common;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use common::{Draw, cases, program, run, tables};
use system_model::{
    MemoryFiles,
    network::{AddressKind, Fit, NetworkFile, Networkd},
};

const INTERFACES: [&str; 3] = ["eth0", "eth1", "end0"];

/// The directories as they are beside a case, and in the system.
const DIRECTORIES: [(&str, &str); 3] = [
    ("etc", "/etc/systemd/network"),
    ("run", "/run/systemd/network"),
    ("usr", "/usr/lib/systemd/network"),
];

fn section(draw: &mut Draw, number: usize) -> String {
    let mut text = String::new();
    for _ in 0..draw.number(3) {
        text.push_str(draw.of(&[
            "[Match]\nName=eth0\n",
            "[Match]\nName=eth*\n",
            "[Match]\nName=e*\n",
            "[Match]\nName=eth[1-9] end0\n",
            "[Match]\nName=!eth0\n",
            "[Match]\nName=!eth0 end*\n",
            "[Match]\nName=end?\nName=eth1\n",
            "[Match]\nName=\n",
            "[Match]\nType=ether\n",
            "[Match]\nType=!wlan\n",
            "[Match]\nType=wlan\n",
            "[Match]\nSSID=home\n",
            "[Match]\n# Name=eth0\n",
        ]));
    }
    for _ in 0..draw.number(3) {
        let host = 1 + draw.number(250);
        match draw.number(8) {
            0..=3 => text.push_str(&format!("[Network]\nAddress=10.7.{number}.{host}/24\n")),
            4 => text.push_str(&format!("[Address]\nAddress=10.8.{number}.{host}/16\n")),
            // An empty `Address=` is left out: systemd 252 ignores it, later ones clear the list.
            5 | 6 if draw.one_in(2) => text.push_str("[Link]\nUnmanaged=yes\n"),
            _ => text.push_str("[Network]\nDescription=x\\\n  y\nLinkLocalAddressing=no\n"),
        }
    }
    text
}

/// A case: its directory, the same files for the model, and their text for messages.
struct Case {
    at: PathBuf,
    files: MemoryFiles,
    shown: String,
}

impl Case {
    fn new(work: &Path, number: usize) -> Self {
        let at = work.join((number % 4).to_string()).join(format!("{number:04}"));
        for (beside, _) in DIRECTORIES {
            fs::create_dir_all(at.join(beside)).expect("a directory");
        }
        Case { at, files: MemoryFiles::new(), shown: String::new() }
    }

    /// Adds a file, or a symlink whose target follows `-> `, unless it is there.
    fn add(&mut self, path: &str, text: &str) {
        let (beside, directory) = DIRECTORIES
            .into_iter()
            .find(|(_, directory)| path.starts_with(&format!("{directory}/")))
            .expect("one of networkd's directories");
        let name = path.strip_prefix(directory).expect("below it");
        let whole = self.at.join(beside).join(name.trim_start_matches('/'));
        fs::create_dir_all(whole.parent().expect("a parent")).expect("a directory");
        if whole.symlink_metadata().is_ok() {
            return;
        }
        self.shown.push_str(&format!("--- {path}\n{text}"));
        if let Some(target) = text.strip_prefix("-> ") {
            std::os::unix::fs::symlink(target, &whole).expect("a link");
            self.files.symlink(path, target);
        } else {
            fs::write(&whole, text).expect("written");
            self.files.write(path, text);
        }
    }
}

/// What an interface gets: the file, and its addresses with `dhcp4`.
type Got = (String, BTreeSet<String>);

/// Has networkd and the model read all cases, and compares them. Returns how many interfaces
/// have a file, and how many addresses are set; `None` if this user cannot run networkd.
fn judge(work: &Path, cases: &[Case]) -> Option<(usize, usize)> {
    let networkd = "/usr/lib/systemd/systemd-networkd";
    assert!(
        Path::new(networkd).exists() && Path::new("/usr/lib/systemd/network").is_dir(),
        "systemd-networkd is missing: install Debian's package systemd"
    );
    let unshare = program(&["unshare"], "util-linux");
    program(&["ip"], "iproute2");
    if !run(Command::new(&unshare).args(["-n", "-m", "true"])).status.success() {
        test_support::not_judged("systemd-networkd was not asked: that needs root");
        return None;
    }
    run(Command::new("chmod").arg("755").arg(work));
    // Mostly waiting: several at once.
    std::thread::scope(|scope| {
        for part in fs::read_dir(work).expect("readable") {
            let part = part.expect("an entry").path();
            let unshare = &unshare;
            scope.spawn(move || {
                let output = run(Command::new(unshare)
                    .args(["-n", "-m", "sh", "-c", SCRIPT, "sh", networkd])
                    .arg(part));
                assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            });
        }
    });
    let (mut with_file, mut with_address, mut wrong) = (0, 0, Vec::new());
    for Case { at, files, shown } in cases {
        let said = fs::read_to_string(at.join("said")).expect("readable");
        let mut theirs: BTreeMap<String, Got> = BTreeMap::new();
        for line in said.lines() {
            let mut words = line.split(' ').map(str::to_owned);
            let (name, file) = (words.next().expect("a name"), words.next().expect("a file"));
            let file = file.rsplit('/').next().unwrap_or_default().to_owned();
            theirs.insert(name, (file, words.collect()));
        }
        let model = Networkd::read(files).expect("readable");
        let mut mine: BTreeMap<String, Got> = BTreeMap::new();
        let mut same = true;
        for name in INTERFACES {
            let all = model.candidates(name);
            // networkd forgets the file of an interface that it leaves alone.
            let got = |candidate: Option<&(&NetworkFile, Fit)>| {
                let chosen = candidate.filter(|(file, _)| !file.unmanaged);
                let name = chosen.map_or("none".to_owned(), |(file, _)| file.name.clone());
                let kinds = chosen.iter().flat_map(|(file, _)| file.kinds());
                let addresses = kinds.filter_map(|kind| match kind {
                    AddressKind::Static(address) => Some(address.clone()),
                    AddressKind::Dhcp4 => Some("dhcp4".to_owned()),
                    _ => None,
                });
                (name, addresses.collect())
            };
            // Where a property of the device decides, each of the files is right.
            let mut possible: Vec<Got> = all.iter().map(|one| got(Some(one))).collect();
            if all.last().is_none_or(|(_, fit)| *fit != Fit::Yes) {
                possible.push(got(None));
            }
            same &= possible.contains(&theirs[name]);
            let first = possible.swap_remove(0);
            with_file += usize::from(first.0 != "none");
            with_address += first.1.len();
            mine.insert(name.to_owned(), first);
        }
        if !same {
            let log = fs::read_to_string(at.join("log")).unwrap_or_default();
            let log: Vec<&str> = log
                .lines()
                .filter(|line| line.contains(".network") || line.contains(".conf"))
                .collect();
            let log = log.join("\n");
            wrong.push(format!("model {mine:?}\nnetworkd {theirs:?}\n{shown}{log}"));
        }
    }
    assert!(wrong.is_empty(), "{} cases differ:\n{}", wrong.len(), wrong.join("\n\n"));
    println!("{with_file} interfaces have a file, {with_address} addresses are set alike");
    Some((with_file, with_address))
}

/// Runs networkd on each case. Leaves `said` beside it: a line for each interface, with the file
/// and the addresses.
const SCRIPT: &str = r#"
set -e
networkd=$1 cases=$2
mount -t sysfs -o ro sysfs /sys 2>/dev/null || mount -o remount,ro,bind /sys
mkdir -p /etc/systemd/network
ip link set lo up
for case in $cases/*/; do
    case=${case%/}
    mount -t tmpfs none /run
    mkdir -p /run/systemd/netif/links /run/systemd/netif/leases /run/systemd/netif/lldp /run/systemd
    cp -a $case/run /run/systemd/network
    chown -R systemd-network: /run/systemd/netif
    mount --bind $case/etc /etc/systemd/network
    mount --bind $case/usr /usr/lib/systemd/network
    for name in eth0 eth1 end0; do
        ip link add $name type veth peer name peer-$name
        ip link set peer-$name up
    done
    SYSTEMD_LOG_LEVEL=debug SYSTEMD_LOG_TARGET=console $networkd >$case/log 2>&1 &
    pid=$!
    tries=0
    while [ $tries -lt 200 ]; do
        tries=$((tries + 1))
        sleep 0.05
        done=yes
        for name in eth0 eth1 end0; do
            state=/run/systemd/netif/links/$(cat /sys/class/net/$name/ifindex)
            grep -qsE '^ADMIN_STATE=(configured|configuring|unmanaged|failed)' $state || done=
        done
        [ -z "$done" ] || break
    done
    sleep 0.3
    for name in eth0 eth1 end0; do
        state=/run/systemd/netif/links/$(cat /sys/class/net/$name/ifindex)
        file=$(sed -n 's/^NETWORK_FILE=//p' $state)
        dhcp=$(grep -q "^$name: DHCPv4 client: STARTED" $case/log && echo dhcp4 || true)
        echo $name ${file:-none} $dhcp $(ip -4 -o addr show dev $name | awk '{ print $4 }')
    done >$case/said
    kill $pid
    wait $pid || true
    for name in eth0 eth1 end0; do ip link del $name; done
    umount /usr/lib/systemd/network /etc/systemd/network /run
done
"#;

#[test]
fn drawn_network_files_configure_interfaces_as_networkd_does() {
    let work = tempfile::tempdir().expect("a directory");
    let mut drawn = Vec::new();
    for seed in 0..cases(16) {
        let mut draw = Draw::new(seed + 5);
        let mut case = Case::new(work.path(), seed as usize);
        let mut number = 0;
        for _ in 0..2 + draw.number(6) {
            let (_, directory) = DIRECTORIES[draw.number(DIRECTORIES.len())];
            let name = draw.of(&[
                "10-a.network",
                "20-b.network",
                "30-c.network",
                "20-b.network.d/x.conf",
                "30-c.network.d/y.conf",
                "30-c.conf",
            ]);
            let path = format!("{directory}/{name}");
            if draw.one_in(8) {
                case.add(&path, "-> /dev/null");
                continue;
            }
            number += 1;
            let mut text = section(&mut draw, number);
            if name.ends_with(".network") && draw.one_in(2) {
                text.insert_str(0, draw.of(&["[Match]\nName=eth0\n", "[Match]\nName=e*\n"]));
            }
            case.add(&path, &text);
        }
        drawn.push(case);
    }
    if let Some((files, addresses)) = judge(work.path(), &drawn) {
        assert!(files > 10 && addresses > 8, "{files} {addresses}");
    }
}

/// Cases of one kind each, separated by empty lines.
const TABLE: &str = include_str!("networkd_cases.txt");

#[test]
fn forms_of_network_files_are_read_as_networkd_does() {
    let work = tempfile::tempdir().expect("a directory");
    let mut all = Vec::new();
    for (number, texts) in tables::cases(TABLE).into_iter().enumerate() {
        let mut case = Case::new(work.path(), number);
        for (path, text) in texts {
            case.add(path, &text);
        }
        all.push(case);
    }
    if let Some((files, addresses)) = judge(work.path(), &all) {
        assert!(files > 30 && addresses > 30, "{files} {addresses}");
    }
}
