//! Reading FAT images made by mkfs.vfat and mtools, judged by fsck.vfat.

use std::path::Path;

use block_io::{FileStorage, Memory, ReadAt};
use fat_offline::{FatError, MAX_FILE_SIZE, read_file, used_extents};
use fs_signature::{FatGeometry, FatRoot, FatVariant};
use test_support::{TestImage, run};

struct Image(TestImage);

impl Image {
    fn new(kib: u64, options: &[&str]) -> Self {
        let arguments = [options, &["-i", "cafe0123", "-n", "BOOT"]].concat();
        Image(TestImage::with_filesystem(kib * 1024, "dosfstools", "mkfs.vfat", &arguments))
    }

    fn put(&self, name: &str, content: &[u8]) {
        let file = self.0.dir().join("source");
        std::fs::write(&file, content).unwrap();
        let target = format!("::{name}");
        self.mtool("mcopy", &["-o"], &[file.to_str().unwrap(), &target]);
    }

    fn mtool(&self, program: &str, before: &[&str], after: &[&str]) {
        let mut args = before.to_vec();
        args.extend(["-i", self.0.path_str()]);
        args.extend(after);
        run("mtools", program, &args);
    }

    fn storage(&self) -> FileStorage {
        FileStorage::open(self.0.path()).unwrap()
    }

    /// Returns how many clusters fsck.vfat counts as used, and the number of all clusters.
    fn fsck(path: &Path) -> (u64, u64) {
        let said = run("dosfstools", "fsck.vfat", &["-n", path.to_str().unwrap()]);
        let counts = said.split_whitespace().find_map(|word| word.split_once('/').and_then(number));
        counts.unwrap_or_else(|| panic!("{said}"))
    }
}

fn number((a, b): (&str, &str)) -> Option<(u64, u64)> {
    Some((a.parse().ok()?, b.parse().ok()?))
}

fn pattern(length: usize, seed: usize) -> Vec<u8> {
    (0..length).map(|i| ((i + seed) % 251) as u8).collect()
}

/// Sizes in KiB and options for each variant, among them odd shapes.
const SHAPES: [(u64, &[&str], FatVariant); 8] = [
    (1440, &["-F", "12"], FatVariant::Fat12),
    (7777, &["-F", "12", "-s", "4"], FatVariant::Fat12),
    (20 * 1024, &["-F", "16"], FatVariant::Fat16),
    (131072, &["-F", "16", "-s", "4"], FatVariant::Fat16),
    (20 * 1024, &["-F", "16", "-f", "1", "-s", "1"], FatVariant::Fat16),
    (48 * 1024, &["-F", "32", "-s", "1"], FatVariant::Fat32),
    (131072 + 3, &["-F", "32", "-s", "2", "-R", "64"], FatVariant::Fat32),
    (40 * 1024, &["-F", "16", "-S", "4096", "-s", "1"], FatVariant::Fat16),
];

