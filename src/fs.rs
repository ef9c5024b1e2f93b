//! Files: reads that are bounded, writes that are whole or not there.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

use crate::crypto;

/// What went wrong with a file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// The operating system refused.
    #[error("file {path} cannot be {verb}")]
    Io {
        /// The file.
        path: PathBuf,
        /// `read`, `written`, `copied`, `renamed` or `removed`.
        verb: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A pipe, a device or a folder.
    #[error("file {0} is not a regular file")]
    NotRegular(PathBuf),
    /// More bytes than such a file may have.
    #[error("file {path} is over the limit of {limit} bytes")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The limit.
        limit: usize,
    },
}

impl FileError {
    /// Whether the file is not there.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }

    /// Whether there is a file already where there should be none.
    #[must_use]
    pub fn is_already_there(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::AlreadyExists)
    }

    fn io(path: &Path, verb: &'static str) -> impl Fn(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path: path.clone(), verb, source }
    }
}

/// Reads a file of at most `limit` bytes.
///
/// # Errors
/// [`FileError`].
pub fn read_bounded(path: &Path, limit: usize) -> Result<Vec<u8>, FileError> {
    let file = File::open(path).map_err(FileError::io(path, "read"))?;
    let one_more = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    // In one read, and not in as many as a vector takes to grow.
    let size = file.metadata().map_or(0, |metadata| metadata.len()).min(one_more);
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(limit).saturating_add(1));
    file.take(one_more).read_to_end(&mut bytes).map_err(FileError::io(path, "read"))?;
    if bytes.len() > limit {
        return Err(FileError::TooLarge { path: path.to_owned(), limit });
    }
    Ok(bytes)
}

/// Reads a regular file of at most `limit` bytes. Anything else is refused: to open a pipe that nobody
/// writes to takes forever, and no deadline ends that.
///
/// # Errors
/// [`FileError`].
pub fn read_regular(path: &Path, limit: usize) -> Result<Vec<u8>, FileError> {
    if !fs::metadata(path).map_err(FileError::io(path, "read"))?.is_file() {
        return Err(FileError::NotRegular(path.to_owned()));
    }
    read_bounded(path, limit)
}

/// Reads a file of at most `limit` bytes that is a secret: no copy of it stays in memory.
///
/// # Errors
/// [`FileError`].
pub fn read_secret(path: &Path, limit: usize) -> Result<Zeroizing<Vec<u8>>, FileError> {
    let mut file = File::open(path).map_err(FileError::io(path, "read"))?;
    let size = file.metadata().map_or(0, |metadata| metadata.len());
    let size = usize::try_from(size).unwrap_or(limit).min(limit);
    let mut bytes = read_with_room(&mut file, &[], size).map_err(FileError::io(path, "read"))?;
    if bytes.len() > size && size < limit {
        // A pipe has no size, and a file may grow.
        bytes = read_with_room(&mut file, &bytes, limit).map_err(FileError::io(path, "read"))?;
    }
    match bytes.len() > limit {
        true => Err(FileError::TooLarge { path: path.to_owned(), limit }),
        false => Ok(bytes),
    }
}

/// Reads behind `begun` up to one byte more than `limit`. There is room for all of it from the start: a vector that grows
/// leaves its old bytes behind.
fn read_with_room(file: &mut File, begun: &[u8], limit: usize) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(limit.saturating_add(2)));
    bytes.extend_from_slice(begun);
    let room = limit.saturating_add(1).saturating_sub(begun.len());
    file.take(u64::try_from(room).unwrap_or(u64::MAX)).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Writes a file beside its final place and renames it there, so that a reader sees the old file or the
/// new one. Missing folders are made. `mode` holds on Unix.
///
/// # Errors
/// [`FileError::Io`]; nothing is left behind then.
pub fn write_atomic(path: &Path, bytes: &[u8], mode: u32) -> Result<(), FileError> {
    write_atomic_with(path, mode, |file| file.write_all(bytes))
}

