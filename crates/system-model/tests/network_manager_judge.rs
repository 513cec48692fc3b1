//! Keyfiles and settings, drawn and from a table of cases, judged by NetworkManager itself, as root
//! in namespaces and a root directory of their own, on a bus of their own: which files it loads,
//! which connection an interface gets, and what that does to the interface.

mod common;

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::{PermissionsExt as _, chown, symlink},
    path::{Path, PathBuf},
    process::Command,
};

use common::{Draw, cases, program, run, tables};
use system_model::{
    FileLine, MemoryFiles, SystemFiles as _,
    network::{AddressKind, Fit, Netplan, NetworkManager},
};

/// The interfaces of a case that has a daemon of its own.
const INTERFACES: [&str; 2] = ["eth0", "eth1"];

/// As many daemons run at once, which mostly wait.
const AT_ONCE: usize = 10;

const BUS: &str = r#"<busconfig><listen>unix:path=/run/dbus/system_bus_socket</listen>
<auth>EXTERNAL</auth><policy context="default"><allow user="*"/><allow own="*"/>
<allow send_type="method_call"/><allow send_type="signal"/>
<allow send_requested_reply="true" send_type="method_return"/>
<allow send_requested_reply="true" send_type="error"/>
<allow receive_type="method_call"/><allow receive_type="signal"/>
<allow receive_type="method_return"/><allow receive_type="error"/></policy></busconfig>
"#;

