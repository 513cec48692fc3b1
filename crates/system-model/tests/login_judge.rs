//! Logins into a real sshd, in a chroot in namespaces of its own, against what the model
//! says about the same files. Needs root.

mod common;

use std::{fs, os::unix::fs::PermissionsExt, process::Command};

use common::{load_tree, program, run};
use system_model::{
    MemoryFiles,
    accounts::Accounts,
    sshd::{Login, admission},
};

/// What is changed in the tree, as a shell script that runs at its root.
const CASES: [(&str, &str); 40] = [
    ("as usual", ":"),
    ("home of another user", "chown 1005:1005 home/pi"),
    ("home of root", "chown 0:0 home/pi"),
    ("home that others may write to", "chmod 777 home/pi"),
    ("home that a shared group may write to", "chmod 775 home/pi; chown 1000:100 home/pi"),
    ("home that only root may pass", "chown 0:0 home/pi; chmod 700 home/pi"),
    ("/home that only root may pass", "chmod 700 home"),
    ("/home that all may write to", "chmod 777 home"),
    ("home behind a symlink", "mkdir data; mv home/pi data/pi; ln -s /data/pi home/pi"),
    (
        "home behind a symlink into a closed directory",
        "mkdir -m 700 data; mv home/pi data/pi; ln -s /data/pi home/pi",
    ),
    ("home missing", "rm -r home/pi"),
    (".ssh of root", "chown 0:0 home/pi/.ssh; chmod 755 home/pi/.ssh"),
    (".ssh of root, closed", "chown 0:0 home/pi/.ssh; chmod 700 home/pi/.ssh"),
    (".ssh that others may write to", "chmod 777 home/pi/.ssh"),
    ("keys of root, closed", "chown 0:0 home/pi/.ssh/authorized_keys"),
    (
        "keys of root, open",
        "chown 0:0 home/pi/.ssh/authorized_keys; chmod 644 home/pi/.ssh/authorized_keys",
    ),
    ("keys that others may write to", "chmod 666 home/pi/.ssh/authorized_keys"),
    (
        "keys behind a symlink",
        "mkdir srv; mv home/pi/.ssh/authorized_keys srv/k; ln -s /srv/k home/pi/.ssh/authorized_keys",
    ),
    (
        "keys behind a symlink in an open directory",
        "mkdir -m 777 srv; mv home/pi/.ssh/authorized_keys srv/k; ln -s /srv/k home/pi/.ssh/authorized_keys",
    ),
    ("keys in authorized_keys2", "mv home/pi/.ssh/authorized_keys home/pi/.ssh/authorized_keys2"),
    ("no strict modes", "chmod 777 home/pi; echo StrictModes no >> etc/ssh/sshd_config"),
    ("locked", "sed -i 's/^pi:[*]/pi:!/' etc/shadow"),
    ("impossible password", "sed -i 's/^pi:[*]/pi:x/' etc/shadow"),
    ("expired account", "sed -i 's/^pi:.*/pi:*:19000:0:99999:7::100:/' etc/shadow"),
    ("new password wanted", "sed -i 's/^pi:.*/pi:*:0:0:99999:7:::/' etc/shadow"),
    ("shell missing", "sed -i '/^pi:/s#/bin/bash#/usr/bin/zsh-none#' etc/passwd"),
    ("shell is a directory", "sed -i '/^pi:/s#/bin/bash#/usr/bin#' etc/passwd"),
    ("nologin", "sed -i '/^pi:/s#/bin/bash#/usr/sbin/nologin#' etc/passwd"),
    ("/etc/nologin", ": > etc/nologin"),
    ("no key logins", "echo PubkeyAuthentication no >> etc/ssh/sshd_config"),
    (
        "no key logins for others",
        "printf 'Match User root\\nPubkeyAuthentication no\\n' >> etc/ssh/sshd_config",
    ),
    ("not allowed", "echo 'AllowUsers root' >> etc/ssh/sshd_config"),
    ("allowed from here", "echo 'AllowUsers pi@127.0.0.0/8' >> etc/ssh/sshd_config"),
    ("allowed from elsewhere", "echo 'AllowUsers pi@10.0.0.0/8' >> etc/ssh/sshd_config"),
    ("group not allowed", "echo 'AllowGroups sudo' >> etc/ssh/sshd_config"),
    (
        "denied in an included block",
        "mkdir etc/ssh/x; printf 'Match Address 127.0.0.*\\nDenyUsers p*\\n' > etc/ssh/x/a; sed -i '1iInclude x/*' etc/ssh/sshd_config",
    ),
    (
        "other key files",
        "mkdir etc/keys; cp home/pi/.ssh/authorized_keys etc/keys/pi; chmod 644 etc/keys/pi; rm -r home/pi/.ssh; echo 'AuthorizedKeysFile .ssh/authorized_keys /etc/keys/%u' >> etc/ssh/sshd_config",
    ),
    ("two factors", "echo 'AuthenticationMethods publickey,password' >> etc/ssh/sshd_config"),
    ("algorithms", "echo 'PubkeyAcceptedAlgorithms -ssh-ed25519' >> etc/ssh/sshd_config"),
    ("revoked keys missing", "echo 'RevokedKeys /etc/ssh/none' >> etc/ssh/sshd_config"),
];

