//! A cache that others could have put something into.

use std::{
    fs::{self, File},
    os::unix::fs::{FileExt as _, MetadataExt as _, PermissionsExt as _, chown, symlink},
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use card_image::{BaseError, BaseImage, BaseOptions, BuildStage, Cancel};

use block_io::ReadAt as _;

use crate::support::{Bench, Stages, contents, image, xz};

/// A user who is neither the one who runs the tests nor root.
const OTHER: u32 = 54321;

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Gives a path to another user. Returns whether that is allowed, which takes root.
fn give_away(path: &Path) -> bool {
    let given = chown(path, Some(OTHER), None).is_ok();
    if !given {
        test_support::not_judged("owners were not tried: that needs root");
    }
    given
}

fn mkfifo(path: &Path) {
    let made = Command::new("mkfifo").arg(path).status().expect("mkfifo of coreutils");
    assert!(made.success());
}

#[test]
fn a_cache_that_others_can_write_to_is_refused() {
    let bench = Bench::new();
    let path = bench.write("base", &xz(&image(3000, 9000)));
    fs::create_dir(bench.cache()).unwrap();
    for mode in [0o777, 0o1777, 0o770, 0o702] {
        set_mode(&bench.cache(), mode);
        let error = bench.open(&path).unwrap_err();
        let right = matches!(&error, BaseError::WritableCache { permissions, .. }
            if *permissions == platform::Permissions::Mode(mode));
        assert!(right, "{error:?}");
        assert!(error.fix().unwrap().contains("chmod 700 "), "{error}");
        assert!(bench.cached("").is_empty());
    }
    set_mode(&bench.cache(), 0o755);
    bench.open(&path).unwrap();
}

#[test]
fn a_cache_of_another_user_is_refused() {
    let bench = Bench::new();
    let path = bench.write("base", &xz(&image(3000, 9000)));
    fs::create_dir(bench.cache()).unwrap();
    if !give_away(&bench.cache()) {
        return;
    }
    let error = bench.open(&path).unwrap_err();
    assert!(
        matches!(error, BaseError::ForeignCache { owner: platform::Owner::User(OTHER), .. }),
        "{error:?}"
    );
    assert!(error.fix().unwrap().contains("XDG_CACHE_HOME"), "{error}");
    // Nor does a symlink of another user lead anywhere.
    fs::rename(bench.cache(), bench.path("elsewhere")).unwrap();
    chown(bench.path("elsewhere"), Some(0), None).unwrap();
    symlink("elsewhere", bench.cache()).unwrap();
    bench.open(&path).unwrap();
    std::os::unix::fs::lchown(bench.cache(), Some(OTHER), None).unwrap();
    let error = bench.open(&path).unwrap_err();
    assert!(
        matches!(error, BaseError::ForeignCache { owner: platform::Owner::User(OTHER), .. }),
        "{error:?}"
    );
}

/// An image or a record that another user owns, or can write, is not used, also if the
/// checksum of the base is given.
#[test]
fn files_of_others_in_the_cache_are_not_used() {
    let right = image(3000, 9000);
    let pinned = |bench: &Bench, path: &Path, sum: [u8; 32]| {
        let stages = Stages::default();
        let cache = bench.cache();
        let options = BaseOptions {
            cache_dir: Some(&cache),
            sha256: Some(sum),
            limit: None,
            progress: &stages,
            cancel: &Cancel::new(),
        };
        let base = BaseImage::open(path, options).unwrap();
        (base, stages.seen())
    };
    let spoil: [fn(&Path) -> bool; 2] = [give_away, |path: &Path| {
        set_mode(path, 0o666);
        true
    }];
    for spoil in spoil {
        for ending in ["img", "json", "sums"] {
            let bench = Bench::new();
            let path = bench.write("base", &xz(&right));
            thread::sleep(Duration::from_millis(2100));
            let sum = bench.open(&path).unwrap().sha256().unwrap();
            // Without this, the entry is used without reading anything.
            assert_eq!(pinned(&bench, &path, sum).1, []);
            let spoiled = bench.cached(ending).remove(0);
            if !spoil(&spoiled) {
                continue;
            }
            let (base, stages) = pinned(&bench, &path, sum);
            assert!(stages.contains(&BuildStage::DecodeBase), "{ending}: {stages:?}");
            assert!(contents(&base) == right);
        }
    }
}

/// An entry whose files were replaced by others, with the same times, is not used.
#[test]
fn a_replaced_image_is_not_used() {
    let right = image(3000, 9000);
    let bench = Bench::new();
    let path = bench.write("base", &xz(&right));
    thread::sleep(Duration::from_millis(2100));
    bench.open(&path).unwrap();
    let cached = bench.cached("img").remove(0);
    let modified = fs::metadata(&cached).unwrap().modified().unwrap();
    let wrong = image(3001, 9000);
    fs::write(&cached, &wrong[..right.len()]).unwrap();
    let file = File::options().write(true).open(&cached).unwrap();
    file.set_times(fs::FileTimes::new().set_modified(modified)).unwrap();
    assert!(contents(&bench.open(&path).unwrap()) == right);
}

/// Gives a cached image the times in its record, as if it had never been written to.
fn adapt_record(bench: &Bench) {
    let record = bench.cached("json").remove(0);
    let text = fs::read_to_string(&record).unwrap();
    let found = fs::metadata(bench.cached("img").remove(0)).unwrap();
    let mut json: serde_json::Value = serde_json::from_str(&text).unwrap();
    json["image"]["modified"] = [found.mtime(), found.mtime_nsec()].into();
    json["image"]["changed"] = [found.ctime(), found.ctime_nsec()].into();
    fs::write(&record, serde_json::to_vec(&json).unwrap()).unwrap();
}

/// Makes sure that an entry of the cache that looks untouched is not used for a card, and that
/// the image is decoded again then.
fn assert_found_out(bench: &Bench, path: &Path, right: &[u8], what: &str) {
    let (base, stages) = bench.stages(path);
    assert_eq!(stages, [], "{what}: the entry looks untouched");
    let storage = base.storage();
    // As the writers do: data only.
    let mut at = 0;
    let failed = loop {
        match storage.next_data(at) {
            Ok(Some(data)) => {
                at = data.end;
                let read = storage.read_vec(data.start, (data.end - data.start) as usize);
                if let Err(error) = read {
                    break error;
                }
            }
            Ok(None) => panic!("{what}: not detected"),
            Err(error) => break error,
        }
    };
    let cause = std::error::Error::source(&failed).unwrap().to_string();
    assert_eq!(cause, "it is not what was decoded", "{what}");
    let error = base.check_unchanged().unwrap_err();
    assert!(matches!(error, BaseError::CachedImage { .. }), "{what}: {error:?}");
    assert!(error.fix().unwrap().contains("decoded again"), "{error}");
    let (base, stages) = bench.stages(path);
    assert!(stages.contains(&BuildStage::DecodeBase), "{what}: {stages:?}");
    assert!(contents(&base) == right, "{what}");
    base.check_unchanged().unwrap();
}

/// The contents of a cached image are bound to what was decoded, whatever its owner, mode, inode
/// and times are: what differs is found when it is read.
#[test]
fn a_changed_image_that_looks_untouched_is_found_out() {
    let right = image(300_000, 200_000);
    let write = |file: &File, at: u64, bytes: &[u8]| file.write_all_at(bytes, at).unwrap();
    type Change<'a> = &'a dyn Fn(&File);
    let changes: [(&str, Change<'_>); 5] = [
        ("one bit", &|file| write(file, 100_000, &[right[100_000] ^ 1])),
        ("the last byte", &|file| write(file, right.len() as u64 - 1, b"?")),
        ("two pieces swapped", &|file| {
            write(file, 16 << 10, &right[32 << 10..48 << 10]);
            write(file, 32 << 10, &right[16 << 10..32 << 10]);
        }),
        ("data instead of zeros", &|file| write(file, 400_000, b"evil")),
        ("a hole instead of data", &|file| {
            // Everything but the first block and the size.
            file.set_len(4096).unwrap();
            file.set_len(right.len() as u64).unwrap();
        }),
    ];
    for (what, change) in changes {
        let bench = Bench::new();
        let path = bench.write("base", &xz(&right));
        thread::sleep(Duration::from_millis(2100));
        bench.open(&path).unwrap();
        change(&File::options().write(true).open(&bench.cached("img")[0]).unwrap());
        adapt_record(&bench);
        assert_found_out(&bench, &path, &right, what);
    }
}

/// Checksums that are not those of the record make no entry.
#[test]
fn changed_checksums_are_not_used() {
    let right = image(300_000, 200_000);
    let bench = Bench::new();
    let path = bench.write("base", &xz(&right));
    thread::sleep(Duration::from_millis(2100));
    bench.open(&path).unwrap();
    let sums = bench.cached("sums").remove(0);
    let bytes = fs::read(&sums).unwrap();
    let mut altered = bytes.clone();
    altered[40] ^= 1;
    let longer = [&bytes[..], &[0; 32]].concat();
    for spoilt in [&altered[..], &bytes[32..], &bytes[1..], &longer, b""] {
        fs::write(&sums, spoilt).unwrap();
        let (base, stages) = bench.stages(&path);
        assert_eq!(stages, [BuildStage::DecodeBase]);
        assert!(contents(&base) == right);
        assert_eq!(fs::read(&sums).unwrap(), bytes);
    }
    fs::remove_file(&sums).unwrap();
    assert_eq!(bench.stages(&path).1, [BuildStage::DecodeBase]);
}

/// Root can write to the disk below the cache, which changes neither inode nor times.
#[test]
fn an_image_that_was_changed_on_the_disk_below_is_found_out() {
    let tool = |program: &str, arguments: &[&Path]| {
        let output = Command::new(program).args(arguments).output().expect(program);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program}: {text}{errors}");
        text
    };
    let bench = Bench::new();
    let disk = bench.write("disk", b"");
    File::options().write(true).open(&disk).unwrap().set_len(16 << 20).unwrap();
    tool("mke2fs", &[Path::new("-q"), Path::new("-t"), Path::new("ext4"), &disk]);
    fs::create_dir(bench.path("mounted")).unwrap();
    let option = Path::new("-oloop");
    let mount = || Command::new("mount").args([option, &disk, &bench.path("mounted")]).output();
    if !mount().unwrap().status.success() {
        test_support::not_judged("the disk below the cache was not tried: that needs root");
        return;
    }
    /// Unmounts when the test is over.
    struct Mounted(std::path::PathBuf);
    impl Drop for Mounted {
        fn drop(&mut self) {
            let _ = Command::new("umount").arg(&self.0).output();
        }
    }
    let mounted = Mounted(bench.path("mounted"));
    symlink("mounted/cache", bench.cache()).unwrap();
    fs::create_dir(bench.path("mounted/cache")).unwrap();
    let right = image(300_000, 200_000);
    let path = bench.write("base", &xz(&right));
    thread::sleep(Duration::from_millis(2100));
    bench.open(&path).unwrap();
    let cached = bench.cached("img").remove(0);
    let before = fs::metadata(&cached).unwrap();
    drop(mounted);
    let name = cached.file_name().unwrap().to_str().unwrap();
    let blocks = format!("blocks /cache/{name}");
    let blocks = tool("debugfs", &[Path::new("-R"), Path::new(&blocks), &disk]);
    // The fourth block: with holes left out, still one of random bytes.
    let block: u64 = blocks.split_whitespace().nth(3).unwrap().parse().unwrap();
    let file = File::options().read(true).write(true).open(&disk).unwrap();
    let mut superblock = [0; 1024];
    file.read_exact_at(&mut superblock, 1024).unwrap();
    let size = 1024 << u32::from_le_bytes(superblock[24..28].try_into().unwrap());
    file.write_all_at(b"evil", block * size + 17).unwrap();
    drop(file);
    assert!(mount().unwrap().status.success());
    let _mounted = Mounted(bench.path("mounted"));
    let after = fs::metadata(&cached).unwrap();
    assert_eq!((before.ino(), before.ctime_nsec()), (after.ino(), after.ctime_nsec()));
    assert!(fs::read(&cached).unwrap() != right);
    assert_found_out(&bench, &path, &right, "the disk below");
}

/// A named pipe instead of any file ends the run at once, instead of waiting for its other
/// end.
#[test]
fn named_pipes_are_not_waited_for() {
    let start = Instant::now();
    let bench = Bench::new();
    let path = bench.write("base", &xz(&image(3000, 9000)));
    fs::create_dir(bench.cache()).unwrap();
    mkfifo(&bench.path("cache/index.lock"));
    let error = bench.open(&path).unwrap_err();
    let BaseError::Cache { source, .. } = &error else { panic!("{error:?}") };
    assert_eq!(source.to_string(), "not a regular file");
    fs::remove_file(bench.path("cache/index.lock")).unwrap();
    // A leftover whose lock is a pipe, a record that is one, and a checksum file.
    mkfifo(&bench.path("cache/0123.json"));
    mkfifo(&bench.path("base.sha256"));
    bench.open(&path).unwrap();
    bench.write("cache/0123.partial", b"");
    mkfifo(&bench.path("cache/0123.lock"));
    assert!(matches!(bench.open(&path), Err(BaseError::Cache { .. })));
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}

/// Another run, or another program, that holds the index's lock is not waited for once the
/// user has asked to stop.
#[test]
fn waiting_for_the_index_can_be_interrupted() {
    let bench = Bench::new();
    let path = bench.write("base", &xz(&image(3000, 9000)));
    fs::create_dir(bench.cache()).unwrap();
    let held = File::create(bench.path("cache/index.lock")).unwrap();
    held.lock().unwrap();
    let cancel = Cancel::new();
    thread::scope(|scope| {
        let run = scope.spawn(|| bench.open_with(&path, &Stages::default(), &cancel));
        thread::sleep(Duration::from_millis(500));
        assert!(!run.is_finished(), "it waits for the lock");
        cancel.cancel();
        let asked = Instant::now();
        let stopped = run.join().unwrap();
        assert!(matches!(stopped, Err(BaseError::Cancelled(_))), "{stopped:?}");
        assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
    });
}
