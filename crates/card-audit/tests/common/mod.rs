//! Cards built from the sample base, and changed in memory.
#![allow(dead_code, missing_docs)]

pub mod cards;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, LazyLock, OnceLock},
};

use block_io::{FileStorage, Layer, ReadAt, Window, WriteAt};
use card_audit::{AuditError, Card, CardOutcome, CardReport, Finding, VerifyOptions, VerifyReport};
use card_image::{
    BaseImage, BaseOptions, BuildInputs, BuildOptions, Cancel, ImageFormat, RootFs, RootFsEditor,
};
use cluster_keys::ClusterKeys;
use cluster_profile::Cluster;
use ext4_offline::{FileTimes, Timestamp};
use test_support::SharedDirectory;

/// When the cards are built.
pub const BUILT: u64 = 1_600_000_000;
/// When their nodes ran.
pub const LATER: u64 = 4_000_000_000;
/// Where the root filesystem begins on every card, in bytes.
pub const ROOT: u64 = 19456 * 512;

pub const NODES: [&str; 4] = ["xu4-master", "xu4-node1", "xu4-node2", "xu4-node3"];

const PROFILE: &str = "cluster: test
base: BASE
card: 64MiB
network: {interface: eth0, prefix: 24, gateway: 192.168.1.1, dns: [192.168.1.1]}
nodes:
  - {name: xu4-master, address: 192.168.1.80, role: manager}
  - {name: xu4-node1, address: 192.168.1.81}
  - {name: xu4-node2, address: 192.168.1.82}
  - {name: xu4-node3, address: 192.168.1.83}
ssh:
  users: [root, odroid]
  authorized_keys:
    - ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAk7+5fdhtepRjC3WTWxqPoZ3pdIuqBjSIR0Xalan0j me
users:
  root: {locked: true}
  odroid: {password: '$6$saltsalt$MyZEicwklUInnzlwTHrN6tX9kgG.9zZodQh4HPYZf8mXzTbYh.Hc1zeg79WHZdhCtDh69AOruPUbmzsnlQ/nc/'}
hosts: {nas.lan: 192.168.1.10}
files:
  - {path: /etc/motd, content: \"hello\\nthere\\n\"}
";

/// A request to stop that never comes.
pub static NEVER: LazyLock<Cancel> = LazyLock::new(Cancel::new);

/// The cards of one cluster, built once for all tests of a binary.
pub struct Bench {
    directory: SharedDirectory,
    pub cluster: Cluster,
    pub keys: ClusterKeys,
    pub base: BaseImage,
}

pub fn bench() -> &'static Bench {
    static BENCH: OnceLock<Bench> = OnceLock::new();
    BENCH.get_or_init(Bench::new)
}

/// What the cards of a cluster are made from.
pub fn build_inputs<'a>(
    cluster: &'a Cluster,
    keys: &'a ClusterKeys,
    cache: &'a Path,
) -> BuildInputs<'a> {
    BuildInputs {
        cluster,
        keys,
        base: &cluster.base.path,
        base_sha256: None,
        root: None,
        time: Some(BUILT),
        cache: Some(cache),
        largest_card: None,
    }
}