const SCRIPT: &str = r#"
cd "$1" || exit 9
ip link set lo up
for n in $(seq 0 $(($2 - 1))); do
  t=$1/$n; cd $t || exit 9
  for d in usr dev proc; do mkdir -p $t/$d; mount --rbind /$d $t/$d || exit 9; done
  for d in bin sbin lib lib32 lib64 libx32; do [ -e /$d ] || continue
    if [ -L /$d ]; then ln -sfn "$(readlink /$d)" $t/$d; else mkdir -p $t/$d; mount --bind /$d $t/$d; fi; done
  mkdir -p $t/run/sshd $t/tmp; chmod 755 $t/run/sshd
  chroot $t /usr/sbin/sshd -D -e -o PidFile=none > $1/$n.sshd 2>&1 & p=$!
  for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    grep -q 'Server listening' $1/$n.sshd && break; sleep 0.1; done
  ssh -F /dev/null -i $1/key -o IdentitiesOnly=yes -o BatchMode=yes -o StrictHostKeyChecking=no \
    -o UserKnownHostsFile=/dev/null -o ConnectTimeout=5 -p 22 pi@127.0.0.1 true > $1/$n.ssh 2>&1 < /dev/null
  echo $? > $1/$n.rc
  kill $p; wait $p
done
exit 0
"#;

#[test]
fn logins_end_as_the_model_says() {
    for (name, package) in [
        ("sshd", "openssh-server"),
        ("ssh", "openssh-client"),
        ("ip", "iproute2"),
        ("unshare", "util-linux"),
        ("chroot", "coreutils"),
    ] {
        program(&[name], package);
    }
    if !run(Command::new("unshare").args(["-n", "-m", "true"])).status.success() {
        println!("not root: sshd was NOT asked");
        return;
    }
    let work = tempfile::tempdir_in("/var/tmp").expect("a directory");
    // sshd passes through the directories above the tree, which it sees as its root.
    fs::set_permissions(work.path(), fs::Permissions::from_mode(0o755)).expect("changed");
    let base = work.path().to_str().expect("UTF-8");
    let make = format!(
        "cd {base} && ssh-keygen -q -t ed25519 -N '' -f key && ssh-keygen -q -t ed25519 -N '' -f host"
    );
    assert!(run(Command::new("sh").args(["-c", &make])).status.success());
    let key = fs::read_to_string(work.path().join("key.pub")).expect("readable");
    for (number, (label, change)) in CASES.iter().enumerate() {
        let script = format!(
            "umask 022; mkdir -p {base}/{number} && cd {base}/{number} && mkdir -p etc/ssh home/pi/.ssh\n\
             printf 'root:x:0:0::/root:/bin/bash\\npi:x:1000:1000::/home/pi:/bin/bash\\nsshd:x:105:65534::/run/sshd:/usr/sbin/nologin\\n' > etc/passwd\n\
             printf 'root:x:0:\\nusers:x:100:\\nsudo:x:27:\\npi:x:1000:\\n' > etc/group\n\
             printf 'root:*:19000:0:99999:7:::\\npi:*:19000:0:99999:7:::\\n' > etc/shadow\n\
             cp ../host etc/ssh/ssh_host_ed25519_key; echo 'UsePAM no' > etc/ssh/sshd_config\n\
             cp ../key.pub home/pi/.ssh/authorized_keys; chmod 700 home/pi/.ssh; chmod 600 home/pi/.ssh/*\n\
             chown -R 1000:1000 home/pi\n{change}\n"
        );
        assert!(run(Command::new("sh").args(["-c", &script])).status.success(), "{label}");
    }
    let count = CASES.len().to_string();
    let output =
        run(Command::new("unshare").args(["-n", "-m", "bash", "-c", SCRIPT, "bash", base, &count]));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let (mut open, mut closed, mut wrong) = (0, 0, Vec::new());
    for (number, (label, _)) in CASES.iter().enumerate() {
        let read =
            |what: &str| fs::read_to_string(format!("{base}/{number}.{what}")).unwrap_or_default();
        let lets_in = read("rc").trim() == "0";
        let mut files = MemoryFiles::new();
        for path in ["/etc", "/home", "/data", "/srv"] {
            load_tree(&mut files, &work.path().join(number.to_string()), path);
        }
        for path in ["/bin/bash", "/bin/sh", "/usr/sbin/nologin"] {
            files.write(path, "").own(path, 0o755, 0, 0);
        }
        files.directory("/usr/bin");
        let login = Login {
            user: "pi".into(),
            from: [127, 0, 0, 1].into(),
            to: [127, 0, 0, 1].into(),
            port: 22,
            today: 20_000,
        };
        let accounts = Accounts::read(&files).expect("readable");
        let base64 = key.split(' ').nth(1);
        let judged = admission(&files, &accounts, &login, base64).expect("readable");
        if judged.is_open() == lets_in {
            *(if lets_in { &mut open } else { &mut closed }) += 1;
        } else {
            wrong.push(format!("{label}: {judged:?}\n{}{}", read("sshd"), read("ssh")));
        }
    }
    println!("{open} logins let in, {closed} refused, as the model says");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(open > 8 && closed > 20);
}
