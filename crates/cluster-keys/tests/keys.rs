//! A cluster's keys on a real filesystem, checked with OpenSSH's own ssh-keygen.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
    process::Command,
};

use cluster_keys::{ClusterKeys, KeyError, NewKeys};
use platform::{Owner, Permissions};

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn nodes() -> Vec<String> {
    ["xu4-master", "xu4-node1"].map(String::from).to_vec()
}

fn create(root: &Path) -> Result<ClusterKeys, KeyError> {
    ClusterKeys::open_or_create(&root.join("mc1.keys"), "mc1", &nodes())
}

fn ssh_keygen(arguments: &[&str], file: &Path) -> String {
    let output = Command::new("ssh-keygen").args(arguments).arg("-f").arg(file).output();
    let output = output.expect("ssh-keygen is needed: install the Debian package openssh-client");
    assert!(output.status.success(), "ssh-keygen {arguments:?} {}: {output:?}", file.display());
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn openssh_reads_every_key_and_derives_the_same_public_half() -> Outcome {
    let root = tempfile::tempdir()?;
    let keys = create(root.path())?;
    let directory = root.path().join("mc1.keys");
    for (file, comment, pair) in [
        ("id_ed25519", "mc1 cluster key", keys.cluster()),
        ("hosts/xu4-node1/ssh_host_ed25519_key", "root@xu4-node1", keys.host("xu4-node1")?),
    ] {
        let path = directory.join(file);
        assert_eq!(ssh_keygen(&["-y"], &path), pair.public());
        let listed = ssh_keygen(&["-l"], &path);
        let start = format!("256 {} ", pair.fingerprint());
        assert!(listed.starts_with(&start), "{listed}");
        assert!(listed.contains(comment) && listed.trim_end().ends_with("(ED25519)"), "{listed}");
        assert_eq!(ssh_keygen(&["-l"], &path.with_extension("pub")), listed);
    }
    // The private key can sign.
    let message = root.path().join("message");
    fs::write(&message, "hello")?;
    let signed = Command::new("ssh-keygen")
        .args(["-Y", "sign", "-n", "file", "-f"])
        .arg(directory.join("id_ed25519"))
        .arg(&message)
        .status()?;
    assert!(signed.success());
    Ok(())
}

/// dropbear's own program reads the converted key and derives the same public half.
#[test]
fn dropbear_reads_a_converted_key() -> Outcome {
    let root = tempfile::tempdir()?;
    let keys = create(root.path())?;
    for pair in [keys.cluster(), keys.host("xu4-master")?, keys.host("xu4-node1")?] {
        let file = root.path().join("dropbear_ed25519_host_key");
        fs::write(&file, pair.dropbear()?)?;
        let output = Command::new("dropbearkey").arg("-y").arg("-f").arg(&file).output();
        let output = output.expect("dropbearkey is needed: run scripts/test, which unpacks it");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{output:?}");
        let public = said.lines().find(|line| line.starts_with("ssh-ed25519 "));
        let public = public.expect("a public key").split(' ').take(2).collect::<Vec<_>>().join(" ");
        assert_eq!(public, pair.public_without_comment());
    }
    Ok(())
}

#[test]
fn a_second_run_reads_the_keys_of_the_first() -> Outcome {
    let root = tempfile::tempdir()?;
    let first = create(root.path())?;
    let directory = root.path().join("mc1.keys");
    let inode = |file: &str| fs::metadata(directory.join(file)).map(|m| (m.ino(), m.mtime_nsec()));
    let before = (inode("seed")?, inode("id_ed25519")?);
    let second = create(root.path())?;
    assert_eq!((inode("seed")?, inode("id_ed25519")?), before);
    let third = ClusterKeys::open(&directory, &nodes())?;
    for again in [&second, &third] {
        assert_eq!(again.cluster().private(), first.cluster().private());
        assert_eq!(again.host("xu4-node1")?.private(), first.host("xu4-node1")?.private());
        assert_eq!(again.machine_id("xu4-master"), first.machine_id("xu4-master"));
    }
    assert_eq!(first.cluster().private(), fs::read_to_string(directory.join("id_ed25519"))?);
    Ok(())
}

#[test]
fn a_new_node_gets_keys_and_the_others_keep_theirs() -> Outcome {
    let root = tempfile::tempdir()?;
    let first = create(root.path())?;
    let more = ["xu4-master", "xu4-node1", "xu4-node2"].map(String::from);
    let second = ClusterKeys::open_or_create(&root.path().join("mc1.keys"), "mc1", &more)?;
    assert_eq!(second.host("xu4-node1")?.public(), first.host("xu4-node1")?.public());
    assert_ne!(second.host("xu4-node2")?.public(), first.host("xu4-node1")?.public());
    assert!(matches!(first.host("xu4-node2"), Err(KeyError::UnknownNode { .. })));
    Ok(())
}

#[test]
fn keys_that_others_can_access_are_rejected() -> Outcome {
    let root = tempfile::tempdir()?;
    create(root.path())?;
    let directory = root.path().join("mc1.keys");
    for (path, mode) in [
        ("", 0o700),
        ("seed", 0o600),
        ("id_ed25519", 0o600),
        ("hosts", 0o700),
        ("hosts/xu4-master/ssh_host_ed25519_key", 0o600),
    ] {
        let metadata = fs::metadata(directory.join(path))?;
        assert_eq!(metadata.permissions().mode() & 0o777, mode, "{path}");
    }
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o750))?;
    let error = create(root.path()).unwrap_err();
    assert!(
        matches!(error, KeyError::Exposed { permissions: Permissions::Mode(0o750), .. }),
        "{error}"
    );
    assert!(error.fix().is_some_and(|fix| fix.contains("chmod 700")), "{error}");
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o700))?;
    fs::set_permissions(directory.join("seed"), fs::Permissions::from_mode(0o644))?;
    let error = create(root.path()).unwrap_err();
    assert!(error.fix().is_some_and(|fix| fix.contains("chmod 600")), "{error}");
    Ok(())
}

