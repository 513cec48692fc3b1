//! Random operations, most of which can succeed.

use crate::{
    common::Random,
    model::{Body, Model},
    op::{Data, Name, New, Op},
};

pub struct Draw {
    pub random: Random,
    /// Inodes that were in use before.
    pub gone: Vec<u32>,
    /// The largest number of bytes in one write.
    pub most: u64,
}

impl Draw {
    pub fn op(&mut self, model: &Model) -> Op {
        match self.random.below(100) {
            0..=14 => {
                let (dir, name) = (self.dir(model), self.new_name());
                Op::Create { dir, name, new: New::Regular, mode: self.mode() }
            }
            15..=20 => {
                let (dir, name) = (self.dir(model), self.new_name());
                Op::Create { dir, name, new: New::Directory, mode: self.mode() }
            }
            21..=25 => {
                let (dir, name) = (self.dir(model), self.new_name());
                let length = match self.random.below(12) {
                    0 => 0,
                    1 => model.limits.block_size,
                    2 => model.limits.block_size - 1,
                    3 => 59,
                    4 => 60,
                    _ => self.random.below(150) as usize + 1,
                };
                Op::Create {
                    dir,
                    name,
                    new: New::Symlink(b"target/".iter().copied().cycle().take(length).collect()),
                    mode: 0,
                }
            }
            26..=43 => {
                let inode = self.file(model);
                let size = match model.nodes.get(&inode).map(|node| &node.body) {
                    Some(Body::File(bytes)) => bytes.len() as u64,
                    _ => 0,
                };
                let offset = match self.random.below(8) {
                    0 | 1 => size,
                    2..=5 => self.random.below(size + 1),
                    6 => size + self.random.below(20_000),
                    _ => self.around(22),
                };
                Op::Write { inode, offset, data: self.data(self.most) }
            }
            44..=50 => Op::Replace { inode: self.file(model), data: self.data(self.most) },
            51..=57 => {
                let inode = self.file(model);
                let size = self.around(21);
                Op::Resize { inode, size }
            }
            58..=62 => {
                let (dir, name) = (self.dir(model), self.new_name());
                Op::Link { inode: self.any(model), dir, name }
            }
            63..=71 => {
                let (from, name) = self.entry(model);
                let (to, new_name) = match self.random.below(3) {
                    0 => self.entry(model),
                    1 => (from, self.new_name()),
                    _ => (self.dir(model), self.new_name()),
                };
                Op::Rename { from, name, to, new_name }
            }
            72..=78 => {
                let (dir, name) = self.entry(model);
                Op::Unlink { dir, name }
            }
            79..=81 => {
                let (dir, name) = self.entry_of(model, true);
                Op::Rmdir { dir, name }
            }
            82 => Op::SetMode { inode: self.any(model), mode: self.mode() },
            83 => {
                let (uid, gid) = (self.id(), self.id());
                Op::SetOwner { inode: self.any(model), uid, gid }
            }
            84 => {
                let seconds = *self.random.pick(&[0, -1, 1 << 31, 1 << 33, 1_700_000_000, 1 << 40]);
                Op::SetMtime { inode: self.any(model), seconds }
            }
            85..=95 => {
                let (inode, name) = (self.any(model), self.xattr_name());
                let most = match self.random.below(10) {
                    0..=5 => 60,
                    6..=8 => 600,
                    _ => model.limits.block_size as u64 + 100,
                };
                Op::SetXattr { inode, name, data: self.data(most) }
            }
            _ => {
                let inode = self.any(model);
                let names = model.nodes.get(&inode).map(|node| &node.xattrs);
                let name = match names.and_then(|xattrs| {
                    let names: Vec<_> = xattrs.keys().collect();
                    (!names.is_empty()).then(|| (*self.random.pick(&names)).clone())
                }) {
                    Some(name) => name,
                    None => self.xattr_name(),
                };
                Op::RemoveXattr { inode, name }
            }
        }
    }

