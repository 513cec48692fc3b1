//! Plans, findings and corrections of files on the partition.

use std::{fs, sync::Arc};

use block_io::{FileStorage, Layer, ReadAt as _, Window, WriteAt};
use card_audit::{PlanOptions, plan_against};
use card_image::{Cancel, ImageFormat, RootFs, RootFsEditor};
use test_support::{Recorder, replay_cut};

use crate::{
    bed::{Bed, FAT, MIB, NODES, assert_fat_clean, base, mcopy, mtype, root_window},
    common::{ROOT, run},
};

/// Plans show changes of boot files, verify finds differences, and apply fixes them.
#[test]
fn plan_verify_and_apply() {
    let fstab = "LABEL=BOOT /boot/firmware vfat defaults 0 2";
    let bed = Bed::new(&["-F", "16", "-s", "1"], fstab, &NODES.replace("MOUNT", "/boot/firmware"));
    let cancel = Cancel::new();
    let builder = card_image::CardBuilder::open(bed.inputs(), &(), &cancel).unwrap();
    let nodes: Vec<_> = bed.cluster.nodes.iter().collect();
    let plan = card_audit::plan(&builder, 64 * MIB, &nodes, "base", &cancel).unwrap().to_string();
    for part in [
        "-arm_64bit=1\n+arm_64bit=0\n",
        "/boot/firmware/overlays/a long name.dtbo: new, 7 bytes",
        "/boot/firmware/node.txt: new, 4 bytes",
    ] {
        assert!(plan.contains(part), "{part}: {plan}");
    }
    bed.build("out", ImageFormat::Raw);
    let image = bed.image("out", "n1");
    mcopy(&image, "config.txt", b"arm_64bit=1\n");
    mcopy(&image, "node.txt", b"three\n");
    let found = bed.findings(&image, 0);
    assert_eq!(found.len(), 2, "{found:?}");
    for finding in &found {
        assert!(finding.starts_with("extra-file /boot/firmware/"), "{finding}");
        assert!(finding.contains("nodecard apply"), "{finding}");
    }
    let node = &bed.cluster.nodes[0];
    let options = PlanOptions {
        cluster: &bed.cluster,
        keys: &bed.keys,
        node,
        time: Some(crate::common::BUILT),
    };
    let plan = plan_against(&options, &bed.card(&image)).unwrap().to_string();
    assert!(plan.contains("-three\n+one\n") && plan.contains("-arm_64bit=1\n"), "{plan}");

    let options = bed.apply_options(node);
    let card = Arc::new(FileStorage::open(&image).unwrap());
    let rehearsed = card_audit::rehearse(&options, "card", card).unwrap();
    let plan = rehearsed.plan.to_string();
    assert!(plan.contains("-three\n+one\n") && plan.contains("-arm_64bit=1\n"), "{plan}");
    assert_eq!(rehearsed.left, []);
    assert_eq!(mtype(&image, "node.txt"), "three\n", "a rehearsal writes nothing");
    let card: Arc<dyn WriteAt> = Arc::new(FileStorage::open_writable(&image).unwrap());
    let applied = card_audit::apply(&options, "card", &card, &rehearsed.plan).unwrap();
    assert!(applied.boot && applied.committed.is_none() && !applied.table, "{applied:?}");
    assert_eq!(applied.left, []);
    assert_eq!(mtype(&image, "node.txt"), "one\n");
    assert_eq!(mtype(&image, "config.txt"), "arm_64bit=0\n");
    assert_fat_clean(&image);
    assert_eq!(bed.findings(&image, 0), [""; 0]);
    let card = Arc::new(FileStorage::open(&image).unwrap());
    assert!(card_audit::rehearse(&options, "card", card).unwrap().is_nothing());
}

