//! Logins into a real dropbear, in a chroot in namespaces of its own, against what the model says
//! about the same files. Needs root.

mod common;

use std::{fs, os::unix::fs::PermissionsExt as _, process::Command};

use common::{load_tree, program, run};
use system_model::{
    MemoryFiles,
    accounts::Accounts,
    sshd::{Login, dropbear_admission},
};

/// What is changed in the tree, as a shell script that runs at its root, and the user.
const CASES: [(&str, &str, &str); 22] = [
    ("as usual", "pi", ":"),
    ("root", "root", ":"),
    ("root, not allowed", "root", "args -w"),
    ("another user, root not allowed", "pi", "args -w"),
    ("no passwords", "pi", "args '-s -g'"),
    ("options joined", "root", "args -swg"),
    ("a password too", "pi", "args -t"),
    ("members of another group", "pi", "args '-G sudo'"),
    ("members of its group", "pi", "args '-G pi'"),
    ("shell not in /etc/shells", "pi", "echo /bin/sh > etc/shells"),
    ("no /etc/shells", "pi", "rm etc/shells"),
    (
        "no /etc/shells, another shell",
        "pi",
        "rm etc/shells; sed -i '/^pi:/s#/bin/bash#/bin/dash#' etc/passwd",
    ),
    ("no shell in passwd", "pi", "sed -i '/^pi:/s#/bin/bash##' etc/passwd"),
    (
        "nologin, listed",
        "pi",
        "echo /usr/sbin/nologin >> etc/shells; sed -i '/^pi:/s#/bin/bash#/usr/sbin/nologin#' etc/passwd",
    ),
    ("home of another user", "pi", "chown 1005:1005 home/pi"),
    ("home that others may write to", "pi", "chmod 777 home/pi"),
    (".ssh that its group may write to", "pi", "chmod 775 home/pi/.ssh"),
    ("keys of root, closed", "pi", "chown 0:0 home/pi/.ssh/authorized_keys"),
    ("keys that others may write to", "pi", "chmod 666 home/pi/.ssh/authorized_keys"),
    ("no keys", "pi", "rm home/pi/.ssh/authorized_keys"),
    ("another key", "pi", "sed -i 's/ AAAA[^ ]*/ AAAA/' home/pi/.ssh/authorized_keys"),
    ("locked", "pi", "sed -i 's/^pi:[*]/pi:!/' etc/shadow"),
];

