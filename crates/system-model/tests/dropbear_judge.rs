//! Logins into a real dropbear, in a chroot in namespaces of its own, against what the model says
//! about the same files. Needs root.

mod common;

use common::{
    login::{Score, Server, Trees},
    program,
};
use system_model::sshd::dropbear_admission;

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

/// What every tree begins with.
const TREE: &str = r#"
mkdir -p etc/dropbear etc/default etc/systemd/system home/pi/.ssh root/.ssh
args() { echo "DROPBEAR_EXTRA_ARGS='$1'" > etc/default/dropbear; }
printf 'root:x:0:0::/root:/bin/bash\npi:x:1000:1000::/home/pi:/bin/bash\n' > etc/passwd
printf 'root:x:0:\nsudo:x:27:\npi:x:1000:\n' > etc/group
printf 'root:*:19000:0:99999:7:::\npi:*:19000:0:99999:7:::\n' > etc/shadow
printf '/bin/sh\n/bin/bash\n' > etc/shells; : > etc/default/dropbear
cp ../host etc/dropbear/dropbear_ed25519_host_key
printf '[Service]\nEnvironmentFile=-/etc/default/dropbear\nExecStart=/usr/sbin/dropbear -EF -p 22 $DROPBEAR_EXTRA_ARGS\n' > etc/systemd/system/dropbear.service
for home in home/pi root; do
  cp ../key.pub $home/.ssh/authorized_keys; chmod 700 $home $home/.ssh; chmod 600 $home/.ssh/*
done
chmod 755 home/pi; chown -R 1000:1000 home/pi
"#;

#[test]
fn logins_end_as_the_model_says() {
    let dropbear = program(&["dropbear"], "dropbear-bin");
    let dropbearkey = program(&["dropbearkey"], "dropbear-bin");
    let server = Server {
        name: "dropbear",
        make_host_key: &format!("{} -t ed25519 -f host", dropbearkey.display()),
        start: "DROPBEAR_EXTRA_ARGS=; . $t/etc/default/dropbear
  chroot $t env LD_LIBRARY_PATH=/tools/${libraries%% *} /tools/usr/sbin/dropbear -F -E -p 22 \
                -P /run/dropbear.pid $DROPBEAR_EXTRA_ARGS",
        ready: "[ -s $t/run/dropbear.pid ]",
        tools: dropbear.ancestors().nth(3).expect("usr/sbin/dropbear"),
    };
    let Some(mut trees) = Trees::new(server) else { return };
    for (label, user, change) in CASES {
        trees.make(label, user, &format!("{TREE}{change}"));
    }
    trees.log_in();
    let mut score = Score::default();
    for (number, (label, ..)) in CASES.iter().enumerate() {
        let programs = ["/bin/bash", "/bin/dash", "/bin/sh", "/usr/sbin/nologin"];
        let files = trees.files(number, &["/etc", "/home", "/root"], &programs);
        let judged = trees.judge(number, &files, |host, login, key| {
            dropbear_admission(host, login, key).expect("readable")
        });
        // The image does not show whether its version of dropbear reads the keys as root.
        if judged.is_open() && !judged.uncertain.is_empty() {
            continue;
        }
        score.add(&trees, number, label, &judged);
    }
    score.check(6, 9);
}
