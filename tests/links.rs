//! Symlinks of an image or a card in the places of files: those that lead to files with another
//! purpose, and loops.

use std::path::Path;

use crate::{save::*, support::*};

const NODE: &str = "out/xu4-node1.img";

fn shadow(image: &Path) -> (String, String) {
    (cat(image, "/etc/shadow"), debugfs(image, "stat /etc/shadow"))
}

fn apply(bench: &Bench) {
    let target = format!("xu4-node1={NODE}");
    let output = bench.nodecard(&["apply", "profile.yaml", &target, "--yes"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn nothing_is_written_through_links_to_files_of_root() {
    let bench = Bench::new();
    bench.built(&["--node", "xu4-node1"]);
    let card = bench.path(NODE);
    let (text, _) = shadow(&card);
    assert!(text.contains("root:"), "{text}");
    decoded_base(&bench);
    let links = "rm /etc/hosts\nsymlink /etc/hosts shadow\n\
                 rm /etc/hostname\nsymlink /etc/hostname /etc/shadow\n";
    edit(&bench, "base.img", links);
    let whole = |out: &str| {
        e2fsck(&card);
        assert_eq!(shadow(&card).0, text, "{out}");
        assert!(shadow(&card).1.contains("Mode:  0640"), "{}", shadow(&card).1);
        assert_eq!(cat(&card, "/etc/hostname"), "xu4-node1\n");
        let hosts = cat(&card, "/etc/hosts");
        assert!(hosts.contains("xu4-node2") && !hosts.contains("root:"), "{hosts}");
        let (code, out, error) = verify(&bench, &[NODE, "--base", "base.img"]);
        assert_eq!(code, Some(0), "{out}{error}");
    };
    whole(&bench.built(&["--node", "xu4-node1", "--base", "base.img"]));

    // The same on a card.
    edit(&bench, NODE, links);
    let (code, out, _) = verify(&bench, &[NODE]);
    assert_eq!(code, Some(1), "{out}");
    for part in ["a symlink to something else", "a symlink to shadow", "nodecard apply"] {
        assert!(one_line(&out).contains(part), "{part} is missing from {out}");
    }
    apply(&bench);
    whole(&out);

    // And where a host name becomes nobody's.
    edit(&bench, NODE, links);
    saved(&bench, &[NODE, "new.img", "--profile", "profile.yaml"]);
    let image = bench.path("new.img");
    e2fsck(&image);
    assert_eq!(shadow(&image).0, text);
    assert_eq!(cat(&image, "/etc/hostname"), "localhost\n");
}

/// A program that meets a loop cannot open the file, and that is all.
#[test]
fn loops_of_symlinks_are_no_damage() {
    let bench = Bench::new();
    decoded_base(&bench);
    let directories = [
        "/etc/cron.d",
        "/etc/network/interfaces.d",
        "/etc/ssh/sshd_config.d",
        "/etc/systemd/system",
        "/etc/profile.d",
        "/etc/modprobe.d",
        "/root/.ssh",
        "/home/odroid/.ssh",
        "/var/lib/dhcp",
        "/boot",
        "/opt",
    ];
    let at = |directory: &str| {
        let mkdir =
            if directory == "/etc" { String::new() } else { format!("mkdir {directory}\n") };
        let name = "loop.service";
        format!("{mkdir}cd {directory}\nsymlink {name} other\nsymlink other {name}\ncd /\n")
    };
    let mut commands: String = directories.iter().map(|directory| at(directory)).collect();
    // Files that somebody reads, a directory on the way, and one that is written.
    for path in [
        "/etc/fstab",
        "/etc/crontab",
        "/etc/os-release",
        "/etc/ssh/ssh_config",
        "/root/.bash_history",
        "/etc/NetworkManager",
        "/etc/netplan",
        "/etc/hosts",
    ] {
        let name = path.rsplit('/').next().unwrap();
        commands += &format!("rm {path}\nsymlink {path} {name}\n");
    }
    edit(&bench, "base.img", &commands);
    let base = ["--base", "base.img"];
    bench.built(&[&["--node", "xu4-node1"], &base[..]].concat());
    let card = bench.path(NODE);
    e2fsck(&card);
    assert!(cat(&card, "/etc/hosts").contains("xu4-node2"));
    for arguments in [
        &["check", "profile.yaml", "--base", "base.img"][..],
        &["plan", "profile.yaml", "--base", "base.img"],
        &["inspect", "base.img"],
        &["verify", "profile.yaml", NODE, "--base", "base.img"],
        &["save", NODE, "new.img", "--profile", "profile.yaml"],
    ] {
        let output = bench.nodecard(arguments).output().unwrap();
        let text = [output.stdout, output.stderr].map(|b| String::from_utf8(b).unwrap()).concat();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {text}");
        assert!(!text.contains("e2fsck"), "{arguments:?}: {text}");
    }

    // On a card, where a file has to be, and where a directory has to be.
    edit(&bench, NODE, "rm /etc/hosts\nsymlink /etc/hosts hosts\n");
    let (code, out, error) = verify(&bench, &[NODE, "--base", "base.img"]);
    assert_eq!(code, Some(1), "{error}");
    assert!(one_line(&out).contains("a symlink to hosts"), "{out}");
    assert!(!out.contains("e2fsck"), "{out}");
    apply(&bench);
    let (code, out, error) = verify(&bench, &[NODE, "--base", "base.img"]);
    assert_eq!(code, Some(0), "{out}{error}");
    edit(
        &bench,
        "base.img",
        "cd /etc\nln network old-network\nunlink network\nsymlink network network\n",
    );
    let output = bench.build(&base);
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success(), "{message}");
    assert!(!message.contains("e2fsck") && message.contains("/etc/network"), "{message}");
}

/// A user's ~/.ssh, wherever a symlink leads or whatever is there, becomes the user's own; one to
/// another directory of the user's stays.
#[test]
fn ssh_directories_of_users_become_their_own() {
    let bench = Bench::new();
    let keys =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAk7+5fdhtepRjC3WTWxqPoZ3pdIuqBjSIR0Xalan0j x\n";
    for (what, lines) in [
        ("root's", "symlink /home/odroid/.ssh /root/.ssh\n"),
        ("a loop", "symlink /home/odroid/.ssh .ssh\n"),
        ("a place of nobody", "symlink /home/odroid/.ssh /data/none\n"),
        (
            "own",
            "mkdir /home/odroid/dot\nsif /home/odroid/dot uid 1000\nsif /home/odroid/dot gid 1000\n\
             symlink /home/odroid/.ssh dot\n",
        ),
    ] {
        bench.built(&["--node", "xu4-node1"]);
        let image = bench.path("out/xu4-node1.img");
        let old = ["authorized_keys", "config", "id_ed25519", "id_ed25519.pub"];
        let old: String = old.iter().map(|name| format!("rm /home/odroid/.ssh/{name}\n")).collect();
        edit(&bench, "out/xu4-node1.img", &format!("{old}rmdir /home/odroid/.ssh\n{lines}"));
        write(&bench, "out/xu4-node1.img", "/root/.ssh/secret", keys);
        e2fsck(&image);
        let before = debugfs(&image, "stat /root");
        let base = image.display().to_string();
        bench.built(&["--node", "xu4-master", "--base", &base]);
        let made = bench.path("out/xu4-master.img");
        e2fsck(&made);
        let mode = |text: &str| text.lines().next().unwrap_or_default().to_owned();
        assert_eq!(mode(&debugfs(&made, "stat /root")), mode(&before), "{what}");
        assert!(cat(&made, "/root/.ssh/secret") == keys, "{what}");
        let kind = debugfs(&made, "stat /home/odroid/.ssh");
        assert_eq!(kind.contains("Type: symlink"), what == "own", "{what}: {kind}");
        let (code, out, error) = verify(&bench, &["out/xu4-master.img"]);
        assert_eq!(code, Some(0), "{what}: {out}{error}");
    }
}
