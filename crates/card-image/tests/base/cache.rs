//! The cache of decoded images.

use std::{
    fs::{self, File, FileTimes},
    io::Write as _,
    os::unix::fs::FileExt as _,
    path::Path,
    sync::mpsc::channel,
    thread,
    time::Duration,
};

use card_image::{BaseError, BuildStage, Cancel};

use crate::support::{Bench, Stages, all_formats, contents, gzip, image, xz};

/// Waits until a file that was just written is so old that its times identify it.
fn settle() {
    thread::sleep(Duration::from_millis(2100));
}

#[test]
fn a_settled_base_is_not_read_again() {
    let bench = Bench::new();
    let image = image(3000, 9000);
    let path = bench.write("base.img.xz", &xz(&image));
    // Its times do not identify it yet, so its contents are read again.
    assert_eq!(bench.stages(&path).1, [BuildStage::DecodeBase]);
    assert_eq!(bench.stages(&path).1, [BuildStage::CheckBase]);
    settle();
    assert_eq!(bench.stages(&path).1, [BuildStage::CheckBase]);
    let (base, stages) = bench.stages(&path);
    assert_eq!(stages, []);
    assert!(contents(&base) == image);
    // A copy is recognized by its contents.
    fs::copy(&path, bench.path("copy")).unwrap();
    assert_eq!(bench.stages(&bench.path("copy")).1, [BuildStage::CheckBase]);
    assert_eq!(bench.cached("img").len(), 1);
    // Written in place, with the same size and modification time.
    let modified = fs::metadata(&path).unwrap().modified().unwrap();
    let file = File::options().write(true).open(&path).unwrap();
    file.write_all_at(b"?", 200).unwrap();
    file.set_times(FileTimes::new().set_modified(modified)).unwrap();
    assert!(matches!(bench.open(&path), Err(BaseError::Corrupt { .. })));
}

#[test]
fn the_image_of_a_replaced_base_is_removed() {
    let bench = Bench::new();
    let path = bench.write("base", &xz(&image(3000, 9000)));
    settle();
    bench.stages(&path);
    let old = bench.cached("img");
    let new = image(4000, 9000);
    bench.write("base", &xz(&new));
    settle();
    let (base, stages) = bench.stages(&path);
    assert_eq!(stages, [BuildStage::DecodeBase]);
    assert!(contents(&base) == new);
    assert_eq!(bench.cached("").len(), 3);
    assert_ne!(bench.cached("img"), old);
}

#[test]
fn changes_to_the_cache_are_detected() {
    let image = image(3000, 90_000);
    let append = |path: &Path| {
        File::options().append(true).open(path).unwrap().write_all(b"x").unwrap();
    };
    let cut = |path: &Path| File::options().write(true).open(path).unwrap().set_len(512).unwrap();
    let alter = |path: &Path| {
        let modified = fs::metadata(path).unwrap().modified().unwrap();
        let file = File::options().write(true).open(path).unwrap();
        file.write_all_at(b"x", 1000).unwrap();
        file.set_times(FileTimes::new().set_modified(modified)).unwrap();
    };
    let replace = |path: &Path| {
        let copy = path.with_extension("copy");
        fs::copy(path, &copy).unwrap();
        fs::rename(&copy, path).unwrap();
    };
    let remove = |path: &Path| fs::remove_file(path).unwrap();
    let spoil = |path: &Path| fs::write(path, b"{\"version\":").unwrap();
    let swap_name = |path: &Path| {
        let record = fs::read_to_string(path).unwrap();
        fs::write(path, record.replace("\"sha256\": \"", "\"sha256\": \"..")).unwrap();
    };
    type Harm<'a> = &'a dyn Fn(&Path);
    let harms: [(&str, &str, Harm); 8] = [
        ("img", "appended", &append),
        ("img", "cut", &cut),
        ("img", "altered", &alter),
        ("img", "replaced", &replace),
        ("img", "removed", &remove),
        ("json", "removed", &remove),
        ("json", "spoilt", &spoil),
        ("json", "renamed inside", &swap_name),
    ];
    let bench = Bench::new();
    let path = bench.write("base", &gzip(&image));
    settle();
    bench.stages(&path);
    for (ending, what, harm) in harms {
        assert_eq!(bench.stages(&path).1, [], "the cache was not warm");
        // Otherwise the change may get the same times as the creation of the file.
        thread::sleep(Duration::from_millis(20));
        harm(&bench.cached(ending)[0]);
        let (base, stages) = bench.stages(&path);
        assert_eq!(stages, [BuildStage::DecodeBase], "{ending} {what}");
        assert!(contents(&base) == image, "{ending} {what}");
        assert_eq!(bench.cached("").len(), 3, "{ending} {what}: {:?}", bench.cached(""));
    }
    // One that is in use.
    let (base, _) = bench.stages(&path);
    base.check_unchanged().unwrap();
    append(&bench.cached("img")[0]);
    assert!(matches!(base.check_unchanged(), Err(BaseError::Changed { .. })));
}

