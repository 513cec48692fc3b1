//! The node's address by netplan, judged by netplan itself: of the files that it writes for
//! systemd-networkd, the first that matches the interface is the one that counts.

mod common;

use std::{fs, path::PathBuf, process::Command};

use common::{Fixture, Memory, PROFILE, debian_bare};

/// Returns the program that netplan runs at boot; `None` where it is not at hand.
fn generator() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let directories = std::env::split_paths(&path).chain([PathBuf::from("/usr/libexec/netplan")]);
    let found = directories.map(|one| one.join("generate")).find(|path| path.is_file());
    if found.is_none() {
        println!("SKIPPED: there is no netplan (Debian's package netplan.io), nothing was judged");
    }
    found
}

fn base(yaml: &str) -> Memory {
    debian_bare()
        .file("/usr/libexec/netplan/generate", "")
        .file("/etc/netplan/01-own.yaml", format!("network:\n  version: 2\n{yaml}"))
}

/// A definition whose name sorts before nodecard's usual one would be used instead of it, and one
/// of the same name would be merged with it.
#[test]
fn the_nodes_address_counts_whatever_the_images_definitions_are_called() {
    let fixture = Fixture::new(PROFILE);
    for yaml in [
        "  ethernets: {all: {match: {name: 'e*'}, dhcp4: true}}\n",
        "  ethernets: {0-lan: {match: {name: 'e*'}, dhcp4: true}}\n",
        "  ethernets: {00-nodecar: {match: {name: eth0}, dhcp4: true}}\n",
        "  ethernets: {00-nodecard: {match: {name: eth0}, dhcp4: true, addresses: [10.9.9.9/8]}}\n",
        "  ethernets: {00-nodecard: {match: {name: eth1}, addresses: [10.9.9.9/8]}}\n",
        "  ethernets: {'#1': {match: {name: eth0}, dhcp4: true}, '-': {match: {name: 'e*'}}}\n",
        "  ethernets: {'!': {match: {name: eth0}, dhcp4: true}, '!!a': {match: {name: '*'}}}\n",
        "  ethernets: {'!nodecard': {match: {name: eth0}, dhcp4: true}}\n",
    ] {
        let (card, _) = fixture.settled(&base(yaml), 1);
        // Nothing else of the card matters, and a finished card stays as it is.
        let text = card.text("/etc/netplan/99-nodecard.yaml");
        let (again, _) = fixture.settled(&card, 1);
        assert_eq!(again.text("/etc/netplan/99-nodecard.yaml"), text, "{yaml}");
        let Some(generate) = generator() else { return };
        let root = tempfile::tempdir().unwrap();
        let etc = root.path().join("etc/netplan");
        fs::create_dir_all(&etc).unwrap();
        for name in ["01-own.yaml", "99-nodecard.yaml"] {
            fs::write(etc.join(name), card.text(&format!("/etc/netplan/{name}"))).unwrap();
        }
        let output = Command::new(generate).arg("-r").arg(root.path()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{yaml}{text}{said}");
        let written = root.path().join("run/systemd/network");
        let mut names: Vec<_> =
            fs::read_dir(&written).unwrap().map(|one| one.unwrap().file_name()).collect();
        names.sort();
        let files = names.iter().map(|name| fs::read_to_string(written.join(name)).unwrap());
        let matching = |text: &String| {
            text.lines().any(|line| matches!(line, "Name=eth0" | "Name=e*" | "Name=*"))
        };
        let first = files.into_iter().find(matching).expect("a file for eth0");
        assert!(first.contains("\nAddress=192.168.1.81/24\n"), "{yaml}{names:?}{first}");
        assert!(!first.contains("DHCP=") && !first.contains("10.9.9.9"), "{yaml}{first}");
    }
}
