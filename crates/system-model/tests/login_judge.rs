//! Logins into a real sshd, in a chroot in namespaces of its own, against what the model
//! says about the same files. Needs root.

mod common;

use std::path::Path;

use common::{
    login::{Score, Server, Trees},
    program,
};
use system_model::sshd::admission;

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

/// What every tree begins with.
const TREE: &str = r#"
mkdir -p etc/ssh home/pi/.ssh
printf 'root:x:0:0::/root:/bin/bash\npi:x:1000:1000::/home/pi:/bin/bash\nsshd:x:105:65534::/run/sshd:/usr/sbin/nologin\n' > etc/passwd
printf 'root:x:0:\nusers:x:100:\nsudo:x:27:\npi:x:1000:\n' > etc/group
printf 'root:*:19000:0:99999:7:::\npi:*:19000:0:99999:7:::\n' > etc/shadow
cp ../host etc/ssh/ssh_host_ed25519_key; echo 'UsePAM no' > etc/ssh/sshd_config
cp ../key.pub home/pi/.ssh/authorized_keys; chmod 700 home/pi/.ssh; chmod 600 home/pi/.ssh/*
chown -R 1000:1000 home/pi
"#;

#[test]
fn logins_end_as_the_model_says() {
    program(&["sshd"], "openssh-server");
    let server = Server {
        name: "sshd",
        make_host_key: "ssh-keygen -q -t ed25519 -N '' -f host",
        start: "chroot $t /usr/sbin/sshd -D -e -o PidFile=none",
        ready: "grep -q 'Server listening' $1/$n.server",
        tools: Path::new("/"),
    };
    let Some(mut trees) = Trees::new(server) else { return };
    for (label, change) in CASES {
        trees.make(label, "pi", &format!("{TREE}{change}"));
    }
    trees.log_in();
    let mut score = Score::default();
    for (number, (label, _)) in CASES.iter().enumerate() {
        let programs = ["/bin/bash", "/bin/sh", "/usr/sbin/nologin"];
        let mut files = trees.files(number, &["/etc", "/home", "/data", "/srv"], &programs);
        files.directory("/usr/bin");
        let judged = trees.judge(number, &files, |host, login, key| {
            admission(host, login, key).expect("readable")
        });
        score.add(&trees, number, label, &judged);
    }
    score.check(9, 21);
}
