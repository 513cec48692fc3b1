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

/// Scripts as people write them: what they change is found wherever the path stands.
#[test]
fn everyday_shell_is_followed() {
    use Effect::*;
    let mut bad: Vec<String> = Vec::new();
    for (text, wanted) in [
        ("for k in /etc/ssh/ssh_host_*; do rm \"$k\"; done", HostKeys),
        ("for k in rsa ecdsa ed25519; do rm /etc/ssh/ssh_host_${k}_key; done", HostKeys),
        ("ls /etc/ssh/ssh_host_* | xargs rm", HostKeys),
        ("find /etc/ssh -name 'ssh_host_*' | while read k; do rm \"$k\"; done", HostKeys),
        ("find /etc/ssh -name 'ssh_host_*' -exec rm -f {} +", HostKeys),
        ("find /etc/ssh -type f -name 'ssh_host_*' -print0 | xargs -0 rm -f", HostKeys),
        ("while read k; do rm $k; done < <(ls /etc/ssh/ssh_host_*)", HostKeys),
        ("while read k; do\n rm $k\ndone <<EOF\n/tmp/x\n/etc/hostname\nEOF", HostName),
        ("while read k; do rm $k; done <<< \"/tmp/x /etc/hostname\"", HostName),
        ("ls /etc/ssh | grep ^ssh_host | while read k; do rm /etc/ssh/$k; done", HostKeys),
        ("cd /etc/ssh && rm -f ssh_host_*", HostKeys),
        ("cd /etc/ssh; rm *key*", HostKeys),
        ("rm -rf /etc/ssh", HostKeys),
        ("rm -fr /etc/s?h/", HostKeys),
        ("rm -f /etc/ssh/{ssh_host_rsa_key,ssh_host_dsa_key}", HostKeys),
        ("tar -xzf /boot/keys.tgz -C /etc/ssh", HostKeys),
        ("cp /boot/keys/* /etc/ssh/", HostKeys),
        ("cd /etc; echo pi > hostname", HostName),
        ("(cd /etc && echo pi > hostname)", HostName),
        ("cp /opt/hostname /etc/", HostName),
        ("cp /opt/hostname /etc", HostName),
        ("cp -t /etc /opt/hostname", HostName),
        ("install -m 644 /opt/hostname /etc", HostName),
        ("ln -sf /boot/hostname /etc/hostname", HostName),
        ("mv /tmp/hostname /etc", HostName),
        ("echo pi | sudo tee /etc/hostname >/dev/null", HostName),
        ("printf pi | dd of=/etc/hostname", HostName),
        ("truncate -s 0 /etc/hostname", HostName),
        ("echo pi > /proc/sys/kernel/hostname", HostName),
        ("sysctl -w kernel.hostname=pi", HostName),
        ("hostname \"node-$(cat /sys/class/net/eth0/address)\"", HostName),
        ("F=/etc; N=$F/hostname\nif [ -e x ]; then\n echo pi > \"$N\"\nfi", HostName),
        ("set_name() { echo \"$1\" > \"$2\"; }\nset_name pi /etc/hostname", HostName),
        ("case $1 in\n start) echo pi > /etc/hostname ;;\nesac", HostName),
        ("eval \"echo pi > /etc/hostname\"", HostName),
        ("bash -c 'cd /etc && echo pi > hostname'", HostName),
        ("su - root -c \"hostnamectl set-hostname pi\"", HostName),
        ("sudo sh <<EOF\nhostnamectl set-hostname pi\nEOF", HostName),
        ("echo 'hostnamectl set-hostname pi' | sh", HostName),
        ("python3 -c \"open('/etc/hostname','w').write('pi')\"", HostName),
        ("python3 - <<'EOF'\nopen('/etc/hostname','w').write('pi')\nEOF", HostName),
        ("cat > /opt/x.sh <<'EOF'\n#!/bin/sh\nhostnamectl set-hostname pi\nEOF", HostName),
        ("wget -O /etc/hostname http://10.0.0.1/name", HostName),
        ("sed -i s/a/b/ /etc/hosts /tmp/x", Hosts),
        ("cd /etc; sed -i -e s/a/b/ hosts", Hosts),
        ("curl -so /etc/hosts http://10.0.0.1/hosts", Hosts),
        ("rm -f /etc/{machine-id,x}", MachineId),
        (": > /etc/machine-id", MachineId),
        ("rm -rf /root/.ssh", UserKeys),
        ("rm -rf /home/*/.ssh", UserKeys),
        ("rm -rf /home/pi", UserKeys),
        ("U=pi; echo k >> /home/$U/.ssh/authorized_keys", UserKeys),
        ("passwd -l root", Passwords),
        ("echo \"$U:$P\" | chpasswd", Passwords),
        ("userdel -r pi", Users),
        ("ip link set eth0 down", Address),
        ("ip link set dev eth0 down", Address),
        ("ip a flush dev eth0", Address),
        ("ifdown eth0", Address),
        ("ifconfig eth0 down", Address),
        ("nmcli c down 'Wired connection 1'", Address),
        ("nmcli device disconnect eth0", Address),
        ("systemctl disable --now NetworkManager", Address),
        ("systemctl mask networking.service", Address),
        ("systemctl stop systemd-networkd", Address),
        ("rm -rf /etc/netplan", Address),
        ("mkfs.ext4 /dev/mmcblk0p2", Sizes),
        ("mke2fs -t ext4 /dev/sda1", Sizes),
        ("partprobe", Sizes),
        ("/usr/lib/systemd/systemd-growfs /", Sizes),
        ("systemd-repart --dry-run=no", Sizes),
        ("sgdisk -e /dev/mmcblk0", Sizes),
        ("sed -i 's/^PermitRootLogin.*/PermitRootLogin no/' /etc/ssh/sshd_config", SshServer),
        ("echo 'Port 2222' > /etc/ssh/sshd_config.d/x.conf", SshServer),
        ("systemctl mask ssh", SshServer),
        ("service ssh stop", SshServer),
        ("update-rc.d ssh disable", SshServer),
        ("apt-get -y purge openssh-server", SshServer),
        ("touch /etc/nologin", SshServer),
    ] {
        if !effects(text).contains(&wanted) {
            bad.push(format!("{text}: {:?}", effects(text)));
        }
    }
    assert!(bad.is_empty(), "{bad:#?}");
}

