//! Bases with a FAT boot partition, and cards built from them.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use block_io::{FileStorage, Layer, ReadAt as _, Window, WriteAt};
use card_audit::{ApplyOptions, BaseReference, Card, CardOutcome, VerifyOptions};
use card_image::{BuildInputs, BuildOptions, Cancel, ImageFormat, RootFsEditor, build};
use cluster_keys::ClusterKeys;
use cluster_profile::{Cluster, Node};

use crate::common::{BUILT, NEVER, ROOT, bench, build_inputs, run};

/// Where partition 1, FAT, begins and ends on the sample base.
pub const FAT: std::ops::Range<u64> = 3072 * 512..ROOT;
pub const MIB: u64 = 1 << 20;

/// A base, a profile and their keys, in a directory of their own.
pub struct Bed {
    pub temp: tempfile::TempDir,
    pub cluster: Cluster,
    pub keys: ClusterKeys,
}

/// Returns the texts of notes.
pub fn texts(notes: &[impl ToString]) -> Vec<String> {
    notes.iter().map(ToString::to_string).collect()
}

/// Puts a file on the FAT partition of an image in a file.
pub fn mcopy(image: &Path, name: &str, contents: &[u8]) {
    let source = image.with_extension("source");
    fs::write(&source, contents).unwrap();
    let at = format!("{}@@{}", image.display(), FAT.start);
    let target = format!("::{name}");
    run("mtools", "mcopy", &["-o", "-i", &at, source.to_str().unwrap(), &target]);
}

/// Returns a file of the FAT partition, as mtools reads it.
pub fn mtype(image: &Path, name: &str) -> String {
    let at = format!("{}@@{}", image.display(), FAT.start);
    run("mtools", "mtype", &["-i", &at, &format!("::{name}")])
}

/// fsck.vfat must have nothing to say about the FAT partition.
pub fn assert_fat_clean(image: &Path) {
    let bytes = fs::read(image).unwrap();
    let part = image.with_extension("fat");
    fs::write(&part, &bytes[FAT.start as usize..FAT.end as usize]).unwrap();
    let said = run("dosfstools", "fsck.vfat", &["-n", part.to_str().unwrap()]);
    let lines = said.lines().filter(|line| !line.trim().is_empty()).count();
    assert_eq!(lines, 2, "{said}");
}

pub fn root_window(image: &Path) -> Window<Arc<FileStorage>> {
    let image = Arc::new(FileStorage::open(image).unwrap());
    let size = image.size() - ROOT;
    Window::new(image, ROOT, size).unwrap()
}

/// Makes a base like the sample base whose FAT partition is made by `mkfs` (options of
/// mkfs.vfat) and mounted by this line of /etc/fstab.
pub fn base(path: &Path, mkfs: &[&str], fstab: &str) {
    let sample = bench().base.storage();
    fs::write(path, sample.read_vec(0, sample.size() as usize).unwrap()).unwrap();
    let fat = path.with_extension("new");
    fs::File::create(&fat).unwrap().set_len(FAT.end - FAT.start).unwrap();
    let mut arguments = vec!["-i", "cafe0123", "-n", "BOOT"];
    arguments.extend(mkfs);
    arguments.push(fat.to_str().unwrap());
    run("dosfstools", "mkfs.vfat", &arguments);
    let mut bytes = fs::read(path).unwrap();
    bytes[FAT.start as usize..FAT.end as usize].copy_from_slice(&fs::read(&fat).unwrap());
    let size = bytes.len() as u64;
    let storage = Arc::new(block_io::Memory::new(bytes));
    let layer = Arc::new(Layer::new(storage, size));
    let root: Arc<dyn WriteAt> = Arc::new(Window::new(layer.clone(), ROOT, size - ROOT).unwrap());
    let mut files = RootFsEditor::open(root, crate::common::BUILT).unwrap();
    let text = format!("UUID=e139ce78-9841-40fe-8823-96a304a09859 / ext4 defaults 0 1\n{fstab}\n");
    files.editor().write("/etc/fstab", text).unwrap();
    files.close().unwrap();
    fs::write(path, layer.read_vec(0, size as usize).unwrap()).unwrap();
    mcopy(path, "config.txt", b"arm_64bit=1\n");
    mcopy(
        path,
        "cmdline.txt",
        b"console=tty1 root=UUID=e139ce78-9841-40fe-8823-96a304a09859 rootwait\n",
    );
    // Clusters that are free again, full of old bytes.
    mcopy(path, "old", &[0xa5; 200_000]);
    let at = format!("{}@@{}", path.display(), FAT.start);
    run("mtools", "mdel", &["-i", &at, "::old"]);
}

