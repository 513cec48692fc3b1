//! Downloading a base image from a server that drops connections and changes contents.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::{Duration, Instant, SystemTime},
};

use card_image::{BaseError, BaseOptions, Cancel, download};
use sha2::{Digest as _, Sha256};
use test_support::server::{Answer, Server};

fn sample() -> Arc<Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../profiles/sample-base.img.xz");
    Arc::new(fs::read(path).unwrap())
}

fn sum(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

fn get(
    cache: &Path,
    url: &str,
    sha256: Option<[u8; 32]>,
    cancel: &Cancel,
) -> Result<PathBuf, BaseError> {
    download(
        url,
        BaseOptions { cache_dir: Some(cache), sha256, limit: None, progress: &(), cancel },
    )
}

fn file(bytes: &Arc<Vec<u8>>, tag: &'static str, drop_after: usize) -> Answer {
    Answer::File { bytes: bytes.clone(), tag, drop_after }
}

/// Returns the names of all files below a directory, without locks.
fn files(directory: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            names.extend(files(&path));
        } else {
            names.push(entry.file_name().into_string().unwrap());
        }
    }
    names.retain(|name| name != "lock" && name != "last-use");
    names.sort();
    names
}

#[test]
fn a_file_is_downloaded_once() {
    let (temp, bytes) = (tempfile::tempdir().unwrap(), sample());
    let served = bytes.clone();
    let server = Server::start(move |_, path| match path {
        "/there/b.img.xz" => file(&served, "\"a\"", usize::MAX),
        _ => Answer::Redirect("/there/b.img.xz"),
    });
    let url = server.url("/b.img.xz?x=1");
    for _ in 0..2 {
        let path = get(temp.path(), &url, Some(sum(&bytes)), &Cancel::new()).unwrap();
        assert!(path.ends_with("b.img.xz") && fs::read(path).unwrap() == *bytes);
    }
    assert_eq!(server.requests().len(), 2, "the redirect and the file, once");
    assert_eq!(files(temp.path()), ["b.img.xz"]);
}

/// The cache would only ever grow otherwise.
#[test]
fn images_that_were_not_used_for_long_are_removed_by_the_next_download() {
    let (temp, bytes) = (tempfile::tempdir().unwrap(), sample());
    let served = bytes.clone();
    let server = Server::start(move |_, _| file(&served, "\"a\"", usize::MAX));
    let get = |name: &str| {
        let url = server.url(&format!("/{name}.img.xz"));
        get(temp.path(), &url, Some(sum(&bytes)), &Cancel::new()).unwrap()
    };
    let age = |path: &Path, days: u64| {
        let file = fs::File::options().write(true).open(path.with_file_name("last-use")).unwrap();
        let time = SystemTime::now() - Duration::from_secs(days * 86_400);
        file.set_modified(time).unwrap();
    };
    let (old, recent, used) = (get("old"), get("recent"), get("used"));
    age(&old, 91);
    age(&recent, 89);
    age(&used, 91);
    get("used");
    get("new");
    assert_eq!(files(temp.path()), ["new.img.xz", "recent.img.xz", "used.img.xz"]);
    assert!(!old.parent().unwrap().exists());
    assert!(recent.exists() && used.exists());
}

#[test]
fn dropped_connections_are_continued_where_they_ended() {
    let (temp, bytes) = (tempfile::tempdir().unwrap(), sample());
    let (served, part) = (bytes.clone(), bytes.len() / 3);
    let server = Server::start(move |_, _| file(&served, "\"a\"", part));
    let path = get(temp.path(), &server.url("/b"), Some(sum(&bytes)), &Cancel::new()).unwrap();
    assert!(fs::read(path).unwrap() == *bytes);
    let requests = server.requests();
    assert!(requests.len() >= 3, "{requests:?}");
    for request in &requests[1..] {
        assert!(request.contains("range: bytes=") && request.contains("if-range: \"a\""));
    }
}

