use super::*;
use crate::device::DeviceKind;

fn device(name: &str, number: DeviceNumber) -> Device {
    Device {
        name: name.to_owned(),
        kind: DeviceKind::Usb,
        size: 8_000_000_000,
        removable: true,
        read_only: false,
        model: None,
        serial: None,
        diskseq: None,
        backing_file: None,
        mounted: Vec::new(),
        read_only_mounts: Vec::new(),
        swap: Vec::new(),
        holders: Vec::new(),
        related: Vec::new(),
        system: None,
        number,
        backing: None,
        slaves: Vec::new(),
        partitions: vec![((number.0, number.1 + 1), format!("{name}1"))],
    }
}

fn loop_over(number: u32, path: &str, place: Place) -> Device {
    let backing = Some(Backing { path: path.into(), place: Some(place) });
    Device { kind: DeviceKind::Loop, backing, ..device(&format!("loop{number}"), (7, number * 8)) }
}

fn mount(number: DeviceNumber, point: &str) -> Mount {
    Mount {
        number,
        source: "/dev/root".into(),
        place: None,
        point: point.into(),
        is_overlay: false,
        read_only: false,
    }
}

fn file(device: DeviceNumber, inode: u64) -> Place {
    Place::File(FileId { device: rustix::fs::makedev(device.0, device.1), inode })
}

/// Two cards, and more devices.
fn state(more: impl IntoIterator<Item = Device>) -> HostState {
    let mut devices = vec![device("sdb", (8, 16)), device("sdc", (8, 32))];
    devices.extend(more);
    HostState { devices, ..HostState::default() }
}

fn find(state: HostState, name: &str) -> Device {
    state.into_devices().into_iter().find(|device| device.name == name).unwrap()
}

fn related(state: HostState, name: &str) -> Vec<(Relation, String)> {
    let related = find(state, name).related.into_iter();
    related.map(|other| (other.relation, other.device.name)).collect()
}

/// The kernel names a device behind a loop device by its number; the path may be another's.
#[test]
fn numbers_decide_what_is_behind_a_loop_device() {
    for minor in [16, 17] {
        let of = |name| related(state([loop_over(0, "/dev/sdc", Place::Device((8, minor)))]), name);
        assert_eq!(of("loop0"), [(Relation::Behind, "sdb".to_owned())], "{minor}");
        assert_eq!(of("sdb"), [(Relation::Over, "loop0".to_owned())], "{minor}");
        assert_eq!(of("sdc"), [], "{minor}");
    }
}

/// Whatever is overwritten takes the devices and files behind it along.
#[test]
fn the_places_of_a_loop_device_are_all_that_is_behind_it() {
    let image = file((8, 33), 5);
    let host = state([
        loop_over(0, "/mnt/card.img", image),
        loop_over(1, "/dev/loop0p1", Place::Device((7, 1))),
        loop_over(2, "/dev/loop1", Place::Device((7, 8))),
    ]);
    let places = find(host.clone(), "loop1").places();
    assert_eq!(places.len(), 4, "{places:?}");
    for place in [Place::Device((7, 8)), Place::Device((7, 1)), Place::Device((7, 0)), image] {
        assert!(places.contains(&place), "{place:?}");
    }
    assert_eq!(find(host, "sdb").places(), [Place::Device((8, 16))]);
}

/// The system on a file on a card, as live systems have it.
#[test]
fn a_card_with_the_file_that_holds_the_system_holds_the_system() {
    for place in [file((8, 17), 5), file((8, 16), 5), Place::Device((8, 16))] {
        let mut host = state([loop_over(0, "/live/root.img", place)]);
        host.mounts = vec![mount((7, 1), "/")];
        for (name, system) in [("sdb", Some("/")), ("sdc", None), ("loop0", Some("/"))] {
            let device = find(host.clone(), name);
            assert_eq!(device.system.as_deref(), system.map(Path::new), "{name}, {place:?}");
        }
    }
}

#[test]
fn swap_space_is_recognized_by_its_number() {
    let mut host = state([]);
    let place = Some(Place::Device((8, 17)));
    host.swaps = vec![SwapSpace { path: "/dev/disk/by-label/swap".into(), place }];
    assert_eq!(find(host.clone(), "sdb").swap, ["sdb1"]);
    assert!(find(host, "sdc").swap.is_empty());
}

/// A card may be saved while it is mounted read-only, but not if it can also change.
#[test]
fn only_mounts_that_are_read_only_leave_a_card_unchanged() {
    let mut host = state([]);
    host.mounts = vec![mount((8, 17), "/media/b"), mount((8, 33), "/media/c")];
    host.mounts[0].read_only = true;
    assert_eq!(find(host.clone(), "sdb").writers(), []);
    let writer = |point: &str| Refusal::Mounted { part: "sdc1".into(), point: point.into() };
    assert_eq!(find(host.clone(), "sdc").writers(), [writer("/media/c")]);
    // The filesystem of the other partition is written to.
    host.mounts.push(mount((8, 16), "/media/whole"));
    assert_eq!(find(host.clone(), "sdb").writers().len(), 1);
    host.mounts.push(mount((8, 33), "/home"));
    assert_eq!(find(host, "sdc").writers(), [Refusal::RunningSystem { mount: "/home".into() }]);
}

/// A file in an overlay has the inode number that it has in its layer.
#[test]
fn a_file_of_an_overlay_is_the_file_of_its_layer() {
    let over = |mounts: &[(&str, bool)], path: &str, inode| {
        let mut host = state([loop_over(0, "/lower/card.img", file((8, 1), 5))]);
        let mount = |(point, is_overlay): &(&str, bool)| Mount {
            is_overlay: *is_overlay,
            ..mount((0, 40), point)
        };
        host.mounts = mounts.iter().map(mount).collect();
        let Place::File(id) = file((0, 40), inode) else { unreachable!() };
        let (refusals, related) = host.file_uses(Path::new(path), id);
        assert_eq!(refusals, []);
        related.len() == 1
    };
    assert!(over(&[("/", false), ("/merged", true)], "/merged/card.img", 5));
    assert!(!over(&[("/", false), ("/merged", true)], "/merged/card.img", 6));
    assert!(!over(&[("/", false), ("/merged", true)], "/other/card.img", 5));
    // The other way round: the loop device is over the file in the overlay.
    assert!(over(&[("/", false), ("/lower", true)], "/upper/card.img", 5));
    // Another filesystem in the overlay, and an overlay in another filesystem.
    let inner = "/merged/in/card.img";
    assert!(!over(&[("/", false), ("/merged", true), ("/merged/in", false)], inner, 5));
    assert!(over(&[("/merged", false), ("/merged/in", true)], inner, 5));
}

/// btrfs has a number of its own, and the mount names it as its source.
#[test]
fn a_mount_lies_on_the_device_that_its_source_is() {
    let mut host = state([]);
    host.mounts = vec![mount((0, 44), "/data")];
    host.mounts[0].place = Some(Place::Device((8, 17)));
    assert_eq!(find(host.clone(), "sdb").mounted, [("sdb1".to_owned(), "/data".into())]);
    assert_eq!(find(host, "sdc").mounted, []);
}