/// Writes a file as [`write_atomic`] does, with what `fill` puts into it.
///
/// # Errors
/// [`FileError::Io`]; nothing is left behind then.
pub fn write_atomic_with(
    path: &Path,
    mode: u32,
    fill: impl FnOnce(&mut File) -> io::Result<()>,
) -> Result<(), FileError> {
    replace(path, mode, "written", fill)
}

/// Writes a file as [`write_atomic`] does, but only where there is none.
///
/// # Errors
/// [`FileError::Io`], for which [`FileError::is_already_there`] tells whether there is one.
pub fn write_new(path: &Path, bytes: &[u8], mode: u32) -> Result<(), FileError> {
    let error = FileError::io(path, "written");
    create_parent(path).map_err(&error)?;
    // Whoever makes the name first has it. Not every file system has links, or a rename that replaces
    // nothing.
    create(path, mode).map_err(&error)?;
    write_atomic(path, bytes, mode).inspect_err(|_| {
        // What failed is told already.
        let _ = fs::remove_file(path);
    })
}

/// Adds to the end of a file, which is made where there is none, and returns once that is on the disk. `mode` holds on
/// Unix.
///
/// # Errors
/// [`FileError::Io`].
pub fn append(path: &Path, bytes: &[u8], mode: u32) -> Result<(), FileError> {
    let error = FileError::io(path, "written");
    let mut file = open_to_append(path, mode).map_err(&error)?;
    file.write_all(bytes).and_then(|()| file.sync_data()).map_err(error)
}

/// Renames a file or a folder.
///
/// # Errors
/// [`FileError::Io`].
pub fn rename(from: &Path, to: &Path) -> Result<(), FileError> {
    fs::rename(from, to).map_err(FileError::io(from, "renamed"))
}

/// Gives a temporary file of the same file system its name and its mode, once its bytes are on the disk.
///
/// # Errors
/// [`FileError::Io`].
pub fn adopt(temporary: &Path, path: &Path, mode: u32) -> Result<(), FileError> {
    let error = FileError::io(path, "written");
    let file = File::open(temporary).map_err(&error)?;
    set_mode(&file, mode).map_err(&error)?;
    file.sync_all().map_err(&error)?;
    fs::rename(temporary, path).map_err(error)
}

/// Copies a file as [`write_atomic`] writes one.
///
/// # Errors
/// [`FileError::Io`].
pub fn copy_atomic(from: &Path, to: &Path, mode: u32) -> Result<(), FileError> {
    let mut source = File::open(from).map_err(FileError::io(from, "read"))?;
    replace(to, mode, "copied", |file| io::copy(&mut source, file).map(drop))
}

/// Removes a file; one that is not there is no error.
///
/// # Errors
/// [`FileError::Io`].
pub fn remove_if_there(path: &Path) -> Result<(), FileError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(FileError::io(path, "removed")(error))
        }
        _ => Ok(()),
    }
}

/// Removes a folder with all that it holds. It is renamed to `aside` first, so that a reader sees all of it
/// or nothing. Links in it are removed, and not followed.
///
/// # Errors
/// [`FileError::Io`]; the folder is whole then, unless the error is about `aside`.
pub fn remove_folder(path: &Path, aside: &Path) -> Result<(), FileError> {
    rename(path, aside)?;
    fs::remove_dir_all(aside).map_err(FileError::io(aside, "removed"))
}

/// Removes a folder that holds nothing. One that holds something stays, and is no error.
///
/// # Errors
/// [`FileError::Io`].
pub fn remove_if_empty(path: &Path) -> Result<(), FileError> {
    match fs::remove_dir(path) {
        Err(error) if error.kind() != io::ErrorKind::DirectoryNotEmpty => {
            Err(FileError::io(path, "removed")(error))
        }
        _ => Ok(()),
    }
}

