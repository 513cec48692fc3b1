//! Copies a file of this computer into an ext4 filesystem that is not mounted:
//!
//!     cargo run --example edit -- IMAGE[:BYTE] FILE PATH
//!
//! Missing directories are created. The journal is replayed first, as mounting would do it.

mod common;

use std::{error::Error, fs, time::SystemTime};

use ext4_offline::{Editor, Timestamp};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(image), Some(file), Some(path)) =
        (arguments.next(), arguments.next(), arguments.next())
    else {
        return Err("usage: edit IMAGE[:BYTE] FILE PATH".into());
    };
    let contents = fs::read(file)?;
    let now = Timestamp::try_from(SystemTime::now())?;
    let mut editor = Editor::open(common::open_writable(&image)?, now)?;
    if let Some((directory, _)) = path.rsplit_once('/') {
        editor.create_dir_all(directory)?;
    }
    editor.write(&path, contents)?;
    editor.finish()?;
    Ok(())
}