/// A boot partition cut off at every write: each file is the old one or the new one, and
/// applying once more completes the card.
#[test]
fn applying_to_a_boot_partition_can_be_cut_off() {
    let fstab = "LABEL=BOOT /boot/firmware vfat defaults 0 2";
    let bed = Bed::new(&["-F", "16", "-s", "1"], fstab, &NODES.replace("MOUNT", "/boot/firmware"));
    bed.build("out", ImageFormat::Raw);
    let image = bed.image("out", "n1");
    mcopy(&image, "config.txt", b"arm_64bit=1\n");
    mcopy(&image, "node.txt", b"three\n");
    let at = format!("{}@@{}", image.display(), FAT.start);
    run("mtools", "mdeltree", &["-i", &at, "::overlays"]);
    let node = &bed.cluster.nodes[0];
    let options = bed.apply_options(node);
    let before: Arc<dyn block_io::ReadAt> = Arc::new(FileStorage::open(&image).unwrap());
    let plan = card_audit::rehearse(&options, "card", before.clone()).unwrap().plan;
    let size = before.size();
    let recorder = Arc::new(Recorder::new(Layer::new(before.clone(), size)));
    let card: Arc<dyn WriteAt> = recorder.clone();
    card_audit::apply(&options, "card", &card, &plan).unwrap();
    let events = recorder.events();
    assert!(events.len() > 30, "{}", events.len());
    let text = |card: &Arc<Layer>, name: &str| {
        let window = Window::new(card.clone(), FAT.start, FAT.end - FAT.start).unwrap();
        let found = fat_offline::read_file(&window, name).unwrap();
        found.map(|bytes| String::from_utf8(bytes).unwrap())
    };
    let mut seen = std::collections::BTreeSet::new();
    for number in 0..=events.len() {
        for style in 0..3 {
            let cut = Arc::new(Layer::new(before.clone(), size));
            let kept = |offset: u64, _| match style {
                0 => true,
                1 => false,
                _ => (offset / 512).is_multiple_of(2),
            };
            replay_cut(&events[..number], &cut, kept).unwrap();
            let context = format!("event {number}, style {style}");
            let state = [
                text(&cut, "config.txt").unwrap(),
                text(&cut, "node.txt").unwrap(),
                text(&cut, "overlays/a long name.dtbo").unwrap_or_default(),
            ];
            let whole = ["arm_64bit=1\n", "arm_64bit=0\n", "three\n", "one\n", "", "shared\n"];
            assert!(
                state.iter().all(|text| whole.contains(&text.as_str())),
                "{context}: {state:?}"
            );
            seen.insert(state);
            if (number + style) % 8 == 0 {
                let card: Arc<dyn WriteAt> = cut.clone();
                let plan = card_audit::rehearse(&options, "card", cut.clone()).unwrap().plan;
                let applied = card_audit::apply(&options, "card", &card, &plan).unwrap();
                assert_eq!(applied.left, [], "{context}");
            }
        }
    }
    assert!(seen.len() >= 4, "{seen:?}");
}