/// Where a path leads: what is behind its links, also where there is nothing yet.
#[must_use]
pub fn followed(path: &Path) -> PathBuf {
    if let Ok(path) = fs::canonicalize(path) {
        return path;
    }
    match fs::read_link(path) {
        Ok(target) => path.with_file_name(target),
        Err(_) => path.to_owned(),
    }
}

/// Whether a folder holds nothing, or is not there.
///
/// # Errors
/// [`FileError::Io`], also where it is no folder.
pub fn is_empty_folder(path: &Path) -> Result<bool, FileError> {
    match fs::read_dir(path) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(FileError::io(path, "read")(error)),
    }
}

/// Makes a folder, with those above it.
///
/// # Errors
/// [`FileError::Io`].
pub fn create_folder(path: &Path) -> Result<(), FileError> {
    fs::create_dir_all(path).map_err(FileError::io(path, "written"))
}

/// A folder that no other process of this kind works in, until this is dropped or the process ends.
#[derive(Debug)]
pub struct FolderLock {
    #[cfg(unix)]
    _folder: File,
}

/// Locks a folder; `None`: somebody else has. Where folders cannot be locked, nobody ever has.
///
/// # Errors
/// [`FileError::Io`].
#[cfg(unix)]
pub fn lock_folder(path: &Path) -> Result<Option<FolderLock>, FileError> {
    let folder = File::open(path).map_err(FileError::io(path, "locked"))?;
    match folder.try_lock() {
        Ok(()) => Ok(Some(FolderLock { _folder: folder })),
        Err(fs::TryLockError::WouldBlock) => Ok(None),
        // Some network file systems lock no folders.
        Err(fs::TryLockError::Error(_)) => Ok(Some(FolderLock { _folder: folder })),
    }
}

/// Locks a folder, after whoever has it. Where folders cannot be locked, nobody ever has.
///
/// # Errors
/// [`FileError::Io`].
#[cfg(unix)]
pub fn lock_folder_in_turn(path: &Path) -> Result<FolderLock, FileError> {
    let folder = File::open(path).map_err(FileError::io(path, "locked"))?;
    // Some network file systems lock no folders.
    let _ = folder.lock();
    Ok(FolderLock { _folder: folder })
}

/// Locks a folder, after whoever has it. Where folders cannot be locked, nobody ever has.
///
/// # Errors
/// None here.
#[cfg(not(unix))]
pub fn lock_folder_in_turn(_path: &Path) -> Result<FolderLock, FileError> {
    Ok(FolderLock {})
}

/// Locks a folder; `None`: somebody else has. Where folders cannot be locked, nobody ever has.
///
/// # Errors
/// None here.
#[cfg(not(unix))]
pub fn lock_folder(_path: &Path) -> Result<Option<FolderLock>, FileError> {
    Ok(Some(FolderLock {}))
}

fn replace(
    path: &Path,
    mode: u32,
    verb: &'static str,
    fill: impl FnOnce(&mut File) -> io::Result<()>,
) -> Result<(), FileError> {
    let error = FileError::io(path, verb);
    create_parent(path).map_err(&error)?;
    // Not made of the file's own name, which may be as long as names may be.
    let random: [u8; 16] = crypto::random();
    let temporary = path.with_file_name(format!(".{}", crypto::hex(&random)));
    let written = create(&temporary, mode).and_then(|mut file| {
        fill(&mut file)?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    });
    if written.is_err() {
        // What failed is told; that its remains could not be removed as well is not news.
        let _ = fs::remove_file(&temporary);
    }
    written.map_err(error)
}

fn create_parent(path: &Path) -> io::Result<()> {
    match path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => fs::create_dir_all(folder),
        None => Ok(()),
    }
}

#[cfg(unix)]
fn set_mode(file: &File, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn set_mode(_file: &File, _mode: u32) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn open_to_append(path: &Path, mode: u32) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    fs::OpenOptions::new().append(true).create(true).mode(mode).open(path)
}

