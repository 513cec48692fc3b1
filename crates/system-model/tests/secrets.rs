//! Secrets are found where programs keep them, and nothing else is.
#![allow(missing_docs)]

use system_model::{MemoryFiles, SecretKind, secrets};

fn system() -> MemoryFiles {
    let mut files = MemoryFiles::new();
    files.write(
        "/etc/passwd",
        "root:x:0:0::/root:/bin/bash\nodroid:x:1000:1000::/home/odroid:/bin/bash\n\
         daemon:x:1:1::/usr/sbin:/usr/sbin/nologin\n",
    );
    files.write("/etc/shadow", "root:*:1::::::\nodroid:!:1::::::\ndaemon:*:1::::::\n");
    files
}

fn found(files: &MemoryFiles) -> Vec<(SecretKind, String)> {
    secrets(files).unwrap().into_iter().map(|secret| (secret.kind, secret.path)).collect()
}

#[test]
fn a_system_without_secrets_has_none() {
    let mut files = system();
    files
        .write("/etc/ssh/ssh_host_ed25519_key.pub", "ssh-ed25519 AAAA root@x\n")
        .write("/home/odroid/.bash_history", "")
        .write("/home/odroid/.docker/config.json", "{\"credsStore\": \"pass\"}\n")
        .write("/etc/netplan/50.yaml", "network:\n  ethernets:\n    eth0: {dhcp4: true}\n")
        .write("/etc/wpa_supplicant/wpa_supplicant.conf", "network={\n ssid=\"x\"\n # psk=old\n}\n")
        .write("/etc/NetworkManager/system-connections/a.nmconnection", "[wifi-security]\npsk=\n");
    assert_eq!(found(&files), []);
}

#[test]
fn each_secret_is_found_at_its_path() {
    let places: [(SecretKind, &str, &str); 19] = [
        (
            SecretKind::Wifi,
            "/etc/wpa_supplicant/wpa_supplicant-wlan0.conf",
            "network={\n\tpsk=\"a b\"\n}",
        ),
        (
            SecretKind::Wifi,
            "/etc/NetworkManager/system-connections/home",
            "[wifi-security]\npsk=x\n",
        ),
        (
            SecretKind::Wifi,
            "/etc/netplan/60.yaml",
            "network:\n wifis:\n  wlan0:\n   access-points:\n    \"n\":\n     password: \"x\"\n",
        ),
        (SecretKind::Wifi, "/var/lib/iwd/home.psk", "[Security]\nPassphrase=x\n"),
        (SecretKind::Wifi, "/etc/network/interfaces", "iface wlan0 inet dhcp\n    wpa-psk x\n"),
        (SecretKind::History, "/root/.bash_history", "mysql -psecret\n"),
        (SecretKind::History, "/home/odroid/.local/share/fish/fish_history", "- cmd: x\n"),
        (SecretKind::History, "/home/gone/.zsh_history", "x\n"),
        (
            SecretKind::Token,
            "/root/.docker/config.json",
            "{\"auths\": {\"x\": {\n\"auth\": \"dXNlcg==\"}}}",
        ),
        (SecretKind::Token, "/home/odroid/.netrc", "machine x login y password z\n"),
        (SecretKind::Token, "/home/odroid/.git-credentials", "https://u:p@h\n"),
        (SecretKind::Token, "/home/odroid/.kube/config", "users:\n- user:\n    token: x\n"),
        (SecretKind::Token, "/var/lib/tailscale/tailscaled.state", "{}"),
        (
            SecretKind::FirstBootPassword,
            "/var/lib/cloud/seed/nocloud/user-data",
            "#cloud-config\npassword: x\n",
        ),
        (
            SecretKind::FirstBootPassword,
            "/var/lib/cloud/instances/i-1/user-data.txt",
            "users:\n  - passwd: $6$x\n",
        ),
        (SecretKind::FirstBootPassword, "/boot/firmware/userconf.txt", "pi:$6$x\n"),
        (SecretKind::PrivateKey, "/etc/wireguard/wg0.conf", "[Interface]\nPrivateKey = x\n"),
        (SecretKind::PasswordHash, "/etc/shadow-", "root:$6$abcdefgh$ijklmnop:1::::::\n"),
        (
            SecretKind::PrivateKey,
            "/etc/ssh/ssh_host_rsa_key",
            "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n",
        ),
    ];
    for (kind, path, contents) in &places {
        let mut files = system();
        files.boot_partition(1, "/boot/firmware");
        files.write(path, contents);
        assert_eq!(found(&files), [(*kind, (*path).to_owned())]);
    }
}

#[test]
fn hashes_are_listed_with_their_users_even_if_they_are_locked() {
    let mut files = system();
    files.write(
        "/etc/shadow",
        "root:$6$a$b:1::::::\nodroid:!$y$j9T$c$d:1::::::\ndaemon:*:1::::::\n",
    );
    let secrets = secrets(&files).unwrap();
    assert_eq!(secrets.len(), 1);
    assert_eq!(secrets[0].users, ["root", "odroid"]);
    assert_eq!(secrets[0].path, "/etc/shadow");
}
