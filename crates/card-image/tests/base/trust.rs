//! A cache that others could have put something into.

use std::{
    fs::{self, File},
    os::unix::fs::{PermissionsExt as _, chown, symlink},
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use card_image::{BaseError, BaseImage, BaseOptions, BuildStage, Cancel};

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
        eprintln!("base::trust: owners were NOT TESTED: that needs root");
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
        let right = matches!(error, BaseError::WritableCache { mode: found, .. } if found == mode);
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
    assert!(matches!(error, BaseError::ForeignCache { owner: OTHER, .. }), "{error:?}");
    assert!(error.fix().unwrap().contains("XDG_CACHE_HOME"), "{error}");
    // Nor does a symlink of another user lead anywhere.
    fs::rename(bench.cache(), bench.path("elsewhere")).unwrap();
    chown(bench.path("elsewhere"), Some(0), None).unwrap();
    symlink("elsewhere", bench.cache()).unwrap();
    bench.open(&path).unwrap();
    std::os::unix::fs::lchown(bench.cache(), Some(OTHER), None).unwrap();
    let error = bench.open(&path).unwrap_err();
    assert!(matches!(error, BaseError::ForeignCache { owner: OTHER, .. }), "{error:?}");
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
        for ending in ["img", "json"] {
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
