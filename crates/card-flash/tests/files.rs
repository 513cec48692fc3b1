//! Files as targets and as cards that are read, on a made-up computer.

mod machine;

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::Path,
};

use block_io::{Cancel, ReadAt, WriteAt};
use card_flash::{
    Medium, Presence,
    device::{
        Exposure, ReadError, ReadOnlyTarget, Refusal, Relation, Target, TargetAccess, TargetLimits,
        wait_for_swap,
    },
};
use machine::{Machine, mounted, shared};

const MIB: u64 = 1 << 20;

fn inspect(machine: &Machine, path: &Path, base: &Path) -> Result<Target, Vec<Refusal>> {
    Target::inspect(&machine.system(), path, base, &TargetLimits::default())
        .map_err(|error| error.refusals)
}

fn target(machine: &Machine, path: &Path) -> Target {
    inspect(machine, path, Path::new("/none")).unwrap()
}

fn open_refusals(machine: &Machine, target: &Target) -> Vec<Refusal> {
    let opened = target.open(&machine.system(), &TargetLimits::default());
    opened.err().map_or(Vec::new(), |error| error.refusals)
}

#[test]
fn the_base_image_is_refused_under_each_of_its_names() {
    let machine = Machine::new();
    let (card, base) = (machine.file("/card.img"), machine.file("/base.img"));
    let [link, hard] = ["link", "hard"].map(|name| base.with_file_name(name));
    symlink(&base, &link).unwrap();
    fs::hard_link(&base, &hard).unwrap();
    for path in [&base, &link, &hard] {
        assert_eq!(inspect(&machine, path, &base).unwrap_err(), [Refusal::IsBase], "{path:?}");
    }
    assert!(inspect(&machine, &card, &base).is_ok());
}

#[test]
fn what_cannot_hold_a_card_is_refused() {
    let machine = Machine::new();
    let file = machine.file("/empty.img");
    fs::write(&file, "").unwrap();
    let refused = |path: &Path| inspect(&machine, path, Path::new("/none")).unwrap_err();
    assert_eq!(refused(&file), [Refusal::EmptyFile { path: file.clone() }]);
    let directory = file.parent().unwrap();
    assert_eq!(refused(directory), [Refusal::NotATarget("a directory")]);
    let pipe = file.with_file_name("pipe");
    test_support::run("coreutils", "mkfifo", &[pipe.to_str().unwrap()]);
    assert!(matches!(refused(&pipe)[..], [Refusal::NotATarget(_)]));
    let missing = file.with_file_name("missing");
    assert_eq!(refused(&missing), [Refusal::NotFound(missing)]);
}

#[test]
fn every_reason_is_told_with_its_fix() {
    let mut machine = Machine::new();
    let card = machine.file("/card.img");
    machine.loop_over(0, "/card.img");
    machine.mount("7:0", "/dev/loop0", "/mnt");
    machine.mount("7:1", "/dev/loop0p1", "/mnt");
    machine.mount("7:1", "/dev/loop0p1", "/mnt");
    let (system, limits) = (machine.system(), TargetLimits::default());
    let error = Target::inspect(&system, &card, Path::new("/none"), &limits).unwrap_err();
    let use_of =
        |part| format!("its contents are also shown by loop0, and {part} is mounted at /mnt");
    let uses = ["loop0", "loop0p1", "loop0p1"].map(use_of);
    let text = format!("{} cannot be overwritten: {}", card.display(), uses.join("; "));
    assert_eq!(error.to_string(), text);
    assert_eq!(error.fix().unwrap(), "umount /dev/loop0; umount /dev/loop0p1");
    let each: Vec<_> = error.for_access(TargetAccess::Change).split().collect();
    let texts = uses.map(|text| format!("{} cannot be changed: {text}", card.display()));
    assert_eq!(each.iter().map(ToString::to_string).collect::<Vec<_>>(), texts);

    let error = ReadOnlyTarget::open(&system, &card, Path::new("/none/out")).unwrap_err();
    assert_eq!(error.to_string(), text.replace("overwritten", "saved"));
    assert_eq!(error.fix().unwrap(), "umount /dev/loop0; umount /dev/loop0p1");
    let missing = ReadOnlyTarget::open(&system, Path::new("/none/card"), &card).unwrap_err();
    assert_eq!(missing.fix().as_deref(), Some("check the path"));
}