#[test]
fn damaged_files_are_reported_and_left_alone() -> Outcome {
    type Damage = fn(&Path) -> std::io::Result<()>;
    let damages: [(&str, Damage, &str); 8] = [
        ("seed", |p| fs::write(p, "abc\n"), "64 hexadecimal"),
        ("seed", |p| fs::remove_file(p), "missing"),
        ("id_ed25519", |p| fs::write(p, "not a key\n"), "not a private key"),
        ("id_ed25519", |p| fs::write(p, vec![b'x'; 100_000]), "larger than any key"),
        ("id_ed25519", |p| fs::remove_file(p), "missing"),
        ("id_ed25519.pub", |p| fs::write(p, "ssh-ed25519 AAAA\n"), "not a public key"),
        (
            "id_ed25519.pub",
            |p| {
                fs::copy(p.with_file_name("hosts/xu4-node1/ssh_host_ed25519_key.pub"), p)
                    .map(|_| ())
            },
            "not the public half",
        ),
        ("hosts/xu4-node1/ssh_host_ed25519_key", |p| fs::remove_file(p), "missing"),
    ];
    for (file, damage, message) in damages {
        let root = tempfile::tempdir()?;
        let whole = create(root.path())?;
        let path = root.path().join("mc1.keys").join(file);
        damage(&path)?;
        let left = fs::read(&path).ok();
        let error = create(root.path()).unwrap_err();
        assert!(error.fix().is_some(), "{file}: {error}");
        let source = std::error::Error::source(&error).map(ToString::to_string);
        let error = error.to_string();
        assert!(error.contains(message) && error.contains(file), "{file}: {error}");
        let source = source.unwrap_or_default();
        assert!(source.is_empty() || !error.contains(&source), "{error}: {source}");
        let secret = whole.cluster().private().lines().nth(1).unwrap_or("none").to_owned();
        assert!(!error.contains(&secret) && !source.contains(&secret));
        assert_eq!(fs::read(&path).ok(), left, "{file} was changed");
        assert!(ClusterKeys::open(&root.path().join("mc1.keys"), &nodes()).is_err(), "{file}");
    }
    Ok(())
}

#[test]
fn a_missing_public_half_is_created_again() -> Outcome {
    let root = tempfile::tempdir()?;
    let first = create(root.path())?;
    let path = root.path().join("mc1.keys/id_ed25519.pub");
    fs::remove_file(&path)?;
    create(root.path())?;
    assert_eq!(fs::read_to_string(path)?, first.cluster().public());
    Ok(())
}

#[test]
fn other_kinds_of_private_keys_are_rejected() -> Outcome {
    for arguments in [vec!["-t", "rsa", "-N", ""], vec!["-t", "ed25519", "-N", "secret"]] {
        let root = tempfile::tempdir()?;
        create(root.path())?;
        let path = root.path().join("mc1.keys/id_ed25519");
        fs::remove_file(&path)?;
        fs::remove_file(path.with_extension("pub"))?;
        ssh_keygen(&[&["-q"], arguments.as_slice()].concat(), &path);
        let error = create(root.path()).unwrap_err().to_string();
        assert!(error.contains("passphrase") || error.contains("not an ed25519"), "{error}");
    }
    Ok(())
}