impl Bed {
    pub fn new(mkfs: &[&str], fstab: &str, more: &str) -> Self {
        let temp = tempfile::tempdir().unwrap();
        base(&temp.path().join("base.img"), mkfs, fstab);
        Bed::in_directory(temp, more)
    }

    pub fn in_directory(temp: tempfile::TempDir, more: &str) -> Self {
        let profile = temp.path().join("profile.yaml");
        let text = format!(
            "cluster: test\nbase: base.img\ncard: 64MiB\n\
             network: {{interface: eth0, prefix: 24}}\n{more}"
        );
        fs::write(&profile, text).unwrap();
        let cluster = Cluster::load(&profile).unwrap_or_else(|error| panic!("{error}"));
        let names: Vec<String> = cluster.nodes.iter().map(|node| node.name.clone()).collect();
        let keys = ClusterKeys::open_or_create(&cluster.keys, "test", &names).unwrap();
        Bed { temp, cluster, keys }
    }

    pub fn inputs(&self) -> BuildInputs<'_> {
        build_inputs(&self.cluster, &self.keys, self.temp.path())
    }

    /// How a node's card is corrected, without its base image.
    pub fn apply_options<'a>(&'a self, node: &'a Node) -> ApplyOptions<'a> {
        let (cluster, keys) = (&self.cluster, &self.keys);
        let base = BaseReference::Absent("for a test");
        let verify = VerifyOptions { cluster, keys, base, node: Some(node) };
        ApplyOptions { verify, node, root: None, grow: false, time: BUILT, cancel: &NEVER }
    }

    pub fn try_build(&self, out: &str, format: ImageFormat) -> Result<Vec<String>, String> {
        let options = BuildOptions {
            inputs: self.inputs(),
            nodes: self.cluster.nodes.iter().collect(),
            card_size: 64 * MIB,
            out: &self.temp.path().join(out),
            format,
            raw_sums: false,
            update: false,
        };
        let built = build(&options, &(), &Cancel::new());
        built.map(|built| texts(&built.notes)).map_err(|error| plain_text::with_causes(&error))
    }

    pub fn build(&self, out: &str, format: ImageFormat) -> Vec<String> {
        self.try_build(out, format).unwrap_or_else(|error| panic!("{error}"))
    }

    pub fn image(&self, out: &str, node: &str) -> PathBuf {
        self.temp.path().join(format!("{out}/{node}.img"))
    }

    pub fn card(&self, image: &Path) -> Card {
        let storage = Arc::new(FileStorage::open(image).unwrap());
        Card::from_storage("card".into(), storage, None).unwrap()
    }

    pub fn findings(&self, image: &Path, node: usize) -> Vec<String> {
        let options = VerifyOptions {
            cluster: &self.cluster,
            keys: &self.keys,
            base: BaseReference::Absent("for a test"),
            node: self.cluster.nodes.get(node),
        };
        let cards = vec![("card".to_owned(), Ok(self.card(image)))];
        let report = card_audit::verify(&options, cards);
        let [CardOutcome::Audited(report)] = report.cards.as_slice() else { panic!("refused") };
        let found = report.findings.iter().filter(|f| f.severity > card_audit::Severity::Note);
        found
            .map(|f| format!("{} {} {}", f.code.as_str(), f.path.as_deref().unwrap_or(""), f.fix))
            .collect()
    }
}

/// Two nodes with files on the partition, which is mounted at MOUNT.
pub const NODES: &str = "nodes:\n  - {name: n1, address: 192.168.1.81, files: [{path: MOUNT/node.txt, \
                     content: \"one\\n\"}]}\n  - {name: n2, address: 192.168.1.82, files: [{path: \
                     MOUNT/node.txt, content: \"two\\n\"}]}\nfiles:\n  - {path: \
                     MOUNT/overlays/a long name.dtbo, content: \"shared\\n\"}\n  - {path: \
                     MOUNT/CONFIG.TXT, content: \"arm_64bit=0\\n\"}\n";
