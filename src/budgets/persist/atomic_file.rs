//! A file that is replaced whole: whoever reads it sees the old one or the new one, never half.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// How many symbolic links in a row are followed, as many as Linux does.
const LINKS_MAX: usize = 40;

/// Writes `text` to a new file beside `path` and renames it to `path`; missing folders are made.
///
/// The new file has one name per target, and its writers lock it: what a killed process left is
/// cleared by the next one, so nothing piles up.
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
        // Still locked: nobody else is writing it.
        let _ = fs::remove_file(&new_path);
    }
    done?;
    // The rename itself lasts once the folder is written; not every system can do that.
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
    Ok(())
}

fn write(mut new: &File, text: &str, present: Option<fs::Permissions>) -> io::Result<()> {
    // A file that is there keeps its permissions, also on the way; a new one has the umask's.
    if let Some(permissions) = present {
        new.set_permissions(permissions)?;
    }
    new.write_all(text.as_bytes())?;
    new.sync_all()
}

/// Where the links lead, also where nothing is there yet.
fn followed(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..LINKS_MAX {
        let Ok(next) = fs::read_link(&path) else { return Ok(path) };
        path = path.parent().map_or_else(|| next.clone(), |folder| folder.join(&next));
    }
    Err(io::ErrorKind::InvalidInput.into())
}

/// A file of that path that was not there before, locked.
fn created(path: &Path, private: bool) -> io::Result<File> {
    loop {
        match options(private).create_new(true).open(path) {
            Ok(file) => {
                file.lock()?;
                // Between the two another writer may have taken it for one that was left.
                if is_at(&file, path) {
                    return Ok(file);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => clear(path)?,
            Err(error) => return Err(error),
        }
    }
}

/// Removes what a killed process left, once no living one holds its lock.
fn clear(path: &Path) -> io::Result<()> {
    let gone = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
    match options(true).open(path) {
        Ok(file) => {
            file.lock()?;
            if !is_at(&file, path) {
                return Ok(());
            }
        }
        Err(error) if gone(&error) => return Ok(()),
        // A link, or another user's: not a file that is being written here.
        Err(_) => {}
    }
    fs::remove_file(path).or_else(|error| if gone(&error) { Ok(()) } else { Err(error) })
}

/// To write; never through a link, and where `private` for the owner alone.
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