/// Many containers have no devices, but nothing else may hide them.
#[test]
fn a_file_is_a_target_where_there_are_no_devices() {
    let machine = Machine::new();
    let file = machine.file("/card.img");
    let devices = machine.temp.path().join("sys/block");
    fs::remove_dir(&devices).unwrap();
    assert_eq!(machine.file_refusals(&file), []);
    fs::write(&devices, "").unwrap();
    let refusals = machine.file_refusals(&file);
    assert!(matches!(refusals[..], [Refusal::Io(_)]), "{refusals:?}");
}

#[test]
fn a_file_that_changed_after_the_question_is_refused() {
    let mut machine = Machine::new();
    let file = machine.file("/card.img");
    let before = target(&machine, &file);
    assert_eq!(open_refusals(&machine, &before), []);
    // Another size, and another file of the same size.
    fs::File::options().write(true).open(&file).unwrap().set_len(2 * MIB).unwrap();
    assert_eq!(open_refusals(&machine, &before), [Refusal::Changed]);
    let other = machine.file("/other.img");
    fs::rename(&other, &file).unwrap();
    assert_eq!(open_refusals(&machine, &before), [Refusal::Changed]);
    // It is in use by now.
    let before = target(&machine, &file);
    machine.loop_over(0, "/card.img");
    machine.mount("7:1", "/dev/loop0p1", "/mnt");
    let used = shared(Relation::Over, "loop0", mounted("loop0p1", "/mnt"));
    assert_eq!(open_refusals(&machine, &before), used);
}

#[test]
fn one_program_at_a_time_opens_a_file() {
    let machine = Machine::new();
    let file = target(&machine, &machine.file("/card.img"));
    let opened = file.open(&machine.system(), &TargetLimits::default()).unwrap();
    assert_eq!(open_refusals(&machine, &file), [Refusal::Busy]);
    drop(opened);
    assert_eq!(open_refusals(&machine, &file), []);
}

#[test]
fn names_of_one_file_are_the_same_place() {
    let machine = Machine::new();
    let path = machine.file("/card.img");
    fs::write(&path, [b"XFSB".as_slice(), &[0; MIB as usize - 4]].concat()).unwrap();
    let hard = path.with_file_name("hard.img");
    fs::hard_link(&path, &hard).unwrap();
    let [card, hard, other] =
        [&path, &hard, &machine.file("/other.img")].map(|path| target(&machine, path));
    assert_eq!((card.size(), card.contents().to_string().as_str()), (MIB, "XFS, 1.0 MiB"));
    assert!(card.is_same_place(&hard) && hard.is_same_place(&card));
    assert!(!card.is_same_place(&other));
    // What the user types to confirm.
    assert_eq!(card.name(), "card.img");
    assert!(card.is_named("card.img") && card.is_named(path.to_str().unwrap()));
    assert!(!card.is_named("hard.img") && !card.is_named("/card.img") && !card.is_named(""));
}

#[test]
fn a_file_becomes_private_and_stays_so() {
    let machine = Machine::new();
    let path = machine.file("/card.img");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let file = target(&machine, &path);
    let opened = file.open(&machine.system(), &TargetLimits::default()).unwrap();
    assert_eq!(opened.make_private(), Some(Exposure::Ended));
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    assert_eq!(opened.make_private(), None);
}

#[test]
fn an_opened_file_is_a_medium_and_a_storage() {
    let machine = Machine::new();
    let path = machine.file("/card.img");
    let file = target(&machine, &path);
    let opened = file.open(&machine.system(), &TargetLimits::default()).unwrap();
    assert_eq!((opened.name().as_str(), opened.size()), (path.to_str().unwrap(), MIB));
    // Neither place nor memory suit O_DIRECT.
    opened.write_at(1000, b"abc").unwrap();
    let mut read = [0; 3];
    opened.read_back(1000, &mut read).unwrap();
    assert_eq!(&read, b"abc");
    assert!(opened.read_back(MIB - 1, &mut read).is_err());
    opened.flush().unwrap();
    opened.reread_table().unwrap();
    opened.discard().unwrap();
    assert_eq!(fs::read(&path).unwrap(), vec![0; MIB as usize]);

    let storage = opened.into_storage().unwrap();
    assert_eq!((storage.size(), storage.opened().path()), (MIB, path.as_path()));
    storage.write_at(MIB - 2, b"xy").unwrap();
    storage.flush().unwrap();
    assert_eq!(storage.read_vec(MIB - 3, 3).unwrap(), b"\0xy");
    for offset in [MIB - 1, MIB, u64::MAX] {
        for error in [storage.write_at(offset, b"xy"), storage.read_at(offset, &mut [0; 2])] {
            let error = error.unwrap_err();
            assert!(matches!(error, block_io::Error::OutOfBounds { .. }), "{offset}: {error}");
        }
    }
    assert_eq!(fs::metadata(&path).unwrap().len(), MIB);
}

