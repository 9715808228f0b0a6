//! Replaces a file completely: a reader sees the old file or the new one, never a half-written one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The most symbolic links in a row that are followed: as many as Linux follows.
const LINKS_MAX: usize = 40;

/// Writes `text` to a new file beside `path`, renames it to `path`, and creates missing folders.
///
/// The new file has one name per target, and its writers lock it. The next writer removes what a
/// killed process left, so nothing piles up.
pub(super) fn replace(path: &Path, text: &str) -> io::Result<()> {
    let target = followed(path)?;
    let name = target.file_name().ok_or(io::ErrorKind::IsADirectory)?;
    let folder = match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    fs::create_dir_all(folder)?;
    let mut new_name = std::ffi::OsString::from(".");
    new_name.push(name);
    new_name.push(".tmp");
    let new_path = folder.join(new_name);
    let present = fs::metadata(&target).map(|metadata| metadata.permissions()).ok();
    let new = created(&new_path, present.is_some())?;
    let done = write(&new, text, present).and_then(|()| fs::rename(&new_path, &target));
    if done.is_err() {
        // Still locked: no other writer uses it.
        let _ = fs::remove_file(&new_path);
    }
    done?;
    // The rename is durable once the folder is written. Not every system can do that.
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
    Ok(())
}

fn write(mut new: &File, text: &str, present: Option<fs::Permissions>) -> io::Result<()> {
    // An existing file keeps its permissions, also during the replacement. A new one gets those of
    // the umask.
    if let Some(permissions) = present {
        new.set_permissions(permissions)?;
    }
    new.write_all(text.as_bytes())?;
    new.sync_all()
}

/// The target of the links, even if no file is there yet.
fn followed(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..LINKS_MAX {
        let Ok(next) = fs::read_link(&path) else { return Ok(path) };
        path = path.parent().map_or_else(|| next.clone(), |folder| folder.join(&next));
    }
    Err(io::ErrorKind::InvalidInput.into())
}

/// A new file at that path, locked.
fn created(path: &Path, private: bool) -> io::Result<File> {
    loop {
        match options(private).create_new(true).open(path) {
            Ok(file) => {
                file.lock()?;
                // Another writer may have removed it as a leftover in between.
                if is_at(&file, path) {
                    return Ok(file);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => clear(path)?,
            Err(error) => return Err(error),
        }
    }
}

/// Removes the file of a killed process, once no living process holds its lock.
fn clear(path: &Path) -> io::Result<()> {
    let gone = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
    // Writers of this crate leave regular files. A link is removed: its target is not touched.
    if fs::symlink_metadata(path).is_ok_and(|there| !there.is_file() && !there.is_symlink()) {
        let message = format!("{} is in the way, and no regular file", path.display());
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, message));
    }
    match options(true).open(path) {
        Ok(file) => {
            file.lock()?;
            if !is_at(&file, path) {
                return Ok(());
            }
        }
        Err(error) if gone(&error) => return Ok(()),
        // A link, or a file of another user: no writer of this crate made it.
        Err(_) => {}
    }
    fs::remove_file(path).or_else(|error| if gone(&error) { Ok(()) } else { Err(error) })
}

/// Opens a file for writing, never through a link. If `private`, for the owner alone.
fn options(private: bool) -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        use std::os::unix::fs::OpenOptionsExt;
        let flags = OFlags::NOFOLLOW.union(OFlags::NONBLOCK).bits();
        options.custom_flags(flags.cast_signed());
        options.mode(if private { 0o600 } else { 0o666 });
    }
    #[cfg(not(unix))]
    let _ = private;
    options
}

#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let same = |a: &fs::Metadata, b: &fs::Metadata| (a.dev(), a.ino()) == (b.dev(), b.ino());
    let there = fs::symlink_metadata(path);
    matches!((file.metadata(), there), (Ok(a), Ok(b)) if same(&a, &b))
}

#[cfg(not(unix))]
fn is_at(_: &File, path: &Path) -> bool {
    path.exists()
}