/// The archives that tar makes of the directory, from outside and from inside of it.
#[test]
fn an_archive_is_as_good_as_the_directory() -> Outcome {
    let root = tempfile::tempdir()?;
    let keys = create(root.path())?;
    for (name, arguments) in [
        ("outside.tar", &["-cf", "outside.tar", "mc1.keys"][..]),
        ("inside.tar", &["-cf", "inside.tar", "-C", "mc1.keys", "."]),
        ("packed.tgz", &["-czf", "packed.tgz", "mc1.keys"]),
    ] {
        let status =
            std::process::Command::new("tar").args(arguments).current_dir(root.path()).status()?;
        assert!(status.success());
        let path = root.path().join(name);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644))?;
        let error = ClusterKeys::open(&path, &nodes()).unwrap_err();
        assert!(matches!(error, KeyError::Exposed { wanted: 0o600, .. }), "{error}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o400))?;
        let opened = ClusterKeys::open(&path, &nodes())?;
        assert_eq!(opened.cluster().private(), keys.cluster().private());
        assert_eq!(opened.machine_id("xu4-master"), keys.machine_id("xu4-master"));
        assert_eq!(opened.created(), keys.created());
        for node in nodes() {
            assert_eq!(opened.host(&node)?.private(), keys.host(&node)?.private());
        }
        let more = [nodes(), vec!["xu4-node9".into()]].concat();
        assert!(matches!(ClusterKeys::open(&path, &more), Err(KeyError::Missing { .. })));
    }
    for wrong in ["", "not an archive\n", &"x".repeat(4096)] {
        let path = root.path().join("wrong.tar");
        fs::write(&path, wrong)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        let error = ClusterKeys::open(&path, &nodes()).unwrap_err();
        assert!(matches!(error, KeyError::Damaged { .. }), "{error}");
    }
    Ok(())
}

#[test]
fn new_keys_are_reported_once() -> Outcome {
    let root = tempfile::tempdir()?;
    assert_eq!(*create(root.path())?.new_keys(), NewKeys::Cluster);
    assert_eq!(*create(root.path())?.new_keys(), NewKeys::None);
    let more = [nodes(), vec!["xu4-node9".into()]].concat();
    let keys = ClusterKeys::open_or_create(&root.path().join("mc1.keys"), "mc1", &more)?;
    assert_eq!(*keys.new_keys(), NewKeys::Hosts(vec!["xu4-node9".into()]));
    Ok(())
}

#[test]
fn runs_at_the_same_time_get_the_same_keys() -> Outcome {
    let root = tempfile::tempdir()?;
    let publics = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| create(root.path()).map(|keys| keys.cluster().public().to_owned()))
            })
            .collect();
        threads
            .into_iter()
            .map(|t| t.join().expect("a run panicked"))
            .collect::<Result<Vec<_>, _>>()
    })?;
    assert!(publics.windows(2).all(|pair| pair[0] == pair[1]), "{publics:?}");
    Ok(())
}

