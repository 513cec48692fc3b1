//! A base image from the web: downloaded once, into the cache.
//!
//! The bytes go to `NAME.part`, and what identifies them (the address, and the validator that
//! the server gave) to `NAME.part.json`. A later run asks for the rest, on the condition that
//! the file is still the same (RFC 9110, If-Range); a server on which it changed answers with
//! the whole of it. The file gets its name once its length and its checksum are right.

mod unused;
mod web;

use std::{
    fs,
    io::{self, Read, Write as _},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use block_io::{Background, WaitError};
use plain_text::to_hex;
use platform::{Privacy, access::create_directories, opening::open_or_create};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use ureq::{Agent, Body, RequestBuilder, http::Response, typestate::WithoutBody};

use self::{
    unused::{note_use, remove_unused},
    web::{STALLED, agent, distrust},
};
use super::{
    BaseError, BaseOptions, ImageFile,
    cache::{LockFile, cache_dir, cache_error},
    opening::SumCheck,
};
use crate::{
    Cancel,
    progress::{BuildStage, RunningStage},
};

/// How often an interrupted download is continued in one run, if something came each time.
const ATTEMPTS: u32 = 6;
/// How long to sleep at a time before an interrupted download is continued.
const PAUSE: Duration = Duration::from_millis(200);
/// How many bytes are read at a time.
const CHUNK: usize = 64 << 10;
/// No checksum file is larger.
const LARGEST_SUMS: u64 = 1 << 20;

/// The parts of a download directory.
struct Place {
    directory: PathBuf,
    name: String,
}

/// What identifies the bytes of an incomplete download.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct PartRecord {
    url: String,
    /// The strong entity tag or the date, as `If-Range` takes it.
    validator: Option<String>,
    /// The size of the whole file in bytes, if the server states it.
    size: Option<u64>,
}

/// Why one attempt ended.
enum Attempt {
    /// Another attempt may get the rest.
    Interrupted(ureq::Error),
    /// No attempt will succeed.
    Failed(BaseError),
}

impl From<BaseError> for Attempt {
    fn from(error: BaseError) -> Self {
        Attempt::Failed(error)
    }
}

/// Returns where the image of an address is kept once it was downloaded. `None` if there is no
/// directory for caches.
pub fn download_path(cache_dir: Option<&Path>, url: &str) -> Option<PathBuf> {
    let place = Place::of(cache_dir, url).ok()?;
    Some(place.path())
}

/// Downloads an image, unless an earlier run has, and returns its path. `options.sha256` is
/// the checksum that it must have; without it, a checksum file must be beside it on the
/// server, `URL.sha256` or SHA256SUMS.
///
/// Proxies are taken from the environment (`https_proxy`, `http_proxy`, `all_proxy`, `no_proxy`),
/// and trusted certificates from the system, or from `SSL_CERT_FILE` and `SSL_CERT_DIR`. Redirects
/// are followed, but from https to plain http only with `options.sha256`.
///
/// Images that no run has used for 90 days are removed when another one is downloaded.
///
/// # Errors
/// [`BaseError`]. What was received stays for the next run, unless it is wrong.
pub fn download(url: &str, options: BaseOptions) -> Result<PathBuf, BaseError> {
    let place = Place::of(options.cache_dir, url)?;
    let path = place.path();
    if path.is_file() {
        note_use(&place.directory);
        return Ok(path);
    }
    let made = create_directories(&place.directory, Privacy::Private);
    made.map_err(cache_error("create the directory", &place.directory))?;
    let lock = place.directory.join("lock");
    let _lock = LockFile::take(&lock, options.progress, options.cancel)?;
    if path.is_file() {
        return Ok(path);
    }
    let agent = agent(url, options.sha256.is_some())?;
    if options.sha256.is_none() {
        place.fetch_sums(&agent, url)?;
    }
    place.fetch(&agent, url, &options)?;
    let part = place.part();
    // The checksums are checked under the final name, which checksum files are about.
    fs::rename(&part, &path).map_err(cache_error("rename", &part))?;
    let _ = fs::remove_file(place.record());
    let checked = ImageFile::open(&path).and_then(|image| image.check_sums(options));
    match checked {
        Ok(SumCheck::Right | SumCheck::OfImageOnly) => {
            note_use(&place.directory);
            remove_unused(&place.directory);
            Ok(path)
        }
        Ok(SumCheck::NoneKnown) => {
            let _ = fs::remove_file(&path);
            Err(BaseError::NoChecksum { url: shown(url) })
        }
        Err(BaseError::Cancelled(cancelled)) => {
            // Complete, but not checked: the next run does that.
            let _ = fs::rename(&path, &part);
            Err(cancelled.into())
        }
        Err(error) => {
            let _ = fs::remove_file(&path);
            Err(error)
        }
    }
}