    /// A number of up to `bits` bits, as often small as large.
    fn around(&mut self, bits: u64) -> u64 {
        let bits = self.random.below(bits);
        self.random.below(1 << bits)
    }

    fn mode(&mut self) -> u16 {
        self.random.below(0o10000) as u16
    }

    fn id(&mut self) -> u32 {
        *self.random.pick(&[0, 1000, 65_535, 65_536, 100_000, u32::MAX - 1])
    }

    fn data(&mut self, most: u64) -> Data {
        let length = match self.random.below(10) {
            0 => 0,
            1..=5 => self.random.below(most.min(3000)),
            6..=8 => self.random.below(most.min(20_000)),
            _ => self.random.below(most),
        };
        Data { seed: self.random.below(256) as u8, length: length as usize }
    }

    /// An inode, sometimes one that is not in use.
    fn any(&mut self, model: &Model) -> u32 {
        if self.random.below(40) == 0 && !self.gone.is_empty() {
            return *self.random.pick(&self.gone);
        }
        let inodes: Vec<_> = model.nodes.keys().collect();
        **self.random.pick(&inodes)
    }

    fn dir(&mut self, model: &Model) -> u32 {
        self.inode(model, |body| matches!(body, Body::Directory(_)))
    }

    fn file(&mut self, model: &Model) -> u32 {
        self.inode(model, |body| matches!(body, Body::File(_)))
    }

    /// An inode that is nearly always of this kind.
    fn inode(&mut self, model: &Model, wanted: impl Fn(&Body) -> bool) -> u32 {
        let fitting: Vec<u32> = model
            .nodes
            .iter()
            .filter(|(_, node)| wanted(&node.body))
            .map(|(inode, _)| *inode)
            .collect();
        if fitting.is_empty() || self.random.below(30) == 0 {
            self.any(model)
        } else {
            *self.random.pick(&fitting)
        }
    }

    /// A name, often one that exists.
    fn new_name(&mut self) -> Name {
        match self.random.below(60) {
            0 => Vec::new(),
            1 => b".".to_vec(),
            2 => b"..".to_vec(),
            3 => b"a/b".to_vec(),
            4 => vec![b'x'; 256],
            5 => vec![b'y'; 255],
            6 => b"a\0b".to_vec(),
            7 => "Gr\u{fc}\u{df}e".as_bytes().to_vec(),
            8 => b" two words".to_vec(),
            9..=20 => {
                let length = self.random.below(200) as usize + 1;
                let letter = b'a' + self.random.below(26) as u8;
                vec![letter; length]
            }
            _ => format!("n{}", self.random.below(40)).into_bytes(),
        }
    }

    /// A name in a directory, nearly always one that exists.
    fn entry(&mut self, model: &Model) -> (u32, Name) {
        let only_dirs = self.random.below(3) == 0;
        self.entry_of(model, only_dirs)
    }

    fn entry_of(&mut self, model: &Model, only_dirs: bool) -> (u32, Name) {
        for _ in 0..8 {
            let dir = self.dir(model);
            let Some(names) = model.names(dir) else { continue };
            let fitting: Vec<&Name> = names
                .iter()
                .filter(|(_, inode)| !only_dirs || model.names(**inode).is_some())
                .map(|(name, _)| name)
                .collect();
            if !fitting.is_empty() && self.random.below(20) > 0 {
                return (dir, (*self.random.pick(&fitting)).clone());
            }
        }
        (self.dir(model), self.new_name())
    }

    fn xattr_name(&mut self) -> String {
        let prefix = *self.random.pick(&["user.", "user.", "trusted.", "security."]);
        match self.random.below(40) {
            0 => prefix.to_owned(),
            1 => "nothing.known".to_owned(),
            2 => format!("{prefix}{}", "z".repeat(256 - prefix.len())),
            3 => format!("{prefix}{}", "z".repeat(255 - prefix.len())),
            4 => "system.data".to_owned(),
            _ => format!("{prefix}a{}", "bcdef".repeat(self.random.below(6) as usize)),
        }
    }
}
