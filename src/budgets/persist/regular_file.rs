//! What is read and replaced: regular files alone. To read a named pipe would block, and to replace
//! a device could break the system.

use std::fs::{self, FileType, Metadata, OpenOptions};
use std::io::{self, Read};
use std::path::Path;

/// The text of the regular file at `path`, or behind the links there.
pub(super) fn read(path: &Path) -> io::Result<String> {
    // Before it is opened: even that can do something to a device.
    check(&fs::metadata(path)?)?;
    let mut file = options().open(path)?;
    // What was opened may be another than what was there before.
    check(&file.metadata()?)?;
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    Ok(text)
}

/// Fails if something is at `path`, or behind the links there, that is no regular file.
pub(super) fn check_if_present(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(metadata) => check(&metadata),
        Err(_) => Ok(()),
    }
}

fn check(metadata: &Metadata) -> io::Result<()> {
    if metadata.is_file() {
        return Ok(());
    }
    let message = format!("it is {}, and must be a regular file", name(metadata.file_type()));
    Err(io::Error::new(io::ErrorKind::InvalidInput, message))
}

fn name(kind: FileType) -> &'static str {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        if kind.is_fifo() {
            return "a named pipe";
        }
        if kind.is_socket() {
            return "a socket";
        }
        if kind.is_char_device() || kind.is_block_device() {
            return "a device";
        }
    }
    if kind.is_dir() { "a folder" } else { "something else" }
}

/// Opens for reading, without waiting for a writer.
fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        use std::os::unix::fs::OpenOptionsExt;
        let flags = OFlags::NONBLOCK.union(OFlags::NOCTTY).bits();
        options.custom_flags(flags.cast_signed());
    }
    options
}
