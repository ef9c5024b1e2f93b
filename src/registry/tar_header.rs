//! The headers of tars that all programs read alike. The format grew in four directions, and where they meet, one
//! program unpacks another file than the next one reads: all of that is refused, whatever entry it stands in.

use std::io::Read;

use tar::{Entry, EntryType, GnuHeader, Header, UstarHeader};

use super::tar_layout::TarError;
use crate::limits;

/// What pax records may say of an entry beside its name: who made it and when, and its extended attributes.
const KEYWORDS: [&[u8]; 9] =
    [b"comment", b"hdrcharset", b"mtime", b"atime", b"ctime", b"uid", b"gid", b"uname", b"gname"];
/// The same, by what the keywords of GNU tar, star and bsdtar begin with.
const PREFIXES: [&[u8]; 9] = [
    b"RHT.security.selinux",
    b"SCHILY.xattr.",
    b"SCHILY.acl.",
    b"SCHILY.dev",
    b"SCHILY.ino",
    b"SCHILY.nlink",
    b"SCHILY.fflags",
    b"LIBARCHIVE.xattr.",
    b"LIBARCHIVE.creationtime",
];
/// Where a GNU header's own fields end that an entry of any type may have.
const GNU_TIMES_END: usize = 369;

/// What stands in front of an entry and says more of it.
#[derive(Debug, Default)]
pub(super) struct ExtendedHeader {
    /// The entry's name, in place of that in its own header.
    pub(super) name: Option<Vec<u8>>,
}

/// One statement of a pax header.
struct Record<'a> {
    keyword: &'a [u8],
    value: &'a [u8],
}

/// Shows that a header has one reading: its form, its name and its size.
pub(super) fn check(header: &Header) -> Result<(), TarError> {
    let is_plain = match (header.as_ustar(), header.as_gnu()) {
        (Some(header), _) => is_plain_ustar(header),
        (_, Some(gnu)) => is_plain_gnu(header, gnu),
        (None, None) => false,
    };
    if is_plain && is_size(&header.as_old().size) {
        return Ok(());
    }
    Err(TarError::Header(String::from_utf8_lossy(&header.path_bytes()).into_owned()))
}

impl ExtendedHeader {
    /// Reads an entry that is such a header: `None` where it is none. A global one is about all entries, and may hold
    /// no more than a comment: it is read, and is nothing.
    pub(super) fn read<R: Read>(entry: &mut Entry<'_, R>) -> Result<Option<Self>, TarError> {
        match entry.header().entry_type() {
            EntryType::XHeader => {
                let mut extended = Self::default();
                for record in records(&bytes(entry)?)? {
                    extended.take(&record)?;
                }
                Ok(Some(extended))
            }
            EntryType::GNULongName => {
                let mut name = bytes(entry)?;
                let end = name.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
                name.truncate(end);
                Ok(Some(Self { name: Some(checked_name(name)?) }))
            }
            _ => Ok(None),
        }
    }

    fn take(&mut self, record: &Record<'_>) -> Result<(), TarError> {
        match record.keyword {
            b"path" if self.name.is_some() => Err(TarError::SecondName),
            b"path" => {
                self.name = Some(checked_name(record.value.to_vec())?);
                Ok(())
            }
            b"size" => Err(TarError::ExtendedSize),
            keyword if KEYWORDS.contains(&keyword) => Ok(()),
            keyword if PREFIXES.iter().any(|prefix| keyword.starts_with(prefix)) => Ok(()),
            _ => Err(record.unread()),
        }
    }
}

/// Passes over a header for all entries behind it, as `git archive` writes one with a comment.
pub(super) fn read_global<R: Read>(entry: &mut Entry<'_, R>) -> Result<(), TarError> {
    match records(&bytes(entry)?)?.iter().find(|record| record.keyword != b"comment") {
        None => Ok(()),
        Some(record) => Err(record.unread()),
    }
}

/// Some programs take the entry's own name where this one is empty, and cut it where it holds a NUL.
fn checked_name(name: Vec<u8>) -> Result<Vec<u8>, TarError> {
    if name.is_empty() || name.contains(&0) {
        return Err(TarError::ExtendedName(String::from_utf8_lossy(&name).into_owned()));
    }
    Ok(name)
}

/// All bytes of an extended header.
fn bytes<R: Read>(entry: &mut Entry<'_, R>) -> Result<Vec<u8>, TarError> {
    let size = entry.size();
    if usize::try_from(size).map_or(true, |size| size > limits::TAR_HEADER_BYTES) {
        return Err(TarError::LargeHeader { size });
    }
    let mut bytes = Vec::new();
    entry.read_to_end(&mut bytes)?;
    let actual = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    if actual != size {
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        return Err(TarError::Truncated { name, expected: size, actual });
    }
    Ok(bytes)
}

/// The records of a pax header, `LENGTH KEYWORD=VALUE\n` each (POSIX.1-2008, pax, "Extended Header").
fn records(mut bytes: &[u8]) -> Result<Vec<Record<'_>>, TarError> {
    let mut records = Vec::new();
    while !bytes.is_empty() {
        let (record, rest) = Record::split(bytes).ok_or(TarError::Record)?;
        records.push(record);
        bytes = rest;
    }
    Ok(records)
}

impl<'a> Record<'a> {
    /// The first record, and what stands behind it.
    fn split(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let digits = bytes.iter().position(|byte| *byte == b' ')?;
        let length = bytes.get(..digits).filter(|text| text.iter().all(u8::is_ascii_digit))?;
        let length = std::str::from_utf8(length).ok()?.parse().ok()?;
        let (record, rest) = bytes.split_at_checked(length)?;
        let record = record.get(digits + 1..)?.strip_suffix(b"\n")?;
        let equals = record.iter().position(|byte| *byte == b'=')?;
        let (keyword, value) = (record.get(..equals)?, record.get(equals + 1..)?);
        Some((Self { keyword, value }, rest))
    }

    fn unread(&self) -> TarError {
        TarError::Keyword(String::from_utf8_lossy(self.keyword).into_owned())
    }
}

/// Its prefix is one text, and star's fields, which make it shorter, are not there.
fn is_plain_ustar(header: &UstarHeader) -> bool {
    let mut behind = header.prefix.iter().skip_while(|byte| **byte != 0);
    behind.all(|byte| *byte == 0) && header.pad == [0; 12]
}

/// No part of it is read as the prefix of a name, and nothing says that the file has holes.
fn is_plain_gnu(header: &Header, gnu: &GnuHeader) -> bool {
    let is_time = |field: &[u8]| field.iter().all(|byte| *byte == 0) || is_octal(field);
    let rest = header.as_bytes().iter().skip(GNU_TIMES_END);
    is_time(&gnu.atime) && is_time(&gnu.ctime) && rest.copied().all(|byte| byte == 0)
}

/// Octal digits; over 8 GiB in GNU's binary form, of as many bytes as every program reads.
fn is_size(field: &[u8; 12]) -> bool {
    matches!(field, [0x80, 0, 0, 0, 0..=0x7f, ..]) || is_octal(field)
}

fn is_octal(field: &[u8]) -> bool {
    let digits = field.iter().take_while(|byte| (b'0'..=b'7').contains(*byte)).count();
    digits > 0 && field.iter().skip(digits).all(|byte| matches!(byte, 0 | b' '))
}