#[cfg(not(unix))]
fn open_to_append(path: &Path, _mode: u32) -> io::Result<File> {
    fs::OpenOptions::new().append(true).create(true).open(path)
}

#[cfg(unix)]
fn create(path: &Path, mode: u32) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(path)
}

#[cfg(not(unix))]
fn create(path: &Path, _mode: u32) -> io::Result<File> {
    fs::OpenOptions::new().write(true).create_new(true).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_takes_no_more_room_than_it_has_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        fs::write(&path, b"12345678").unwrap();
        let secret = read_secret(&path, 1 << 20).unwrap();
        assert_eq!(secret.as_slice(), b"12345678");
        assert!(secret.capacity() < 100);
        assert_eq!(read_secret(&path, 8).unwrap().len(), 8);
        assert!(matches!(read_secret(&path, 7), Err(FileError::TooLarge { limit: 7, .. })));
        // What has no size is read all the same.
        let sizeless = Path::new("/proc/self/cmdline");
        if sizeless.exists() {
            assert_eq!(
                read_secret(sizeless, 4096).unwrap().as_slice(),
                read_bounded(sizeless, 4096).unwrap()
            );
            assert!(matches!(read_secret(sizeless, 3), Err(FileError::TooLarge { limit: 3, .. })));
        }
    }

    #[test]
    fn a_file_over_its_limit_is_refused_and_one_at_its_limit_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b");
        write_atomic(&path, b"1234", 0o600).unwrap();
        assert_eq!(read_bounded(&path, 4).unwrap(), b"1234");
        let error = read_bounded(&path, 3).unwrap_err().to_string();
        assert!(error.ends_with("a/b is over the limit of 3 bytes"), "{error}");
        assert!(read_bounded(&folder.path().join("c"), 3).unwrap_err().is_not_found());
    }

    #[test]
    fn a_write_that_fails_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        write_atomic(&path, b"old", 0o600).unwrap();
        let full = |_: &mut File| Err(io::Error::from(io::ErrorKind::StorageFull));
        assert!(replace(&path, 0o600, "written", full).is_err());
        assert_eq!(read_bounded(&path, 10).unwrap(), b"old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_new_file_replaces_none_and_leaves_none_where_it_cannot_be_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/file");
        write_new(&path, b"first", 0o600).unwrap();
        assert!(write_new(&path, b"second", 0o600).unwrap_err().is_already_there());
        assert_eq!(read_bounded(&path, 10).unwrap(), b"first");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        // As long as a name may be, and longer.
        let long = |length| folder.path().join("n".repeat(length));
        write_new(&long(255), b"", 0o600).unwrap();
        assert!(!write_new(&long(256), b"", 0o600).unwrap_err().is_already_there());
        assert!(!long(256).exists());
    }

    #[test]
    fn a_folder_that_cannot_be_put_aside_is_not_removed_and_one_that_can_is_gone_whole() {
        let folder = tempfile::tempdir().unwrap();
        let (path, aside) = (folder.path().join("store"), folder.path().join("aside"));
        write_atomic(&path.join("a/b"), b"", 0o600).unwrap();
        write_atomic(&aside.join("other"), b"", 0o600).unwrap();
        assert!(remove_folder(&path, &aside).is_err());
        assert!(path.join("a/b").exists() && aside.join("other").exists());
        remove_folder(&path, &folder.path().join("free")).unwrap();
        assert!(!path.exists() && !folder.path().join("free").exists());
    }

    #[test]
    fn a_folder_is_removed_as_empty_only_where_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/file");
        write_atomic(&path, b"", 0o600).unwrap();
        remove_if_empty(path.parent().unwrap()).unwrap();
        assert!(path.exists());
        remove_if_there(&path).unwrap();
        remove_if_empty(path.parent().unwrap()).unwrap();
        assert!(!path.parent().unwrap().exists());
        assert!(remove_if_empty(&path).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn a_file_has_the_mode_that_was_asked_for() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        write_atomic(&path, b"", 0o600).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