/// Runs NetworkManager on each case. Leaves `said` beside it, a line for each interface with its
/// state, its addresses and its connection, and `loaded`, the connections and their files.
const SCRIPT: &str = r#"
set -e
tools=$1 root=$2 cases=$3
mkdir $root
mount -t tmpfs none $root
cd $root
mkdir -p usr/lib host proc dev sys run tmp tools var etc
mount --bind /usr host
mount --bind $tools tools
# All of this machine's programs and libraries, with NetworkManager's plug-ins and no files of its.
for name in host/* host/lib/*; do
    case $name in
    host/lib | */NetworkManager | host/lib/*-linux-gnu*) ;;
    *) ln -s /$name usr/${name#host/} ;;
    esac
done
for name in tools/usr/lib/*-linux-gnu*; do
    mkdir usr/${name#tools/usr/}
    for one in host/${name#tools/usr/}/*; do
        case $one in */NetworkManager) ;; *) ln -s /$one usr/${name#tools/usr/} ;; esac
    done
    ln -s /$name/NetworkManager usr/${name#tools/usr/}
done
for name in bin sbin lib lib32 lib64 libx32; do
    if [ -L /$name ]; then ln -s usr/$name $name; fi
done
mkdir usr/lib/NetworkManager
mount --rbind /dev dev; mount --rbind /proc proc
mount -t sysfs -o ro sysfs sys
ln -s /run tmp/run
libraries=$(cd $tools && echo usr/lib/*-linux-gnu*)
ask() {
    chroot $root env -i PATH=/tools/usr/bin:/tools/usr/sbin:/usr/sbin:/usr/bin \
        LD_LIBRARY_PATH=/tools/${libraries%% *} "$@"
}
# In a background shell: the shell becomes the program, so that its pid can be killed.
become() {
    exec chroot $root env -i PATH=/tools/usr/sbin:/usr/sbin:/usr/bin \
        LD_LIBRARY_PATH=/tools/${libraries%% *} "$@"
}
ip link set lo up
for case in $cases/*/; do
    case=${case%/}
    mount --bind $case/etc etc
    mount -t tmpfs none run
    mount -t tmpfs none var
    ln -s /run var/run
    mkdir -p run/dbus run/NetworkManager var/lib
    cp -a $case/run/. run/NetworkManager
    cp -a $case/var var/lib/NetworkManager
    mount --bind $case/usr usr/lib/NetworkManager
    names=$(cat $case/interfaces)
    for name in $names; do
        ip link add $name type veth peer name p-$name
        ip link set p-$name up
    done
    become dbus-daemon --config-file=/etc/bus.conf --nofork --nopidfile >$case/bus.log 2>&1 &
    bus=$!
    tries=0
    while [ ! -S run/dbus/system_bus_socket ] && [ $tries -lt 100 ]; do
        tries=$((tries + 1)); sleep 0.05
    done
    become NetworkManager --debug >$case/log 2>&1 &
    manager=$!
    # The start is complete when all interfaces are done, but one that asks DHCP is not soon.
    tries=0 same=0 before=
    while [ $tries -lt 100 ] && [ $same -lt 3 ] && kill -0 $manager 2>/dev/null; do
        tries=$((tries + 1)); sleep 0.25
        ! grep -q 'startup complete' $case/log || break
        now=$(wc -c <$case/log)
        if [ "$now" = "$before" ] && grep -q 'dhcp4 (.*beginning' $case/log; then
            same=$((same + 1))
        else
            same=0 before=$now
        fi
    done
    if kill -0 $manager 2>/dev/null; then
        ask nmcli -t -f DEVICE,STATE,CONNECTION device >$case/devices
        for name in $names; do
            line=$(grep "^$name:" $case/devices)
            line=${line#*:}
            addresses=$(ip -4 -o addr show dev $name | awk '{ printf "%s%s", comma, $4; comma = "," }')
            dhcp=$(grep -q "dhcp4 ($name): activation: beginning" $case/log && echo dhcp || true)
            echo "$name|${line%%:*}|$addresses|$dhcp|${line#*:}"
        done >$case/said
        ask nmcli -t -e no -f FILENAME connection >$case/loaded
        kill $manager
    fi
    kill $bus
    wait $manager $bus || true
    for name in $names; do ip link del $name; done
    umount -l run etc var usr/lib/NetworkManager
done
"#;

/// As many keyfiles, each for an interface of its own, are given to one daemon.
const AT_A_TIME: usize = 24;

/// A file of a case.
#[derive(Clone)]
struct File {
    path: String,
    mode: u16,
    owner: u32,
    text: String,
}

impl File {
    /// Reads `PATH`, or `PATH as MODE` with an owner or without. Instead of a path,
    /// `NAME INTERFACE` stands for a connection of this interface, whose further sections are the
    /// text, and `NAME INTERFACE ADDRESS` for one with nothing but this address.
    fn parse(head: &str, text: String) -> Self {
        let (path, rest) = head.split_once(" as ").unwrap_or((head, "600"));
        let (mut path, mut text) = (path.to_owned(), text);
        if !path.starts_with('/') {
            let words: Vec<&str> = path.split(' ').collect();
            let [name, interface, address @ ..] = words.as_slice() else {
                panic!("{head}: a name and an interface")
            };
            let sections = address.first().map_or(text, |address| {
                format!("[ipv4]\nmethod=manual\naddress1={address}\n[ipv6]\nmethod=disabled\n")
            });
            text = format!(
                "[connection]\nid={name}\ntype=ethernet\ninterface-name={interface}\n{sections}"
            );
            path = format!("/etc/NetworkManager/system-connections/{name}.nmconnection");
        }
        let mut words = rest.split(' ');
        let mode = words.next().map(|mode| u16::from_str_radix(mode, 8).expect("octal"));
        let owner = words.next().map_or(0, |owner| owner.parse().expect("a number"));
        File { path, mode: mode.expect("a mode"), owner, text }
    }

    /// Returns whether it is a connection for eth0 whose file may have any name.
    fn can_be_one_of_many(&self) -> bool {
        self.path == "/etc/NetworkManager/system-connections/a.nmconnection"
            && self.text.contains("\ninterface-name=eth0\n")
            && !self.text.starts_with("-> ")
            && !["uuid=", "eth[", "master=", "controller="]
                .iter()
                .any(|word| self.text.contains(word))
    }

    /// Returns the same connection for another interface.
    fn renamed(&self, interface: &str) -> Self {
        File {
            path: self.path.replace("/a.", &format!("/{interface}.")),
            text: self
                .text
                .replace("eth0", interface)
                .replace("id=a\n", &format!("id={interface}\n")),
            ..self.clone()
        }
    }
}

/// Where the files of a case are beside it, and in the system.
const PLACES: [(&str, &str); 4] = [
    ("usr", "/usr/lib/NetworkManager"),
    ("run", "/run/NetworkManager"),
    ("var", "/var/lib/NetworkManager"),
    ("etc", "/etc"),
];

/// A case: its directory, the same files for the model, and their text for messages.
struct Case {
    at: PathBuf,
    files: MemoryFiles,
    shown: String,
}

impl Case {
    fn new(work: &Path, number: usize, interfaces: &[String]) -> Self {
        let at = work.join((number % AT_ONCE).to_string()).join(format!("{number:04}"));
        for (beside, _) in PLACES {
            fs::create_dir_all(at.join(beside)).expect("a directory");
        }
        let etc = at.join("etc");
        for name in ["passwd", "group"] {
            fs::copy(format!("/etc/{name}"), etc.join(name)).expect("copied");
        }
        fs::write(etc.join("bus.conf"), BUS).expect("written");
        fs::write(at.join("interfaces"), interfaces.join(" ")).expect("written");
        fs::write(etc.join("machine-id"), "0123456789abcdef0123456789abcdef\n").expect("written");
        Case { at, files: MemoryFiles::new(), shown: String::new() }
    }

    /// Adds a file with a mode and an owner, or a symlink whose target follows `-> `.
    fn add(&mut self, file: &File) {
        let File { path, mode, owner, text } = file;
        let (beside, inside) = PLACES
            .into_iter()
            .find_map(|(beside, place)| Some((beside, path.strip_prefix(place)?)))
            .unwrap_or_else(|| panic!("{path} is in none of NetworkManager's directories"));
        let whole = self.at.join(beside).join(inside.trim_start_matches('/'));
        fs::create_dir_all(whole.parent().expect("a parent")).expect("a directory");
        self.shown.push_str(&format!("--- {path}, mode {mode:o}, owner {owner}\n{text}"));
        // A case has several files of one name where the last one counts.
        let _ = fs::remove_file(&whole);
        if let Some(target) = text.strip_prefix("-> ") {
            symlink(target, &whole).expect("a link");
            self.files.symlink(path, target);
            return;
        }
        self.files.write(path, text.as_str()).own(path, *mode, *owner, 0);
        fs::write(&whole, text).expect("written");
        fs::set_permissions(&whole, fs::Permissions::from_mode(u32::from(*mode))).expect("set");
        // Only root can, and without root NetworkManager is not asked.
        let _ = chown(&whole, Some(*owner), None);
    }
}

/// What an interface gets: a connection's file or another word, its addresses, and `dhcp`.
type Got = (String, BTreeSet<String>);

/// How many interfaces have a connection, and how many addresses are set.
#[derive(Default)]
struct Score {
    connected: usize,
    with_address: usize,
    left_alone: usize,
}

/// Has NetworkManager and the model read all cases, and compares them; `None` if this user cannot
/// run NetworkManager.
fn judge(work: &Path, all: &[Case]) -> Option<Score> {
    let manager = program(&["NetworkManager"], "network-manager");
    program(&["dbus-daemon"], "dbus-daemon");
    program(&["ip"], "iproute2");
    let unshare = program(&["unshare"], "util-linux");
    if !run(Command::new(&unshare).args(["-n", "-m", "true"])).status.success() {
        test_support::not_judged("NetworkManager was not asked: that needs root");
        return None;
    }
    let tools = manager.ancestors().nth(3).expect("usr/sbin/NetworkManager").to_owned();
    std::thread::scope(|scope| {
        for part in fs::read_dir(work).expect("readable") {
            let part = part.expect("an entry").path();
            let (unshare, tools) = (&unshare, &tools);
            scope.spawn(move || {
                let output = run(Command::new(unshare)
                    .args(["-n", "-m", "sh", "-c", SCRIPT, "sh"])
                    .args([tools, &part.with_extension("root"), &part]));
                assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            });
        }
    });
    let (mut score, mut wrong) = (Score::default(), Vec::new());
    for Case { at, files, shown } in all {
        let model = NetworkManager::read(files, &Netplan::default()).expect("readable");
        let log = fs::read_to_string(at.join("log")).unwrap_or_default();
        let Ok(said) = fs::read_to_string(at.join("said")) else {
            if model.broken.is_none() {
                wrong.push(format!("NetworkManager ended\n{shown}{log}"));
            }
            continue;
        };
        let loaded = fs::read_to_string(at.join("loaded")).expect("readable");
        let loaded: BTreeSet<String> =
            loaded.lines().filter(|path| is_read(path)).map(str::to_owned).collect();
        let mine: BTreeSet<String> = model
            .connections
            .iter()
            .map(|one| one.path.clone())
            .filter(|path| is_read(path))
            .collect();
        let mut problems = Vec::new();
        if model.broken.is_some() {
            problems.push("NetworkManager runs".to_owned());
        }
        for path in loaded.symmetric_difference(&mine) {
            // Of several with one UUID, the newest counts.
            let is_conditional =
                model.connections.iter().any(|one| one.path == *path && one.conditional);
            if is_conditional && !loaded.contains(path) {
                continue;
            }
            let who = if mine.contains(path) { "the model" } else { "NetworkManager" };
            let text = files.read_text(path).expect("readable");
            problems.push(format!("only {who} loads {path}\n{}", text.unwrap_or_default()));
        }
        for line in said.lines() {
            let words: Vec<&str> = line.splitn(5, '|').collect();
            let [name, state, addresses, dhcp, connection] = words.as_slice() else {
                panic!("{line}")
            };
            let what = match *connection {
                "" if *state == "unmanaged" => "unmanaged",
                "" => "none",
                name if name.starts_with("Wired connection ") => "automatic",
                name => name,
            };
            let mut found: BTreeSet<String> =
                addresses.split(',').filter(|one| !one.is_empty()).map(str::to_owned).collect();
            if !dhcp.is_empty() {
                found.insert("dhcp".to_owned());
            }
            let theirs: Got = (what.to_owned(), found);
            let possible = possible(&model, name);
            if !possible.contains(&theirs) {
                problems.push(format!(
                    "{name}: the model says {possible:?}\nNetworkManager {theirs:?}"
                ));
            }
            match what {
                "unmanaged" => score.left_alone += 1,
                "none" => {}
                _ => score.connected += 1,
            }
            score.with_address += theirs.1.len();
        }
        if !problems.is_empty() {
            let log: Vec<&str> = log
                .lines()
                .filter(|line| {
                    ["<warn>", "<error>"].iter().any(|word| line.contains(word))
                        && !line.contains("ModemManager")
                })
                .collect();
            let shown = if shown.len() < 2000 { shown } else { "" };
            wrong.push(format!("{}\n{shown}{}", problems.join("\n"), log.join("\n")));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} cases differ:\n{}",
        wrong.len(),
        all.len(),
        wrong.join("\n\n")
    );
    let Score { connected, with_address, left_alone } = score;
    println!(
        "{connected} interfaces have a connection, {left_alone} are left alone, {with_address} \
         addresses are set alike"
    );
    Some(score)
}

/// Returns whether a file is one that a system brings, not one of NetworkManager's own making.
fn is_read(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    !name.starts_with("Wired connection ")
        && name != "lo.nmconnection"
        && (path.contains("/system-connections/") || path.starts_with("/etc/nm/"))
}

/// Returns what the model says that an interface may get; several where only the running system
/// decides.
fn possible(model: &NetworkManager, interface: &str) -> Vec<Got> {
    let mut found = Vec::new();
    let managed = model.manages(interface);
    if managed != Fit::Yes {
        found.push(("unmanaged".to_owned(), BTreeSet::new()));
    }
    if managed == Fit::No {
        return found;
    }
    for connection in model.candidates(interface) {
        // A veth, unlike a board's interface, takes no connection without a name.
        if connection.interface.is_none() {
            continue;
        }
        found.push((connection.id.clone(), words(&connection.sources)));
        if !connection.conditional && !model.is_tied(connection, interface) {
            return found;
        }
    }
    match model.connects_by_itself(interface) {
        Fit::No => found.push(("none".to_owned(), BTreeSet::new())),
        _ => found.push(("automatic".to_owned(), ["dhcp".to_owned()].into())),
    }
    found
}

fn words(sources: &[(AddressKind, FileLine)]) -> BTreeSet<String> {
    let word = |(kind, _): &(AddressKind, FileLine)| match kind {
        AddressKind::Static(address) if !address.contains(':') => Some(address.clone()),
        AddressKind::Dhcp4 => Some("dhcp".to_owned()),
        _ => None,
    };
    sources.iter().filter_map(word).collect()
}

/// Cases of one kind each, separated by empty lines. Behind the path of a file are its mode, unless
/// it is 600, and its owner, unless it is root.
const TABLE: &str = include_str!("network_manager_cases.txt");

#[test]
fn forms_of_keyfiles_and_settings_are_read_as_network_manager_does() {
    let work = tempfile::tempdir().expect("a directory");
    let mut all = Vec::new();
    let mut batch: Vec<File> = Vec::new();
    for texts in tables::cases(TABLE) {
        let files: Vec<File> =
            texts.into_iter().map(|(head, text)| File::parse(head, text)).collect();
        match files.as_slice() {
            [file] if file.can_be_one_of_many() => batch.push(file.clone()),
            files => {
                let mut case = Case::new(work.path(), all.len(), &INTERFACES.map(str::to_owned));
                files.iter().for_each(|file| case.add(file));
                all.push(case);
            }
        }
    }
    for files in batch.chunks(AT_A_TIME) {
        let interfaces: Vec<String> =
            (0..files.len()).map(|at| format!("eth{}", at + 10)).collect();
        let mut case = Case::new(work.path(), all.len(), &interfaces);
        for (file, interface) in files.iter().zip(&interfaces) {
            case.add(&file.renamed(interface));
        }
        all.push(case);
    }
    if let Some(score) = judge(work.path(), &all) {
        assert!(score.connected > 30 && score.with_address > 30 && score.left_alone > 30);
    }
}

/// Returns a file for one of the interfaces, with a name and a priority that may be others'.
fn drawn(draw: &mut Draw, files: &[File]) -> File {
    let mut file = files[draw.number(files.len())].clone();
    if file.text.contains("[connection]\n") {
        let priority = format!("[connection]\nautoconnect-priority={}\n", draw.number(4));
        file.text = file.text.replace("[connection]\n", &priority);
        file.text = file.text.replace("eth0", draw.of(&["eth0", "eth0", "eth1"]));
        let name = draw.of(&["a", "b", "c", "d"]);
        file.path = file.path.replace("/a.", &format!("/{name}."));
        file.text = file.text.replace("id=a\n", &format!("id={name}\n"));
    } else {
        file.text = file.text.replace("eth0", draw.of(&["eth0", "eth1", "eth7"]));
    }
    file
}

#[test]
fn drawn_files_of_the_table_are_read_as_network_manager_does() {
    let work = tempfile::tempdir().expect("a directory");
    let files = tables::cases(TABLE).into_iter().flatten();
    let files: Vec<File> = files.map(|(head, text)| File::parse(head, text)).collect();
    // Those with which NetworkManager does not run say little.
    let is_harmless = |file: &File| {
        let is_keyfile = file.path.contains("/system-connections/");
        is_keyfile || !file.text.starts_with("-> ") && file.text.starts_with('[')
    };
    let (connections, settings): (Vec<File>, Vec<File>) = files
        .into_iter()
        .filter(|file| is_harmless(file) && !file.path.starts_with("/etc/nm/"))
        .partition(|file| file.path.contains("/system-connections/"));
    let mut all = Vec::new();
    for seed in 0..cases(30) {
        let mut draw = Draw::new(seed + 3);
        let mut case = Case::new(work.path(), all.len(), &INTERFACES.map(str::to_owned));
        let mut paths = BTreeSet::new();
        for number in 0..3 + draw.number(5) {
            let of = if number < 3 { &connections } else { &settings };
            let file = drawn(&mut draw, of);
            if paths.insert(file.path.clone()) {
                case.add(&file);
            }
        }
        all.push(case);
    }
    if let Some(score) = judge(work.path(), &all) {
        assert!(score.connected > 20 && score.with_address > 10);
    }
}
