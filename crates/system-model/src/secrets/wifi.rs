//! Passphrases of Wi-Fi networks.

use super::{Found, SecretKind};
use crate::SystemError;

pub(super) fn find(found: &mut Found<'_>) -> Result<(), SystemError> {
    const SUPPLICANT: [&str; 6] =
        ["psk", "password", "sae_password", "wep_key0", "wep_key1", "private_key_passwd"];
    const KEYFILE: [&str; 7] = [
        "psk",
        "password",
        "wep-key0",
        "wep-key1",
        "leap-password",
        "private-key-password",
        "password-raw",
    ];
    const INTERFACES: [&str; 4] = ["wpa-psk", "wpa-password", "wireless-key", "wireless-key1"];
    let mut supplicant = found.paths("/etc/wpa_supplicant");
    let mut netplan = found.paths("/etc/netplan");
    for partition in found.files.boot_partitions() {
        let prefix = partition.prefix;
        supplicant.push(format!("{prefix}/wpa_supplicant.conf"));
        netplan.push(format!("{prefix}/network-config"));
    }
    for path in supplicant.iter().filter(|path| path.ends_with(".conf")) {
        found.add_if_set(SecretKind::Wifi, path, &SUPPLICANT);
    }
    for path in netplan {
        found.add_if_set(SecretKind::Wifi, &path, &["password", "client-key-password"]);
    }
    for path in found.paths("/etc/NetworkManager/system-connections") {
        found.add_if_set(SecretKind::Wifi, &path, &KEYFILE);
    }
    for path in found.paths("/var/lib/iwd") {
        found.add_if_set(SecretKind::Wifi, &path, &["Passphrase", "PreSharedKey"]);
    }
    let mut interfaces = found.paths("/etc/network/interfaces.d");
    interfaces.push("/etc/network/interfaces".to_owned());
    for path in interfaces {
        found.add_if_set(SecretKind::Wifi, &path, &INTERFACES);
    }
    Ok(())
}