/// The same words where they change nothing of a card.
#[test]
fn everyday_shell_that_only_looks() {
    let mut bad: Vec<String> = Vec::new();
    for text in [
        "for k in /etc/ssh/ssh_host_*_key; do ssh-keygen -lf \"$k\"; done > /root/prints",
        "HOSTS=/etc/hosts; grep -q x $HOSTS || echo no > /tmp/x",
        "while read a b; do echo $b >> /tmp/x; done < /etc/hosts",
        "cd /tmp; echo pi > hostname",
        "(cd /etc); echo pi > hostname",
        "cp /etc/hosts /tmp; rm /tmp/hosts.bak",
        "sed -n 's/x/y/p' /etc/hosts > /tmp/x",
        "rm -rf /home/pi/.cache /etc/ssh/x.bak /root/.ssh/known_hosts",
        "F=/etc/hosts; cat $F; F=/tmp/x; rm $F",
        "F=/etc/hosts; cat < $F; F=/tmp/x; rm $F",
        "ip link set eth0 up; ip link set can0 down; ip link set wg0 down",
        "ip -br addr show; ip route",
        "nmcli con show; nmcli device status; nmcli general",
        "systemctl restart NetworkManager; systemctl stop apt-daily.timer",
        "hostname \"$(cat /etc/hostname)\"; hostname -I > /etc/issue",
        "echo \"remove /etc/ssh/ssh_host_* first\" > /tmp/x",
        "log() { echo \"$1\" >> /var/log/x; }; log /etc/hosts",
        "cat > /tmp/readme <<EOF\nrm /etc/hosts\nEOF",
        "tar -czf /tmp/x.tgz /etc/hosts /etc/netplan",
        "python3 -c \"print(open('/etc/hostname').read())\" > /tmp/x",
        "[ -f /etc/netplan/x.yaml ] && echo yes > /tmp/x",
        "command -v chpasswd > /dev/null; type passwd",
    ] {
        if !effects(text).is_empty() {
            bad.push(format!("{text}: {:?}", effects(text)));
        }
    }
    assert!(bad.is_empty(), "{bad:#?}");
}

fn touches_of(text: &str) -> Vec<Touch> {
    let mut files = MemoryFiles::new();
    files.write("/a", text);
    let mut scan = Scan::new(&files);
    scan.script("/a").unwrap();
    scan.finish().0
}

/// What nobody can follow is reported where it names something and writes at all.
#[test]
fn names_without_a_known_use_count_where_files_are_written() {
    let found = |text: &str| {
        let touches = touches_of(text).into_iter();
        touches.map(|one| (one.effect, one.location.line, one.only_names)).collect::<Vec<_>>()
    };
    let name = (Effect::HostName, 2, true);
    for text in [
        "#!/bin/sh\n/opt/fix /etc/hostname\nrm /tmp/x\n",
        "#!/bin/bash\ndeclare -A F; F=([n]=/etc/hostname); /opt/fix; rm /tmp/x\n",
        "#!/bin/sh\nF=/etc/hostname\neval \"$(/opt/fix)\"; rm /tmp/x\n",
        "#!/usr/bin/python3\nF = '/etc/hostname'\nimport os\nos.remove('/tmp/x')\n",
        "#!/usr/bin/python3\nfix('/etc/hostname')\nimport os\nos.remove('/tmp/x')\n",
    ] {
        assert_eq!(found(text), [name], "{text}");
    }
    for text in [
        "#!/bin/sh\n/opt/fix /etc/hostname\ncat /tmp/x > /dev/null\n",
        "#!/bin/sh\nN=$(cat /etc/hostname)\necho $N > /tmp/x\n",
        "#!/bin/sh\nF=/etc/hostname\nN=$(cat $F)\necho $N > /tmp/x\n",
        "#!/usr/bin/python3\nF = '/etc/hostname'\nprint(open(F).read())\nos.remove('/tmp/x')\n",
        "#!/usr/bin/python3\nif os.path.exists('/etc/hostname'):\n  os.remove('/tmp/x')\n",
    ] {
        assert_eq!(found(text), [], "{text}");
    }
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