impl Bench {
    fn new() -> Self {
        let directory = SharedDirectory::new();
        let base = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../profiles/sample-base.img.xz");
        let profile = directory.path().join("profile.yaml");
        std::fs::write(&profile, PROFILE.replace("BASE", base.to_str().unwrap())).unwrap();
        let cluster = Cluster::load(&profile).unwrap();
        let names: Vec<String> = NODES.map(str::to_owned).into();
        let keys = ClusterKeys::open_or_create(&cluster.keys, &cluster.name, &names).unwrap();
        let cache = directory.path().join("cache");
        let base = BaseImage::open(
            &base,
            BaseOptions {
                cache_dir: Some(&cache),
                sha256: None,
                limit: None,
                progress: &(),
                cancel: &Cancel::new(),
            },
        )
        .unwrap();
        let bench = Bench { directory, cluster, keys, base };
        bench.build("out", bench.cluster.card.unwrap().bytes(), &NODES);
        bench
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// What cards are made from.
    pub fn sources<'a>(&'a self, cache: &'a Path) -> BuildInputs<'a> {
        build_inputs(&self.cluster, &self.keys, cache)
    }

    /// Builds the nodes' images of this size.
    pub fn build(&self, out: &str, card_size: u64, nodes: &[&str]) {
        let cache = self.path("cache");
        let chosen = |node: &&cluster_profile::Node| nodes.contains(&node.name.as_str());
        let options = BuildOptions {
            inputs: self.sources(&cache),
            nodes: self.cluster.nodes.iter().filter(chosen).collect(),
            card_size,
            out: &self.path(out),
            format: ImageFormat::Raw,
            raw_sums: false,
            update: false,
        };
        card_image::build(&options, &(), &Cancel::new()).unwrap();
    }

    /// A node's card, to be changed in memory.
    pub fn card(&self, node: &str) -> Changed {
        let image = FileStorage::open(&self.path(&format!("out/{node}.img"))).unwrap();
        Changed::over(node, Arc::new(image), 64 << 20)
    }

    pub fn base_card(&self) -> Card {
        Card::from_storage("base".into(), self.base.storage(), None).unwrap()
    }

    /// What verifying these cards comes to, with the base at hand.
    pub fn verify(&self, cards: Vec<&Changed>) -> VerifyReport {
        let base = self.base_card();
        self.verify_with(card_audit::BaseReference::Card(&base), None, cards)
    }

    pub fn verify_with(
        &self,
        base: card_audit::BaseReference<'_>,
        node: Option<&str>,
        cards: Vec<&Changed>,
    ) -> VerifyReport {
        let node = node.map(|name| self.cluster.nodes.iter().find(|n| n.name == name).unwrap());
        let options = VerifyOptions { cluster: &self.cluster, keys: &self.keys, base, node };
        let cards = cards.into_iter().map(|card| (card.name.clone(), card.open())).collect();
        card_audit::verify(&options, cards)
    }

    /// What one card's findings are.
    pub fn findings(&self, card: &Changed) -> Vec<Finding> {
        self.audit(card).findings
    }

    pub fn audit(&self, card: &Changed) -> CardReport {
        only(self.verify(vec![card]))
    }

    /// The same without the base.
    pub fn findings_without_base(&self, card: &Changed) -> Vec<Finding> {
        only(self.verify_with(card_audit::BaseReference::Absent("for a test"), None, vec![card]))
            .findings
    }
}

pub fn only(report: VerifyReport) -> CardReport {
    let [outcome] = <[CardOutcome; 1]>::try_from(report.cards).expect("one card");
    match outcome {
        CardOutcome::Audited(report) => report,
        CardOutcome::Refused { error, .. } => panic!("{error}"),
    }
}

/// A card changed in memory.
pub struct Changed {
    pub name: String,
    pub layer: Arc<Layer>,
}

impl Changed {
    pub fn over(name: &str, below: Arc<dyn ReadAt>, size: u64) -> Self {
        Changed { name: name.to_owned(), layer: Arc::new(Layer::new(below, size)) }
    }

    pub fn open(&self) -> Result<Card, AuditError> {
        Card::from_storage(self.name.clone(), self.layer.clone(), None)
    }

    /// The root filesystem's bytes, as its partition has them.
    pub fn root(&self) -> Arc<dyn WriteAt> {
        let table = part_table::PartitionTable::read(&self.layer).unwrap();
        let root = table.partition(2).unwrap().bytes();
        Arc::new(Window::new(self.layer.clone(), root.start, root.end - root.start).unwrap())
    }

    /// Changes its files, as of `LATER`.
    pub fn edit(self, edit: impl FnOnce(&mut Editor)) -> Self {
        let mut editor = Editor(RootFsEditor::open(self.root(), LATER).unwrap());
        edit(&mut editor);
        editor.0.close().unwrap();
        self
    }

    pub fn read(&self, path: &str) -> String {
        let files = RootFs::open(self.root()).unwrap();
        let contents = files.read(path, 1 << 20).unwrap().unwrap_or_else(|| panic!("no {path}"));
        String::from_utf8(contents).unwrap()
    }

    /// Replaces text in a file.
    pub fn replace(self, path: &str, from: &str, to: &str) -> Self {
        let text = self.read(path);
        assert!(text.contains(from), "{from:?} is not in {path}: {text}");
        self.edit(|files| files.write(path, &text.replace(from, to)))
    }

    pub fn append(self, path: &str, more: &str) -> Self {
        let text = self.read(path) + more;
        self.edit(|files| files.write(path, &text))
    }

    /// Changes bytes of the superblock.
    pub fn superblock(self, offset: u64, change: impl FnOnce(&mut [u8; 4])) -> Self {
        let root = self.root();
        let mut bytes = [0; 4];
        root.read_at(1024 + offset, &mut bytes).unwrap();
        change(&mut bytes);
        root.write_at(1024 + offset, &bytes).unwrap();
        self
    }
}

/// Edits files in few words.
pub struct Editor(pub RootFsEditor);

impl Editor {
    pub fn write(&mut self, path: &str, text: &str) {
        self.0.create(path, 0o644).unwrap();
        self.0.editor().write(path, text).unwrap();
        self.mtime(path, LATER);
    }

    pub fn mtime(&mut self, path: &str, seconds: u64) {
        let times = FileTimes::new().set_modified(Timestamp::saturating(seconds));
        self.0.editor().set_times(path, times).unwrap();
    }

    pub fn mode(&mut self, path: &str, mode: u16) {
        self.0.editor().set_permissions(path, mode).unwrap();
    }

    pub fn remove(&mut self, path: &str) {
        assert!(self.0.remove(path).unwrap(), "no {path}");
    }
}

/// Runs a program that must be there and succeed.
pub fn run(package: &str, program: &str, arguments: &[&str]) -> String {
    let output = std::process::Command::new(program)
        .args(arguments)
        .env("PATH", format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default()))
        .output()
        .unwrap_or_else(|error| {
            panic!("{program} is needed ({error}): install the Debian package {package}")
        });
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {text}{errors}");
    text + &errors
}