#[test]
fn two_runs_at_once_decode_once() {
    let bench = Bench::new();
    let image = image(3000, 9000);
    let path = bench.write("base", &xz(&image));
    settle();
    let (decoding, is_decoding) = channel();
    let (waiting, is_waiting) = channel();
    let is_waiting = std::sync::Mutex::new(is_waiting);
    let minute = Duration::from_secs(60);
    // The first continues decoding once the second waits for it.
    let first = Stages::with(move |_| {
        decoding.send(()).unwrap();
        is_waiting.lock().unwrap().recv_timeout(minute).unwrap();
    });
    let second = Stages::with(move |_| waiting.send(()).unwrap());
    let open = |stages: &Stages| bench.open_with(&path, stages, &Cancel::new());
    thread::scope(|scope| {
        let one = scope.spawn(|| open(&first));
        is_decoding.recv_timeout(minute).unwrap();
        let other = scope.spawn(|| open(&second));
        for run in [one, other] {
            assert!(contents(&run.join().unwrap().unwrap()) == image);
        }
    });
    assert_eq!(first.seen(), [BuildStage::DecodeBase]);
    assert_eq!(second.seen(), [BuildStage::WaitForBase]);
    assert_eq!(bench.cached("").len(), 3);
    let locks = fs::read_dir(bench.cache()).unwrap().count() - 3;
    assert_eq!(locks, 1, "only the index's lock file stays");
}

#[test]
fn waiting_can_be_interrupted() {
    let bench = Bench::new();
    let path = bench.write("base", &xz(&image(3000, 9000)));
    let first = Stages::with(|_| {
        let cancel = Cancel::new();
        let second = Stages::with(|_| cancel.cancel());
        let waited = bench.open_with(&path, &second, &cancel);
        assert!(matches!(waited, Err(BaseError::Cancelled(_))));
        assert_eq!(second.seen(), [BuildStage::WaitForBase]);
    });
    bench.open_with(&path, &first, &Cancel::new()).unwrap();
    assert_eq!(first.seen(), [BuildStage::DecodeBase]);
}

#[test]
fn interrupted_or_changed_decoding_leaves_nothing() {
    let image = image(3000, 9000);
    for (ending, bytes) in all_formats(&image) {
        let bench = Bench::new();
        let path = bench.write("base", &bytes);
        let cancel = Cancel::new();
        let stages = Stages::with(|_| cancel.cancel());
        let stopped = bench.open_with(&path, &stages, &cancel);
        assert!(matches!(stopped, Err(BaseError::Cancelled(_))), "{ending}");
        assert!(bench.cached("").is_empty(), "{ending}");

        let stages = Stages::with(|_| {
            File::options().append(true).open(&path).unwrap().write_all(b"more").unwrap();
        });
        let changed = bench.open_with(&path, &stages, &Cancel::new());
        assert!(matches!(changed, Err(BaseError::Changed { .. })), "{ending}: {changed:?}");
        assert!(bench.cached("").is_empty(), "{ending}");
    }
}

#[test]
fn leftovers_of_killed_runs_are_removed() {
    let bench = Bench::new();
    let path = bench.write("base", &xz(&image(3000, 9000)));
    fs::create_dir(bench.cache()).unwrap();
    for name in ["cache/0123456789abcdef.partial", "cache/0123456789abcdef.lock"] {
        bench.write(name, b"half an image");
    }
    bench.write("cache/index.partial", b"half a record");
    bench.stages(&path);
    assert_eq!(bench.cached("").len(), 3, "{:?}", bench.cached(""));
}