/// When every byte that is not listed is overwritten, fsck.vfat finds nothing wrong and all
/// files read back the same; and exactly the clusters are listed that fsck.vfat counts.
#[test]
fn lists_what_is_used_and_no_more() {
    for (kib, options, variant) in SHAPES {
        let image = Image::new(kib, options);
        for i in 0..12 {
            image.put(&format!("A rather long name {i}.dat"), &pattern(i * 7000 + i, i));
        }
        image.mtool("mmd", &[], &["::extlinux"]);
        image.put("extlinux/extlinux.conf", b"append root=/dev/mmcblk0p2");
        for i in [1, 4, 5, 9] {
            image.mtool("mdel", &[], &[&format!("::A rather long name {i}.dat")]);
        }
        image.put("boot.ini", &pattern(40_000, 3));
        let storage = image.storage();
        let geometry = FatGeometry::read(&storage).unwrap();
        assert_eq!(geometry.variant, variant, "{options:?}");
        assert_eq!(geometry.volume_id, Some(0xcafe_0123));
        assert_eq!(geometry.label.as_deref(), Some("BOOT"));

        let used = used_extents(&storage).unwrap();
        let (count, total) = Image::fsck(image.0.path());
        assert_eq!(u64::from(geometry.clusters), total, "{options:?}");
        let free = (total - count) * geometry.cluster_size;
        assert_eq!(used.total(), storage.size() - free, "{options:?}");

        let mut bytes = storage.read_vec(0, storage.size() as usize).unwrap();
        for gap in used.gaps(0..storage.size()) {
            bytes[gap.start as usize..gap.end as usize].fill(0xa5);
        }
        let spoiled = image.0.dir().join("spoiled");
        std::fs::write(&spoiled, &bytes).unwrap();
        assert_eq!(Image::fsck(&spoiled), (count, total));
        let spoiled = Memory::new(bytes);
        for i in [0, 2, 3, 6, 7, 8, 10, 11] {
            let content = read_file(&spoiled, &format!("a RATHER long name {i}.dat")).unwrap();
            assert_eq!(content, Some(pattern(i * 7000 + i, i)), "{options:?} {i}");
        }
        assert_eq!(read_file(&spoiled, "BOOT.INI").unwrap(), Some(pattern(40_000, 3)));
        let nested = read_file(&spoiled, "/extlinux/extlinux.conf").unwrap();
        assert_eq!(nested.as_deref(), Some(&b"append root=/dev/mmcblk0p2"[..]));
        let none = ["A rather long name 4.dat", "extlinux", "boot.ini/x", "BOOT", "", "/", "x/y"];
        for name in none {
            assert_eq!(read_file(&spoiled, name).unwrap(), None, "{name}");
        }
    }
}

/// A cluster that only the second copy of the table allocates counts as used.
#[test]
fn a_cluster_counts_as_used_if_either_table_says_so() {
    let image = Image::new(20 * 1024, &["-F", "16"]);
    let storage = image.storage();
    let geometry = FatGeometry::read(&storage).unwrap();
    let mut bytes = storage.read_vec(0, storage.size() as usize).unwrap();
    let before = used_extents(&storage).unwrap().total();
    bytes[geometry.table(1) as usize + 2 * 100] = 1;
    let after = used_extents(&Memory::new(bytes)).unwrap();
    assert_eq!(after.total(), before + geometry.cluster_size);
    let cluster = geometry.cluster(100).unwrap();
    assert_eq!(after.within(cluster.clone()).next(), Some(cluster));
}

#[test]
fn finds_files_in_a_directory_of_many_clusters() {
    let image = Image::new(48 * 1024, &["-F", "32", "-s", "1"]);
    let names: Vec<_> = (0..150).map(|i| format!("filler with a long name {i}")).collect();
    let sources = image.0.dir().join("many");
    std::fs::create_dir(&sources).unwrap();
    for name in &names {
        std::fs::write(sources.join(name), name).unwrap();
    }
    let paths: Vec<_> =
        names.iter().map(|n| sources.join(n).to_str().unwrap().to_owned()).collect();
    let mut args: Vec<&str> = paths.iter().map(String::as_str).collect();
    args.push("::");
    image.mtool("mcopy", &[], &args);
    let storage = image.storage();
    for name in [&names[0], &names[149]] {
        assert_eq!(read_file(&storage, name).unwrap(), Some(name.clone().into_bytes()));
    }
}

