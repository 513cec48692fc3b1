//! The files that clusters belong to, beside mtools' mshowfat.
#![allow(missing_docs)]

mod common;

use std::ops::Range;

use block_io::Extents;
use common::{make, mcopy, memory, on_disk, run};
use fat_offline::{ClusterOwner, owners};
use fs_signature::{FatGeometry, FatVariant};

const SHAPES: [(u64, &[&str], FatVariant); 3] = [
    (1440, &["-F", "12"], FatVariant::Fat12),
    (20 * 1024, &["-F", "16", "-s", "1"], FatVariant::Fat16),
    (48 * 1024, &["-F", "32", "-s", "1"], FatVariant::Fat32),
];
const FILES: [(&str, usize); 4] =
    [("zImage", 9000), ("dtbs/exynos5422.dtb", 3000), ("boot.ini", 1), ("overlays/a/b.dtbo", 5000)];

/// Returns the bytes of a file's clusters, as mshowfat says.
fn shown(image: &str, path: &str, geometry: &FatGeometry) -> Vec<Range<u64>> {
    let said = run("mshowfat", "mtools", &["-i", image, &format!("::{path}")]).stdout;
    let said = String::from_utf8(said).unwrap();
    let parts = said.split('<').skip(1).map(|part| part.split('>').next().unwrap());
    parts
        .map(|part| {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let place = |number: &str| geometry.cluster(number.parse().unwrap()).unwrap();
            place(first).start..place(last).end
        })
        .collect()
}

#[test]
fn every_cluster_has_the_owner_that_mtools_shows() {
    for (kib, options, variant) in SHAPES {
        let image = make(kib, options);
        let (_directory, path) = on_disk(&image);
        let name = path.to_str().unwrap();
        for directory in ["dtbs", "overlays", "overlays/a"] {
            run("mmd", "mtools", &["-i", name, &format!("::{directory}")]);
        }
        // Written in turns, so that the second file is in pieces.
        mcopy(&path, "hole", &[1; 2048]);
        for (file, length) in FILES {
            mcopy(&path, file, &vec![7; length]);
        }
        run("mdel", "mtools", &["-i", name, "::hole"]);
        mcopy(&path, "pieces", &[9; 12_000]);

        let image = std::fs::read(&path).unwrap();
        let storage = memory(&image);
        let geometry = FatGeometry::read(&storage).unwrap();
        assert_eq!(geometry.variant, variant);
        let size = image.len() as u64;
        let all = owners(&storage, &Extents::from(0..size)).unwrap();
        assert_eq!(all.iter().map(|(_, bytes)| bytes.total()).sum::<u64>(), size);
        let of = |owner: &ClusterOwner| -> Extents {
            let found = all.iter().find(|(found, _)| found == owner);
            found.map(|(_, bytes)| bytes.clone()).unwrap_or_default()
        };
        let names = ["zImage", "dtbs", "dtbs/exynos5422.dtb", "boot.ini", "pieces", "overlays/a"];
        for name_in in names {
            let expected: Extents = shown(name, name_in, &geometry).into_iter().collect();
            assert!(!expected.is_empty(), "{name_in}");
            let owner = ClusterOwner::File { path: format!("/{name_in}") };
            assert_eq!(of(&owner), expected, "{name_in}");
        }
        assert!(of(&ClusterOwner::Filesystem).within(0..geometry.data).next().is_some());
        let used = fat_offline::used_extents(&storage).unwrap();
        let free: Extents = used.gaps(0..size).collect();
        assert_eq!(of(&ClusterOwner::Free), free);
        // A part of one cluster, and of the sector before it.
        let cluster = of(&ClusterOwner::File { path: "/boot.ini".to_owned() });
        let start = cluster.iter().next().unwrap().start;
        let few = owners(&storage, &Extents::from(start + 10..start + 20)).unwrap();
        let expected = vec![(
            ClusterOwner::File { path: "/boot.ini".to_owned() },
            Extents::from(start + 10..start + 20),
        )];
        assert_eq!(few, expected);
    }
}

#[test]
fn a_directory_that_is_gone_leaves_its_files_without_a_name() {
    let image = make(1440, &["-F", "12"]);
    let (_directory, path) = on_disk(&image);
    run("mmd", "mtools", &["-i", path.to_str().unwrap(), "::dtbs"]);
    mcopy(&path, "dtbs/a.dtb", &[7; 3000]);
    mcopy(&path, "kernel", &[8; 3000]);
    let mut image = std::fs::read(&path).unwrap();
    let size = image.len() as u64;
    let place = |image: &[u8], wanted: &str| {
        let all = owners(&memory(image), &Extents::from(0..size)).unwrap();
        let owner = ClusterOwner::File { path: wanted.to_owned() };
        all.into_iter().find(|(found, _)| *found == owner).map(|(_, bytes)| bytes)
    };
    let directory = place(&image, "/dtbs").unwrap();
    let file = place(&image, "/dtbs/a.dtb").unwrap();
    for range in directory.iter() {
        image[range.start as usize..range.end as usize].fill(0);
    }
    assert_eq!(place(&image, "/dtbs/a.dtb"), None);
    assert!(place(&image, "/kernel").is_some());
    assert_eq!(owners(&memory(&image), &file).unwrap(), [(ClusterOwner::Unknown, file)]);
}