#[test]
fn the_presence_of_a_file() {
    let machine = Machine::new();
    let path = machine.file("/card.img");
    let (file, system) = (target(&machine, &path), machine.system());
    let opened = file.open(&system, &TargetLimits::default()).unwrap();
    let read = ReadOnlyTarget::open(&system, &path, &path.with_file_name("out")).unwrap();
    let presence = || [opened.presence(), read.presence()];
    assert_eq!(presence(), [Presence::Same; 2]);
    fs::rename(machine.file("/other.img"), &path).unwrap();
    assert_eq!(presence(), [Presence::Other; 2]);
    // As the kernel shows an empty reader.
    fs::write(&path, "").unwrap();
    assert_eq!(presence(), [Presence::Gone; 2]);
    fs::remove_file(&path).unwrap();
    assert_eq!(presence(), [Presence::Gone; 2]);
}

#[test]
fn waiting_for_another_card_ends_with_it_or_on_request() {
    let machine = Machine::new();
    let path = machine.file("/card.img");
    let (system, cancel) = (machine.system(), Cancel::new());
    let before = target(&machine, &path).identity().clone();
    fs::rename(machine.file("/other.img"), &path).unwrap();
    wait_for_swap(&system, &path, &before, &cancel).unwrap();
    let before = target(&machine, &path).identity().clone();
    cancel.cancel();
    assert!(wait_for_swap(&system, &path, &before, &cancel).is_err());
}

/// Opens a file of a made-up computer for saving it, and reads from it.
fn read(machine: &Machine, path: &Path, output: &Path) -> Vec<Refusal> {
    match ReadOnlyTarget::open(&machine.system(), path, output) {
        Ok(card) => {
            assert!(card.device().is_none());
            assert_eq!((card.size(), card.read_vec(5, 2).unwrap()), (MIB, b"ab".to_vec()));
            assert!(card.next_data(0).unwrap().is_some_and(|data| data.contains(&5)));
            Vec::new()
        }
        Err(ReadError::Refused { refusals, .. }) => refusals,
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn a_card_is_not_saved_onto_itself() {
    let mut machine = Machine::new();
    let card = machine.file("/card.img");
    fs::write(&card, [b"01234ab".as_slice(), &[0; MIB as usize - 7]].concat()).unwrap();
    let output = card.with_file_name("out.img");
    assert_eq!(read(&machine, &card, &output), []);
    fs::hard_link(&card, &output).unwrap();
    assert_eq!(read(&machine, &card, &output), [Refusal::IsOutput]);
    fs::remove_file(&output).unwrap();
    // A loop device over the card has the filesystem that the output goes to.
    machine.loop_over(0, "/card.img");
    assert_eq!(read(&machine, &card, &output), []);
    let filesystem = fs::metadata(&card).unwrap().dev();
    let number = format!("{}:{}", rustix::fs::major(filesystem), rustix::fs::minor(filesystem));
    let part = machine.temp.path().join("sys/block/loop0/loop0p1");
    machine::write(&part, &[("dev", &number)]);
    for output in [output.clone(), card.with_file_name("new/directory/out.img")] {
        assert_eq!(read(&machine, &card, &output), [Refusal::HoldsOutput], "{output:?}");
    }
}

#[test]
fn a_card_that_can_change_is_not_saved() {
    let mut machine = Machine::new();
    let card = machine.file("/card.img");
    fs::write(&card, [b"01234ab".as_slice(), &[0; MIB as usize - 7]].concat()).unwrap();
    let output = Path::new("/none/out.img");
    machine.loop_over(0, "/card.img");
    machine.mounts = "30 1 7:1 / /mnt ro - ext4 /dev/loop0p1 ro\n".into();
    assert_eq!(read(&machine, &card, output), []);
    machine.mount("7:1", "/dev/loop0p1", "/rw");
    let used = shared(Relation::Over, "loop0", mounted("loop0p1", "/rw"));
    assert_eq!(read(&machine, &card, output), used);
    machine.mounts.clear();
    machine.mount("0:51", "/card.img", "/fuse");
    let fuse = Refusal::MountedFile { point: "/fuse".into() };
    assert_eq!(read(&machine, &card, output), [fuse]);
    let empty = machine.file("/empty.img");
    fs::write(&empty, "").unwrap();
    let refused = read(&machine, &empty, output);
    assert_eq!(refused, [Refusal::EmptyFile { path: empty }]);
    let missing = card.with_file_name("missing");
    assert_eq!(read(&machine, &missing, output), [Refusal::NotFound(missing)]);
}