#[test]
fn refuses_large_files_and_other_filesystems() {
    let image = Image::new(20 * 1024, &["-F", "16"]);
    image.put("large", &vec![1; MAX_FILE_SIZE as usize + 1]);
    image.put("most", &vec![1; MAX_FILE_SIZE as usize]);
    let storage = image.storage();
    let error = read_file(&storage, "large").unwrap_err();
    assert!(matches!(error, FatError::TooLarge { .. }), "{error}");
    assert_eq!(read_file(&storage, "most").unwrap().unwrap().len(), MAX_FILE_SIZE as usize);

    let short = Memory::new(storage.read_vec(0, 10 << 20).unwrap());
    let error = used_extents(&short).unwrap_err();
    assert_eq!(error.to_string(), "not a FAT filesystem: it is larger than its partition");
    for bytes in [vec![], vec![0; 511], vec![0; 4096], vec![0xff; 4096]] {
        let error = used_extents(&Memory::new(bytes)).unwrap_err();
        assert!(matches!(error, FatError::NotFat { .. }), "{error}");
    }
}

#[test]
fn ends_every_chain() {
    let image = Image::new(20 * 1024, &["-F", "16"]);
    image.put("boot.ini", &pattern(40_000, 1));
    image.mtool("mmd", &[], &["::dir"]);
    image.put("dir/file", b"content");
    let storage = image.storage();
    let geometry = FatGeometry::read(&storage).unwrap();
    let good = storage.read_vec(0, storage.size() as usize).unwrap();
    // boot.ini's first cluster is 2: the first file made.
    let entry = geometry.table(0) as usize + 4;
    for (next, reason) in [
        (2u16, None),
        (0, Some("leads to a free cluster")),
        (1, Some("leads to a cluster that does not exist")),
        (0xfff7, Some("leads to a bad cluster")),
        (0xfff0, Some("leads to a cluster that does not exist")),
        (0xffff, Some("is shorter than its file")),
    ] {
        let mut bytes = good.clone();
        bytes[entry..entry + 2].copy_from_slice(&next.to_le_bytes());
        let found = match read_file(&Memory::new(bytes), "boot.ini") {
            Ok(content) => {
                assert_eq!(content.unwrap().len(), 40_000, "a cycle ends with the file");
                None
            }
            Err(FatError::Chain { first: 2, reason }) => Some(reason),
            Err(error) => panic!("{error}"),
        };
        assert_eq!(found, reason, "{next}");
    }
}

/// Whatever the bytes are, reading ends soon and without a panic.
#[test]
fn survives_flipped_bits() {
    let rounds = if std::env::var_os("NODECARD_THOROUGH").is_some() { 20_000 } else { 400 };
    let mut state = 11u64;
    let mut random = move |below: usize| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as usize % below
    };
    let mut readable = 0;
    for (kib, options) in [(1440, ["-F", "12"]), (8200, ["-F", "16"]), (36 * 1024, ["-F", "32"])] {
        let mut options = options.to_vec();
        options.extend(["-s", "1"]);
        let image = Image::new(kib, &options);
        image.put("A long name.txt", &pattern(9000, 1));
        image.mtool("mmd", &[], &["::dir"]);
        image.put("dir/another long name", b"content");
        let storage = image.storage();
        let geometry = FatGeometry::read(&storage).unwrap();
        let root = match &geometry.root {
            FatRoot::Fixed(range) => range.start,
            FatRoot::Chain(first) => geometry.cluster(*first).unwrap().start,
        } as usize;

        let table = geometry.tables_start as usize;
        let places = [0..64, table..table + 64, root..root + 256];
        for _ in 0..rounds {
            let layer = block_io::Layer::new(std::sync::Arc::new(image.storage()), storage.size());
            for _ in 0..=random(6) {
                let place = places[random(places.len())].clone();
                let at = (place.start + random(place.len())) as u64;
                let byte = layer.read_vec(at, 1).unwrap()[0] ^ (1 << random(8));
                block_io::WriteAt::write_at(&layer, at, &[byte]).unwrap();
            }
            if let Ok(used) = used_extents(&layer) {
                assert!(used.iter().all(|range| range.end <= layer.size()));
                readable += 1;
            }
            let _ = read_file(&layer, "A long name.txt");
            let _ = read_file(&layer, "dir/another long name");
        }
    }
    assert!(readable > 200, "{readable} of 3 * {rounds} readable: too few to say anything");
}