#[test]
fn derived_ids_differ_by_node_and_are_uuids() -> Outcome {
    let root = tempfile::tempdir()?;
    let keys = create(root.path())?;
    let id = keys.machine_id("xu4-master");
    assert_eq!((id.len(), &id[12..13]), (32, "4"), "{id}");
    assert!("89ab".contains(&id[16..17]) && id.bytes().all(|b| b.is_ascii_hexdigit()), "{id}");
    assert_ne!(id, keys.machine_id("xu4-node1"));
    assert_ne!(keys.uuid("a", "n"), keys.uuid("b", "n"));
    assert_eq!(keys.uuid("a", "n").split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
    Ok(())
}

#[test]
fn debug_output_hides_secrets_and_names_cannot_leave_the_directory() -> Outcome {
    let root = tempfile::tempdir()?;
    let keys = create(root.path())?;
    let shown = format!("{keys:?} {:?}", keys.cluster());
    assert!(!shown.contains("PRIVATE") && !shown.contains("seed"), "{shown}");
    for name in ["../x", "", "a/b", "-a", "a.b"] {
        let result = ClusterKeys::open_or_create(&root.path().join("k"), "c", &[name.into()]);
        assert!(matches!(result, Err(KeyError::NodeName { .. })), "{name}");
    }
    assert!(!root.path().join("k").exists());
    assert!(matches!(
        ClusterKeys::open(&root.path().join("k"), &nodes()),
        Err(KeyError::Missing { .. })
    ));
    Ok(())
}

#[test]
fn keys_in_memory_are_complete_and_leave_the_directory_alone() -> Outcome {
    let root = tempfile::tempdir()?;
    let directory = root.path().join("mc1.keys");
    let imagine = || ClusterKeys::open_or_generate(&directory, "mc1", &nodes());
    let keys = imagine()?;
    assert!(!keys.is_kept() && !directory.exists());
    assert!(keys.host("xu4-node1")?.public().ends_with(" root@xu4-node1\n"));
    assert_ne!(imagine()?.cluster().public(), keys.cluster().public());

    // Those that exist are used; only the new node's is made up.
    let kept = ClusterKeys::open_or_create(&directory, "mc1", &nodes()[..1])?;
    let keys = imagine()?;
    assert!(!keys.is_kept() && kept.is_kept());
    assert_eq!(keys.machine_id("xu4-master"), kept.machine_id("xu4-master"));
    assert_eq!(keys.host("xu4-master")?.private(), kept.host("xu4-master")?.private());
    assert!(!directory.join("hosts/xu4-node1").exists());
    assert!(create(root.path())?.is_kept() && imagine()?.is_kept());

    // A lost seed is an error, as for building.
    fs::remove_file(directory.join("seed"))?;
    assert!(matches!(imagine(), Err(KeyError::Missing { .. })));
    Ok(())
}

/// Runs a function on keys in a fresh directory.
fn with_keys(work: impl FnOnce(&std::path::Path)) {
    let temp = tempfile::tempdir().unwrap();
    let directory = temp.path().join("mc1.keys");
    ClusterKeys::open_or_create(&directory, "mc1", &["n1".to_owned()]).unwrap();
    work(&directory);
}

fn reopen(directory: &std::path::Path) -> Result<ClusterKeys, KeyError> {
    ClusterKeys::open_or_create(directory, "mc1", &["n1".to_owned()])
}

/// Whoever owns the directory or a key could have made it. Giving a file away takes root.
#[test]
fn keys_of_another_user_are_refused() {
    for name in ["", "seed", "id_ed25519", "hosts/n1/ssh_host_ed25519_key", "id_ed25519.pub"] {
        with_keys(|directory| {
            let path = directory.join(name);
            if std::os::unix::fs::chown(&path, Some(54321), None).is_err() {
                test_support::not_judged("owners were not tried: that needs root");
                return;
            }
            for opened in [reopen(directory), ClusterKeys::open(directory, &["n1".to_owned()])] {
                let error = opened.unwrap_err();
                assert!(
                    matches!(error, KeyError::Foreign { owner: Owner::User(54321), .. }),
                    "{name}: {error}"
                );
                let text = error.to_string();
                assert!(text.ends_with("belongs to another user (number 54321)"), "{text}");
                assert!(error.fix().unwrap().contains("chown -R"), "{error}");
            }
        });
    }
}

/// A named pipe instead of a file ends the run at once.
#[test]
fn named_pipes_are_not_waited_for() {
    for name in [".lock", "seed", "created", "id_ed25519", "hosts/n1/ssh_host_ed25519_key"] {
        with_keys(|directory| {
            let path = directory.join(name);
            std::fs::remove_file(&path).unwrap();
            let made = std::process::Command::new("mkfifo").arg("-m600").arg(&path).status();
            assert!(made.expect("mkfifo of coreutils").success());
            let start = std::time::Instant::now();
            let error = reopen(directory).unwrap_err();
            assert!(matches!(error, KeyError::WrongKind { .. }), "{name}: {error}");
            assert!(start.elapsed().as_millis() < 1000, "{name}");
        });
    }
}

#[test]
fn waiting_for_another_run_can_be_interrupted() {
    with_keys(|directory| {
        let held = std::fs::File::options().write(true).open(directory.join(".lock")).unwrap();
        held.lock().unwrap();
        let cancel = block_io::Cancel::new();
        std::thread::scope(|scope| {
            let open = || {
                ClusterKeys::open_or_create_unless(&cancel, directory, "mc1", &["n1".to_owned()])
            };
            let run = scope.spawn(open);
            std::thread::sleep(std::time::Duration::from_millis(300));
            assert!(!run.is_finished(), "it waits for the lock");
            cancel.cancel();
            let asked = std::time::Instant::now();
            assert!(matches!(run.join().unwrap(), Err(KeyError::Cancelled(_))));
            assert!(asked.elapsed().as_millis() < 1000, "{:?}", asked.elapsed());
        });
    });
}