/// Returns an address without the user name and the password that it may contain.
fn shown(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let host = rest.split('/').next().unwrap_or_default();
    match host.rsplit_once('@') {
        Some((user, _)) => format!("{scheme}://{}", &rest[user.len() + 1..]),
        None => url.to_owned(),
    }
}

impl Place {
    fn of(cache: Option<&Path>, url: &str) -> Result<Self, BaseError> {
        let mut key = to_hex(&Sha256::digest(url));
        key.truncate(24);
        let directory = cache_dir(cache)?.join("downloads").join(key);
        let path = url.split(['?', '#']).next().unwrap_or_default();
        let name: String = path
            .rsplit('/')
            .next()
            .unwrap_or_default()
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() || "._-+".contains(c) { c } else { '_' })
            .collect();
        let name = if name.trim_matches('.').is_empty() { "base".to_owned() } else { name };
        Ok(Place { directory, name })
    }

    fn path(&self) -> PathBuf {
        self.directory.join(&self.name)
    }

    fn part(&self) -> PathBuf {
        self.directory.join(format!("{}.part", self.name))
    }

    fn record(&self) -> PathBuf {
        self.directory.join(format!("{}.part.json", self.name))
    }

    /// Fetches the checksum files beside the image on the server.
    fn fetch_sums(&self, agent: &Agent, url: &str) -> Result<(), BaseError> {
        let own = format!("{url}.sha256");
        let parent = url.rsplit_once('/').map_or(url, |(parent, _)| parent);
        let shared = format!("{parent}/SHA256SUMS");
        let mut found = false;
        for (from, to) in [(own, format!("{}.sha256", self.name)), (shared, "SHA256SUMS".into())] {
            let to = self.directory.join(to);
            let _ = fs::remove_file(&to);
            let response = agent.get(&from).call().map_err(|error| failed(&from, error))?;
            if response.status().as_u16() != 200 {
                continue;
            }
            let mut text = Vec::new();
            let mut body = response.into_body().into_reader().take(LARGEST_SUMS);
            body.read_to_end(&mut text).map_err(|error| failed(&from, error.into()))?;
            fs::write(&to, text).map_err(cache_error("write", &to))?;
            found = true;
            break;
        }
        if found { Ok(()) } else { Err(BaseError::NoChecksum { url: shown(url) }) }
    }

    /// Fetches the image, or the rest of it, into the part file.
    fn fetch(&self, agent: &Agent, url: &str, options: &BaseOptions) -> Result<(), BaseError> {
        let mut left = ATTEMPTS;
        loop {
            let before = self.received();
            match self.attempt(agent, url, options) {
                Ok(()) => return Ok(()),
                Err(Attempt::Failed(error)) => return Err(error),
                Err(Attempt::Interrupted(error)) => {
                    left -= 1;
                    if left == 0 || self.received() <= before && left < ATTEMPTS - 1 {
                        return Err(failed(url, error));
                    }
                    for _ in 0..5 {
                        options.cancel.check()?;
                        thread::sleep(PAUSE);
                    }
                }
            }
        }
    }

    fn received(&self) -> u64 {
        fs::metadata(self.part()).map_or(0, |found| found.len())
    }

    fn read_record(&self, url: &str) -> Option<PartRecord> {
        let record: PartRecord = serde_json::from_slice(&fs::read(self.record()).ok()?).ok()?;
        (record.url == url).then_some(record)
    }

    fn attempt(&self, agent: &Agent, url: &str, options: &BaseOptions) -> Result<(), Attempt> {
        options.cancel.check().map_err(BaseError::from)?;
        let known = self.read_record(url);
        let received = self.received();
        if received > 0 && known.as_ref().is_some_and(|known| known.size == Some(received)) {
            return Ok(());
        }
        let mut request = agent.get(url).header("Accept-Encoding", "identity");
        let validator = known.as_ref().and_then(|known| known.validator.clone());
        if let (true, Some(validator)) = (received > 0, validator) {
            request = request.header("Range", format!("bytes={received}-"));
            request = request.header("If-Range", validator);
        }
        let response = call(url, request, options.cancel)?;
        let start = match response.status().as_u16() {
            200 => 0,
            206 if range_start(&response) == Some(received) => received,
            // The part is longer than the file, which therefore has changed.
            206 | 416 => {
                let part = self.part();
                fs::remove_file(&part).map_err(cache_error("remove", &part))?;
                return Err(Attempt::Interrupted(ureq::Error::StatusCode(416)));
            }
            status @ (429 | 500..) => {
                return Err(Attempt::Interrupted(ureq::Error::StatusCode(status)));
            }
            status => return Err(Attempt::Failed(failed(url, ureq::Error::StatusCode(status)))),
        };
        let length = header(&response, "content-length").and_then(|text| text.parse::<u64>().ok());
        let size = length.map(|length| start + length);
        let record = PartRecord { url: url.to_owned(), validator: validator_of(&response), size };
        self.receive(response, start, &record, options)
    }

    fn receive(
        &self,
        response: Response<Body>,
        start: u64,
        record: &PartRecord,
        options: &BaseOptions,
    ) -> Result<(), Attempt> {
        let part = self.part();
        let mut file = open_or_create(&part).map_err(cache_error("create", &part))?;
        file.set_len(start).map_err(cache_error("write", &part))?;
        io::Seek::seek(&mut file, io::SeekFrom::Start(start))
            .map_err(cache_error("write", &part))?;
        let json = serde_json::to_vec(record).unwrap_or_default();
        fs::write(self.record(), json).map_err(cache_error("write", &self.record()))?;
        let running = RunningStage::begin(
            options.progress,
            BuildStage::DownloadBase,
            record.size.unwrap_or(0),
        );
        running.advance(start);
        let body = response.into_body().into_reader();
        let chunks = Background::read(move || Ok(body), CHUNK);
        let mut at = start;
        loop {
            let chunk = match chunks.next(options.cancel, Some(STALLED)) {
                Ok(chunk) => chunk.map_err(|error| Attempt::Interrupted(error.into()))?,
                Err(WaitError::Cancelled(cancelled)) => {
                    return Err(BaseError::from(cancelled).into());
                }
                Err(WaitError::Stalled) => {
                    let error =
                        io::Error::new(io::ErrorKind::TimedOut, "the server stopped sending data");
                    return Err(Attempt::Interrupted(error.into()));
                }
            };
            if chunk.is_empty() {
                break;
            }
            file.write_all(&chunk).map_err(|error| write_error(&self.directory, &part, error))?;
            at += chunk.len() as u64;
            running.advance(chunk.len() as u64);
        }
        file.sync_all().map_err(cache_error("write", &part))?;
        match record.size {
            Some(size) if at != size => {
                let error = io::Error::new(io::ErrorKind::UnexpectedEof, "the connection ended");
                Err(Attempt::Interrupted(error.into()))
            }
            _ => Ok(()),
        }
    }
}

