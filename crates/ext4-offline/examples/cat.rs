//! Prints a file of an ext4 filesystem:
//!
//!     cargo run --example cat -- IMAGE[:BYTE] PATH
//!
//! IMAGE is an image or a device; BYTE is where the filesystem begins in it.

mod common;

use std::{error::Error, io};

use ext4_offline::Reader;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(image), Some(path)) = (arguments.next(), arguments.next()) else {
        return Err("usage: cat IMAGE[:BYTE] PATH".into());
    };
    let reader = Reader::open(common::open(&image)?)?;
    io::copy(&mut reader.open_file(path)?, &mut io::stdout().lock())?;
    Ok(())
}