const SCRIPT: &str = r#"
cd "$1" || exit 9
tools=$3
libraries=$(cd $tools && echo usr/lib/*-linux-gnu*)
ip link set lo up
for n in $(seq 0 $(($2 - 1))); do
  t=$1/$n; cd $t || exit 9
  for d in usr dev proc; do mkdir -p $t/$d; mount --rbind /$d $t/$d || exit 9; done
  for d in bin sbin lib lib32 lib64 libx32; do [ -e /$d ] || continue
    if [ -L /$d ]; then ln -sfn "$(readlink /$d)" $t/$d; else mkdir -p $t/$d; mount --bind /$d $t/$d; fi; done
  mkdir -p $t/run $t/tmp $t/tools; mount --bind $tools $t/tools
  DROPBEAR_EXTRA_ARGS=; . $t/etc/default/dropbear
  chroot $t env LD_LIBRARY_PATH=/tools/${libraries%% *} /tools/usr/sbin/dropbear -F -E -p 22 -P /run/dropbear.pid \
    $DROPBEAR_EXTRA_ARGS > $1/$n.server 2>&1 & p=$!
  for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30; do
    [ -s $t/run/dropbear.pid ] && break; sleep 0.1; done
  ssh -F /dev/null -i $1/key -o IdentitiesOnly=yes -o BatchMode=yes -o StrictHostKeyChecking=no \
    -o UserKnownHostsFile=/dev/null -o ConnectTimeout=5 -p 22 $(cat $1/$n.user)@127.0.0.1 true \
    > $1/$n.ssh 2>&1 < /dev/null
  echo $? > $1/$n.rc
  kill $p; wait $p
done
exit 0
"#;

#[test]
fn logins_end_as_the_model_says() {
    let dropbear = program(&["dropbear"], "dropbear-bin");
    let dropbearkey = program(&["dropbearkey"], "dropbear-bin");
    for (name, package) in [
        ("ssh", "openssh-client"),
        ("ip", "iproute2"),
        ("unshare", "util-linux"),
        ("chroot", "coreutils"),
    ] {
        program(&[name], package);
    }
    if !run(Command::new("unshare").args(["-n", "-m", "true"])).status.success() {
        println!("not root: dropbear was NOT asked");
        return;
    }
    let work = tempfile::tempdir_in("/var/tmp").expect("a directory");
    fs::set_permissions(work.path(), fs::Permissions::from_mode(0o755)).expect("changed");
    let base = work.path().to_str().expect("UTF-8");
    let make = format!(
        "cd {base} && ssh-keygen -q -t ed25519 -N '' -f key && {} -t ed25519 -f host",
        dropbearkey.display()
    );
    assert!(run(Command::new("sh").args(["-c", &make])).status.success(), "{make}");
    let key = fs::read_to_string(work.path().join("key.pub")).expect("readable");
    for (number, (label, user, change)) in CASES.iter().enumerate() {
        let script = format!(
            "umask 022; echo {user} > {base}/{number}.user\n\
             mkdir -p {base}/{number} && cd {base}/{number} && mkdir -p etc/dropbear etc/default etc/systemd/system home/pi/.ssh root/.ssh\n\
             args() {{ echo \"DROPBEAR_EXTRA_ARGS='$1'\" > etc/default/dropbear; }}\n\
             printf 'root:x:0:0::/root:/bin/bash\\npi:x:1000:1000::/home/pi:/bin/bash\\n' > etc/passwd\n\
             printf 'root:x:0:\\nsudo:x:27:\\npi:x:1000:\\n' > etc/group\n\
             printf 'root:*:19000:0:99999:7:::\\npi:*:19000:0:99999:7:::\\n' > etc/shadow\n\
             printf '/bin/sh\\n/bin/bash\\n' > etc/shells; : > etc/default/dropbear\n\
             cp ../host etc/dropbear/dropbear_ed25519_host_key\n\
             printf '[Service]\\nEnvironmentFile=-/etc/default/dropbear\\nExecStart=/usr/sbin/dropbear -EF -p 22 $DROPBEAR_EXTRA_ARGS\\n' > etc/systemd/system/dropbear.service\n\
             for home in home/pi root; do cp ../key.pub $home/.ssh/authorized_keys; chmod 700 $home $home/.ssh; chmod 600 $home/.ssh/*; done\n\
             chmod 755 home/pi; chown -R 1000:1000 home/pi\n{change}\n"
        );
        let made = run(Command::new("sh").args(["-c", &script]));
        assert!(made.status.success(), "{label}: {}", String::from_utf8_lossy(&made.stderr));
    }
    let count = CASES.len().to_string();
    let tools = dropbear.ancestors().nth(3).expect("usr/sbin/dropbear");
    let output = run(Command::new("unshare")
        .args(["-n", "-m", "bash", "-c", SCRIPT, "bash", base, &count])
        .arg(tools));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let (mut open, mut closed, mut wrong) = (0, 0, Vec::new());
    for (number, (label, user, _)) in CASES.iter().enumerate() {
        let read =
            |what: &str| fs::read_to_string(format!("{base}/{number}.{what}")).unwrap_or_default();
        let lets_in = read("rc").trim() == "0";
        let mut files = MemoryFiles::new();
        for path in ["/etc", "/home", "/root"] {
            load_tree(&mut files, &work.path().join(number.to_string()), path);
        }
        for path in ["/bin/bash", "/bin/dash", "/bin/sh", "/usr/sbin/nologin"] {
            files.write(path, "").own(path, 0o755, 0, 0);
        }
        let login = Login {
            user: (*user).into(),
            from: [127, 0, 0, 1].into(),
            to: [127, 0, 0, 1].into(),
            port: 22,
            today: 20_000,
        };
        let accounts = Accounts::read(&files).expect("readable");
        let base64 = key.split(' ').nth(1);
        let judged = dropbear_admission(&files, &accounts, &login, base64).expect("readable");
        // The image does not show whether its version of dropbear reads the keys as root.
        if judged.is_open() && !judged.uncertain.is_empty() {
            continue;
        }
        if judged.is_open() == lets_in {
            *(if lets_in { &mut open } else { &mut closed }) += 1;
        } else {
            wrong.push(format!("{label}: {judged:?}\n{}{}", read("server"), read("ssh")));
        }
    }
    println!("{open} logins let in, {closed} refused, as the model says");
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(open > 5 && closed > 8, "{open} {closed}");
}