/// cloud-init's seed on the partition outranks /etc/cloud/cloud.cfg.d. Each node gets one of its
/// own where the profile keeps cloud-init on; verify and apply look after it.
#[test]
fn a_seed_on_the_partition_is_each_nodes_own() {
    let fstab = "LABEL=BOOT /boot/firmware vfat defaults 0 2";
    // The text is the profile's user-data, or else a line of the image's configuration.
    let make_with = |text: &str, choice: &str| {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("base.img");
        base(&path, &["-F", "16", "-s", "1"], fstab);
        mcopy(&path, "meta-data", b"instance-id: maker\n");
        let seed = b"#cloud-config\nhostname: maker\npreserve_hostname: false\n\
                     manage_etc_hosts: true\nssh_deletekeys: true\nusers: [{name: lab}]\n";
        mcopy(&path, "user-data", seed);
        let bytes = fs::read(&path).unwrap();
        let size = bytes.len() as u64;
        let layer = Arc::new(Layer::new(Arc::new(block_io::Memory::new(bytes)), size));
        let window: Arc<dyn WriteAt> =
            Arc::new(Window::new(layer.clone(), ROOT, size - ROOT).unwrap());
        let mut files = RootFsEditor::open(window, crate::common::BUILT).unwrap();
        let editor = files.editor();
        editor.create_dir_all("/etc/cloud/cloud.cfg.d").unwrap();
        editor.create_dir_all("/usr/lib/systemd/system").unwrap();
        editor.create_dir_all("/etc/systemd/system/multi-user.target.wants").unwrap();
        let config = "users: [default]\ndatasource_list: [NoCloud]\ncloud_init_modules: \
                      [set_hostname, update_hostname, update_etc_hosts, users-groups, ssh]\n\
                      cloud_config_modules: [runcmd]\ncloud_final_modules: [scripts-user]\n\
                      system_info: {distro: debian, default_user: {name: pi}}\n";
        let own = if text.starts_with('#') { "" } else { text };
        editor.write("/etc/cloud/cloud.cfg", format!("{config}{own}\n")).unwrap();
        let unit = "[Service]\nExecStart=/usr/bin/cloud-init init\n";
        editor.write("/usr/lib/systemd/system/cloud-init.service", unit).unwrap();
        let link = "/etc/systemd/system/multi-user.target.wants/cloud-init.service";
        editor.symlink("/usr/lib/systemd/system/cloud-init.service", link).unwrap();
        files.close().unwrap();
        fs::write(&path, layer.read_vec(0, size as usize).unwrap()).unwrap();
        fs::write(temp.path().join("user-data.yaml"), text).unwrap();
        let nodes = "nodes:\n  - {name: n1, address: 192.168.1.81}\n  - {name: n2, address: \
                     192.168.1.82}\n";
        let bed = Bed::in_directory(temp, &format!("{nodes}{choice}"));
        bed.build("out", ImageFormat::Raw);
        bed
    };
    let make = |choice: &str| make_with("", choice);
    let bed = make("cloud_init: keep\n");
    let (one, two) = (bed.image("out", "n1"), bed.image("out", "n2"));
    for (image, name) in [(&one, "n1"), (&two, "n2")] {
        assert_fat_clean(image);
        let seed = mtype(image, "user-data");
        for part in ["\"preserve_hostname\": true", "\"manage_etc_hosts\": false", "\"users\": []"]
        {
            assert!(seed.contains(part), "{seed}");
        }
        assert!(mtype(image, "meta-data").contains(&format!("local-hostname: {name}\n")));
    }
    assert_ne!(mtype(&one, "meta-data"), mtype(&two, "meta-data"));
    assert_eq!(bed.findings(&one, 0), [""; 0]);
    assert_eq!(bed.findings(&two, 1), [""; 0]);
    // Another node's seed, and one that takes over.
    assert!(bed.findings(&two, 0).iter().any(|found| found.contains("/boot/firmware/meta-data")));
    mcopy(&one, "user-data", b"#cloud-config\npreserve_hostname: false\nhostname: x\n");
    let found = bed.findings(&one, 0);
    assert!(found.iter().any(|found| found.starts_with("cloud-init")), "{found:?}");

    // What the owner's user-data does on purpose is no error, as long as it is the profile's.
    let text = "#cloud-config\nusers: [{name: guest}]\nruncmd: [hostname x]\n";
    let bed = make_with(text, "cloud_init: keep\nuser_data: user-data.yaml\n");
    let image = bed.image("out", "n1");
    assert!(mtype(&image, "user-data").contains("guest"));
    assert_eq!(bed.findings(&image, 0), [""; 0]);
    let right = mtype(&image, "user-data");
    mcopy(&image, "user-data", right.replace("guest", "stranger").as_bytes());
    let found = bed.findings(&image, 0);
    // The file that differs, and what it does.
    assert!(found.len() > 1, "{found:?}");
    for finding in &found {
        assert!(finding.starts_with("cloud-init /boot/firmware/user-data"), "{finding}");
        assert!(finding.contains("nodecard apply"), "{finding}");
    }
    let options = bed.apply_options(&bed.cluster.nodes[0]);
    let card = Arc::new(FileStorage::open(&image).unwrap());
    let plan = card_audit::rehearse(&options, "card", card).unwrap().plan;
    let card: Arc<dyn WriteAt> = Arc::new(FileStorage::open_writable(&image).unwrap());
    assert_eq!(card_audit::apply(&options, "card", &card, &plan).unwrap().left, []);
    assert_eq!(mtype(&image, "user-data"), right);
    assert_eq!(bed.findings(&image, 0), [""; 0]);

    // The image's own configuration does something: no correction of the card changes that.
    let bed = make_with("groups: [lab]", "cloud_init: keep\n");
    let found = bed.findings(&bed.image("out", "n1"), 0);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("in the base image") && !found[0].contains("apply"), "{found:?}");

    // Off, which is the default: emptied, and turned off on the root filesystem.
    let bed = make("");
    let image = bed.image("out", "n1");
    assert!(mtype(&image, "user-data").contains("Emptied by nodecard"));
    let files = RootFs::open(Arc::new(root_window(&image))).unwrap();
    assert!(files.metadata("/etc/cloud/cloud-init.disabled").unwrap().is_some());
    assert_eq!(bed.findings(&image, 0), [""; 0]);
}