#[test]
fn a_later_run_continues_and_changed_contents_begin_again() {
    for changes in [false, true] {
        let (temp, bytes) = (tempfile::tempdir().unwrap(), sample());
        let mut other = bytes.to_vec();
        // Padding after an .xz file; the image inside is the same.
        other.extend([0; 4096]);
        let other = Arc::new(other);
        let (first, second) = (bytes.clone(), if changes { other } else { bytes.clone() });
        let expected = second.clone();
        let tag = if changes { "\"b\"" } else { "\"a\"" };
        let part = bytes.len() / 2;
        let server = Server::start(move |number, _| match number {
            0 => file(&first, "\"a\"", part),
            1..3 => Answer::Status(503),
            _ => file(&second, tag, usize::MAX),
        });
        let (url, sha256) = (server.url("/b.img.xz"), Some(sum(&expected)));
        let error = get(temp.path(), &url, sha256, &Cancel::new()).unwrap_err();
        assert!(matches!(error, BaseError::Download { .. }), "{error}");
        assert_eq!(files(temp.path()), ["b.img.xz.part", "b.img.xz.part.json"]);
        let path = get(temp.path(), &url, sha256, &Cancel::new()).unwrap();
        assert!(fs::read(path).unwrap() == *expected, "changes: {changes}");
        let last = server.requests().pop().unwrap();
        assert!(last.contains(&format!("range: bytes={part}-")), "{last}");
        assert_eq!(files(temp.path()), ["b.img.xz"]);
    }
}

/// The checksum detects a server that mixes two versions; nothing of it is kept.
#[test]
fn wrong_contents_are_not_kept() {
    let (temp, bytes) = (tempfile::tempdir().unwrap(), sample());
    let mut other = bytes.to_vec();
    let middle = other.len() / 2;
    other[middle..].reverse();
    let (first, second) = (bytes.clone(), Arc::new(other));
    let server = Server::start(move |number, _| match number {
        0 => file(&first, "\"a\"", 1000),
        _ => Answer::AnyRange(second.clone()),
    });
    let sha256 = Some(sum(&bytes));
    let error = get(temp.path(), &server.url("/b"), sha256, &Cancel::new()).unwrap_err();
    assert!(matches!(error, BaseError::ChecksumMismatch { .. }), "{error}");
    assert_eq!(files(temp.path()), [""; 0]);
}

#[test]
fn a_checksum_beside_the_image_is_enough_and_none_is_not() {
    let (temp, bytes) = (tempfile::tempdir().unwrap(), sample());
    let served = bytes.clone();
    let line = format!("{}  b.img.xz\n", plain_text::to_hex(&sum(&bytes)));
    let line = Arc::new(line.into_bytes());
    let server = Server::start(move |_, path| match path {
        "/own/b.img.xz" | "/shared/b.img.xz" | "/none/b.img.xz" => {
            file(&served, "\"a\"", usize::MAX)
        }
        "/own/b.img.xz.sha256" | "/shared/sha256sums" => file(&line, "\"s\"", usize::MAX),
        _ => Answer::Status(404),
    });
    for directory in ["own", "shared"] {
        let url = server.url(&format!("/{directory}/b.img.xz"));
        get(temp.path(), &url, None, &Cancel::new()).unwrap();
    }
    let error = get(temp.path(), &server.url("/none/b.img.xz"), None, &Cancel::new()).unwrap_err();
    assert!(matches!(error, BaseError::NoChecksum { .. }), "{error}");
    let missing = server.url("/missing");
    let error = get(temp.path(), &missing, Some([0; 32]), &Cancel::new()).unwrap_err();
    let source = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
    assert!(error.to_string().contains("/missing") && source.contains("404"), "{error}: {source}");
    let asked = server.requests().iter().filter(|head| head.contains("/missing")).count();
    assert_eq!(asked, 1, "a file that is not there was asked for again");
}

#[test]
fn a_silent_server_can_be_interrupted() {
    let (temp, bytes) = (tempfile::tempdir().unwrap(), sample());
    let server = Server::start(move |number, _| match number {
        0 => file(&bytes, "\"a\"", 1000),
        _ => Answer::Silence,
    });
    let cancel = Cancel::new();
    let stop = cancel.clone();
    thread::spawn(move || {
        thread::sleep(Duration::from_millis(300));
        stop.cancel();
    });
    let begun = Instant::now();
    let error = get(temp.path(), &server.url("/b"), Some([0; 32]), &cancel).unwrap_err();
    assert!(matches!(error, BaseError::Cancelled(_)), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}