/// Sends a request. The answer may take long, and a request to stop is noticed meanwhile.
fn call(
    url: &str,
    request: RequestBuilder<WithoutBody>,
    cancel: &Cancel,
) -> Result<Response<Body>, Attempt> {
    // Nobody waits for the answer after a request to stop.
    let answer = Background::start(move |sender| drop(sender.send(request.call())));
    match answer.next(cancel, None) {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(match distrust(&shown(url), &error) {
            Some(error) => Attempt::Failed(error),
            None => Attempt::Interrupted(error),
        }),
        Err(WaitError::Cancelled(cancelled)) => Err(BaseError::from(cancelled).into()),
        Err(WaitError::Stalled) => {
            let error = io::Error::other("the request ended without an answer");
            Err(Attempt::Interrupted(error.into()))
        }
    }
}

fn write_error(directory: &Path, part: &Path, error: io::Error) -> BaseError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            BaseError::NoSpace { dir: directory.to_owned(), needed: None, free: 0 }
        }
        _ => cache_error("write", part)(error),
    }
}

fn failed(url: &str, source: ureq::Error) -> BaseError {
    let url = shown(url);
    distrust(&url, &source).unwrap_or(BaseError::Download { url, source: Box::new(source) })
}

fn header<'a>(response: &'a Response<Body>, name: &str) -> Option<&'a str> {
    response.headers().get(name)?.to_str().ok()
}

/// Returns what `If-Range` takes: a strong entity tag, or else the date of the last change.
fn validator_of(response: &Response<Body>) -> Option<String> {
    let tag = header(response, "etag").filter(|tag| tag.starts_with('"'));
    tag.or_else(|| header(response, "last-modified")).map(str::to_owned)
}

/// Returns the first byte of a partial answer: `Content-Range: bytes 100-199/200`.
fn range_start(response: &Response<Body>) -> Option<u64> {
    let range = header(response, "content-range")?.strip_prefix("bytes ")?;
    range.split('-').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_from_the_address_and_passwords_are_not_shown() {
        let name = |url| Place::of(Some(Path::new("/c")), url).unwrap().name;
        assert_eq!(name("https://x.org/a/b.img.xz?token=1#2"), "b.img.xz");
        assert_eq!(name("https://x.org/a/"), "base");
        assert_eq!(name("https://x.org/.."), "base");
        assert_eq!(shown("https://me:secret@x.org/a@b"), "https://x.org/a@b");
        assert_eq!(shown("https://x.org/a@b"), "https://x.org/a@b");
    }
}
