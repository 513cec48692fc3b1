use super::*;
use crate::MemoryFiles;

fn effects(line: &str) -> Vec<Effect> {
    let files = MemoryFiles::new();
    let mut scan = Scan::new(&files);
    scan.command(line, &Location::new("/x", 1)).unwrap();
    scan.finish().0.into_iter().map(|touch| touch.effect).collect()
}

#[test]
fn commands_that_change_a_card() {
    use Effect::*;
    for (line, wanted) in [
        ("/bin/sh -c 'ssh-keygen -A -v'", HostKeys),
        ("/bin/rm -f /etc/ssh/ssh_host*", HostKeys),
        ("rm -v -f \"/etc/ssh/\"ssh_host_*_key*", HostKeys),
        ("find /etc/ssh -name 'ssh_host_*' -delete", HostKeys),
        ("DEBIAN_FRONTEND=noninteractive dpkg-reconfigure openssh-server", HostKeys),
        ("G_EXEC rm -f /etc/dropbear/*", HostKeys),
        ("echo pi > /etc/hostname", HostName),
        ("G_EXEC eval 'echo x > /etc/hostname'", HostName),
        ("hostnamectl set-hostname pi", HostName),
        ("hostnamectl --static hostname pi", HostName),
        ("echo -n '' > /etc/machine-id", MachineId),
        ("G_EXEC rm -f /etc/machine-id /var/lib/dbus/machine-id", MachineId),
        ("sed -i \"s/^127.0.1.1.*/127.0.1.1 $H/\" /etc/hosts", Hosts),
        ("echo root:x | chpasswd -e", Passwords),
        ("if true; then passwd -d root; fi", Passwords),
        ("usermod -p '*' pi", Passwords),
        ("usermod -l new pi", Users),
        ("cat k >> /root/.ssh/authorized_keys", UserKeys),
        ("cat > /etc/network/interfaces.d/eth0 <<EOF", Address),
        ("nmcli con mod eth0 ipv4.method auto", Address),
        ("ip addr add 10.0.0.1/8 dev eth0", Address),
        ("(echo d; echo n) | fdisk /dev/mmcblk0", Sizes),
        ("parted -m /dev/mmcblk0 u s resizepart 2 100%", Sizes),
        ("echo ', +' | sfdisk -N 2 /dev/mmcblk0", Sizes),
        ("D=/dev/x; resize2fs $D", Sizes),
        ("systemctl disable --now ssh", SshServer),
    ] {
        assert!(effects(line).contains(&wanted), "{line}: {:?}", effects(line));
    }
}

#[test]
fn commands_that_only_look() {
    for line in [
        "# rm /etc/ssh/ssh_host_rsa_key",
        "echo rm /etc/hosts",
        "cat /etc/hostname",
        "hostname -F /etc/hostname",
        "HOST=$(hostname)",
        "grep -q x /etc/hosts && cp /etc/hosts /tmp/x",
        "ssh-keygen -l -f /etc/ssh/ssh_host_rsa_key",
        "sfdisk -l /dev/sda",
        "parted /dev/sda print",
        "fdisk -l",
        "passwd -S root",
        "systemd-machine-id-setup --commit",
        "ip addr show eth0",
        "sed -n /x/p /etc/hosts",
        "systemctl restart ssh",
        "systemctl enable --now ssh",
        "echo 'resize2fs comes next'",
        "[ -s /etc/machine-id ]",
    ] {
        assert_eq!(effects(line), [], "{line}");
    }
}

#[test]
fn scripts_are_followed_and_loops_end() {
    let mut files = MemoryFiles::new();
    files.write("/a", "#!/bin/sh\n. /b\nexec /a\n");
    files.write("/b", "KEYS=/etc/ssh/ssh_host_*_key\n\nrm -f \\\n  $KEYS\n/c\n");
    files.write("/c", "#!/usr/bin/python3\nimport os\nwith open('/etc/hostname', 'w') as f:\n");
    files.write("/loop", "#!/bin/sh\n/loop\n").symlink("/l", "/l");
    let mut scan = Scan::new(&files);
    scan.command("/a now", &Location::new("/u", 1)).unwrap();
    scan.command("/loop; /l; sh /l", &Location::new("/u", 1)).unwrap();
    let (touches, scripts) = scan.finish();
    let found: Vec<(Effect, String)> =
        touches.iter().map(|t| (t.effect, t.location.to_string())).collect();
    assert_eq!(
        found,
        [(Effect::HostKeys, "/b, line 3".to_owned()), (Effect::HostName, "/c, line 3".to_owned())]
    );
    assert_eq!(scripts, ["/a", "/b", "/c", "/loop"]);
}

/// Installers carry their data behind the script.
#[test]
fn large_scripts_are_read_up_to_a_limit() {
    let resizes = "#!/bin/sh\nresize2fs /dev/sda2\nexit\n";
    let payload = "\0\u{1}x".repeat(2 << 20);
    for (text, found) in [
        (format!("{resizes}{payload}"), 1),
        (format!("#!/bin/sh\n{}resize2fs /dev/sda2\n", "# x\n".repeat(1000)), 1),
        // The line that is cut is no command.
        (format!("#!/bin/sh\n{}resize2fs", "# x\n".repeat((MAX_SCRIPT - 15) / 4)), 0),
        // What follows the limit is not read.
        (format!("#!/bin/sh\n{}{}", "# x\n".repeat(MAX_SCRIPT / 4), resizes), 0),
        (format!("\u{7f}ELF\n{resizes}{payload}"), 0),
        (format!("\0{resizes}{payload}"), 0),
        // Without #! a shell reads it, as what calls it is one.
        (format!("resize2fs /dev/sda2\nexit\n{payload}"), 1),
    ] {
        let mut files = MemoryFiles::new();
        files.write("/big", text.as_str());
        let mut scan = Scan::new(&files);
        scan.command("sh /big", &Location::new("/u", 1)).unwrap();
        let (touches, _) = scan.finish();
        assert_eq!(touches.len(), found, "{:?}: {touches:?}", &text[..40]);
    }
}
