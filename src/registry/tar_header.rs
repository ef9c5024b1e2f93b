//! The headers of tars that all programs read alike. The format grew in four directions, and where they meet, one
//! program unpacks another file than the next one reads: all of that is refused, whatever entry it stands in.

use std::{io::Read, ops::Range};

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
/// Fields that the first tars did not have; GNU tar writes the numbers of devices there too.
const MAGIC_TO_GNAME: Range<usize> = 257..329;
const DEVMAJOR: Range<usize> = 329..337;
const DEVMINOR: Range<usize> = 337..345;
const PREFIX_AND_PAD: Range<usize> = 345..512;
/// What stands behind the times in a GNU header: an entry of any type that is read here has nothing there.
const BEHIND_GNU_TIMES: Range<usize> = 369..512;

/// How compressed files begin, and what the program is called that reads them.
const COMPRESSED: [(&[u8], &str); 12] = [
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ", "xz"),
    (b"\x5d\0\0", "lzma"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\x1f\x9d", "compress"),
    (b"\x1f\xa0", "compress"),
    (b"\x04\x22\x4d\x18", "lz4"),
    (b"\x02\x21\x4c\x18", "lz4"),
    (b"LZIP", "lzip"),
    (b"\x89LZO", "lzop"),
    (b"PK", "zip"),
];

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

/// Shows that a tar does not begin as a compressed file does: the name of the first entry can be such a beginning, and
/// some programs then decompress another tar out of what follows.
pub(super) fn check_start(start: &[u8]) -> Result<(), TarError> {
    let known = COMPRESSED.iter().find(|(magic, _)| start.starts_with(magic));
    match (known, start) {
        (Some((_, program)), _) => Err(TarError::Compressed(program)),
        // Frames that are skipped, with another one behind them.
        (None, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..]) => Err(TarError::Compressed("zstd")),
        (None, _) => Ok(()),
    }
}

/// Shows that a header has one reading: its form, its name and its numbers.
pub(super) fn check(header: &Header) -> Result<(), TarError> {
    let old = header.as_old();
    let fields = [
        ("name", is_text(&old.name)),
        ("mode", is_number(&old.mode)),
        ("uid", is_number(&old.uid)),
        ("gid", is_number(&old.gid)),
        ("size", is_size(&old.size)),
        ("mtime", is_time(&old.mtime)),
        ("chksum", is_octal(&old.cksum)),
        ("magic", has_known_form(header)),
        ("devmajor", is_number(bytes_at(header, DEVMAJOR))),
        ("devminor", is_number(bytes_at(header, DEVMINOR))),
        ("prefix", has_plain_prefix(header)),
    ];
    match fields.into_iter().find(|(_, has_one_reading)| !has_one_reading) {
        None => Ok(()),
        Some((field, _)) => {
            let name = String::from_utf8_lossy(&header.path_bytes()).into_owned();
            Err(TarError::Header { name, field })
        }
    }
}

/// The first tars had no type for folders, but a slash at the end of their names.
pub(super) fn is_v7_folder(header: &Header) -> bool {
    let old = header.as_old();
    let mut name = old.name.iter().rev().skip_while(|byte| **byte == 0);
    old.linkflag == [0] && name.next() == Some(&b'/')
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

/// ustar's, GNU's, or that of the first tars, where nothing stands in the fields that came later.
fn has_known_form(header: &Header) -> bool {
    let is_extension = matches!(
        header.entry_type(),
        EntryType::XHeader
            | EntryType::XGlobalHeader
            | EntryType::GNULongName
            | EntryType::GNULongLink
    );
    let is_v7 = is_zero(bytes_at(header, MAGIC_TO_GNAME)) && !is_extension;
    header.as_ustar().is_some() || header.as_gnu().is_some() || is_v7
}

fn has_plain_prefix(header: &Header) -> bool {
    match (header.as_ustar(), header.as_gnu()) {
        (Some(ustar), _) => has_plain_ustar_prefix(ustar),
        (_, Some(gnu)) => has_no_prefix(header, gnu),
        (None, None) => is_zero(bytes_at(header, PREFIX_AND_PAD)),
    }
}

/// Its prefix is one text, and star's fields, which make it shorter, are not there.
fn has_plain_ustar_prefix(header: &UstarHeader) -> bool {
    is_text(&header.prefix) && is_zero(&header.pad)
}

/// No part of it is read as the prefix of a name, and nothing says that the file has holes.
fn has_no_prefix(header: &Header, gnu: &GnuHeader) -> bool {
    let behind = bytes_at(header, BEHIND_GNU_TIMES);
    is_time(&gnu.atime) && is_time(&gnu.ctime) && is_zero(behind)
}

fn bytes_at(header: &Header, place: Range<usize>) -> &[u8] {
    header.as_bytes().get(place).unwrap_or_default()
}

/// Nothing stands behind its end.
fn is_text(field: &[u8]) -> bool {
    field.iter().skip_while(|byte| **byte != 0).all(|byte| *byte == 0)
}

fn is_zero(field: &[u8]) -> bool {
    field.iter().all(|byte| *byte == 0)
}

/// Octal digits, or GNU's binary form, or nothing.
fn is_number(field: &[u8]) -> bool {
    matches!(field, [0x80, ..]) || is_zero(field) || is_octal(field)
}

/// A number, which is below zero before 1970.
fn is_time(field: &[u8]) -> bool {
    matches!(field, [0xff, ..]) || is_number(field)
}

/// Octal digits; over 8 GiB in GNU's binary form, of as many bytes as every program reads.
fn is_size(field: &[u8; 12]) -> bool {
    matches!(field, [0x80, 0, 0, 0, 0..=0x7f, ..]) || is_octal(field)
}

/// Spaces in front are no other number to any program; tabs and signs are to some.
fn is_octal(field: &[u8]) -> bool {
    let mut field = field.iter().copied().skip_while(|byte| *byte == b' ').peekable();
    let has_digits = field.peek().is_some_and(|byte| (b'0'..=b'7').contains(byte));
    has_digits
        && field
            .skip_while(|byte| (b'0'..=b'7').contains(byte))
            .all(|byte| matches!(byte, 0 | b' '))
}
