//! Tars of image layouts that have two readings: a program that unpacks them gets another index than the one that was
//! verified, and so another artifact. Beside them those that tools really write, which are all read.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use notation_sdk::{
    oci::{Descriptor, Manifest},
    registry::layout::ImageLayout,
};
use proptest::{
    prelude::{Just, Strategy, prop_assert_eq, prop_oneof, proptest},
    test_runner::TestCaseError,
};
use serde_json::Value;
use tar::EntryType;
use tempfile::TempDir;

use crate::{
    layouts::{Scene, TAG, accepted, append, file, size_of, tar_refusal, text},
    support::{command::Run, component::Component},
};

/// How compressed files begin.
const MAGICS: [(&[u8], &str); 15] = [
    (b"\x1f\x8b\x08\x04\0\0\0\0\0\0\xf4\x01", "gzip"),
    (b"\x1f\x8b", "gzip"),
    (b"BZh91AY&SY", "bzip2"),
    (b"\xfd7zXZ\0", "xz"),
    (b"\x5d\0\0\x80\0", "lzma"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\x50\x2a\x4d\x18\xf8\x01\0\0", "zstd"),
    (b"\x5f\x2a\x4d\x18\xf8\x01\0\0", "zstd"),
    (b"\x1f\x9d\x90", "compress"),
    (b"\x1f\xa0", "compress"),
    (b"\x04\x22\x4d\x18", "lz4"),
    (b"\x02\x21\x4c\x18", "lz4"),
    (b"LZIP\x01", "lzip"),
    (b"\x89LZO\0\r\n\x1a\n", "lzop"),
    (b"PK\x03\x04", "zip"),
];

/// Names that become `index.json` with bsdtar or on Windows, and one of control characters.
const NAMES_OF_THE_INDEX: [&str; 15] = [
    "\\index.json",
    "C:index.json",
    "C:/index.json",
    "c:\\index.json",
    ".\\index.json",
    "\\\\?\\index.json",
    "foo\\..\\index.json",
    "index.json\\",
    "index.json.",
    "index.json ",
    "index.json. ./foo",
    "index.json::$DATA",
    "INDEX~1.JSO",
    "index.json\r",
    "index\u{200c}.json",
];

type Tar = tar::Builder<Vec<u8>>;

impl Scene {
    /// The index with another artifact under the tag.
    fn evil_index(&self) -> Vec<u8> {
        let layer = self.layout.push_blob("text/plain", b"evil").unwrap();
        let manifest = serde_json::to_vec(&Manifest::artifact("test/evil", layer)).unwrap();
        let manifest = self.layout.push_blob("x", &manifest).unwrap();
        let path = self.folder.path().join("index.json");
        let mut index: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        index["manifests"][0]["digest"] = serde_json::to_value(&manifest.digest).unwrap();
        index["manifests"][0]["size"] = manifest.size.into();
        index.to_string().into_bytes()
    }
}

/// A pax record, with its length.
fn record(keyword: &str, value: &str) -> String {
    let rest = keyword.len() + value.len() + 3;
    let mut length = rest;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    format!("{length} {keyword}={value}\n")
}

fn pax(tar: &mut Tar, kind: EntryType, records: &str) {
    append(tar, b"pax", kind, size_of(records.as_bytes()), records.as_bytes());
}

fn long_name(tar: &mut Tar, name: &[u8]) {
    append(tar, b"././@LongLink", EntryType::GNULongName, size_of(name), name);
}

/// An entry whose header some bytes are written into.
fn patched(tar: &mut Tar, name: &str, data: &[u8], patches: &[(usize, &[u8])]) {
    let mut header = tar::Header::new_ustar();
    header.set_path(name).unwrap();
    header.set_size(size_of(data));
    header.set_mode(0o644);
    header.set_mtime(0);
    for (at, bytes) in patches {
        header.as_mut_bytes()[*at..*at + bytes.len()].copy_from_slice(bytes);
    }
    header.set_cksum();
    let out = tar.get_mut();
    out.write_all(header.as_bytes()).unwrap();
    out.write_all(data).unwrap();
    out.write_all(&vec![0; data.len().next_multiple_of(512) - data.len()]).unwrap();
}

/// Writes a checksum in a form of one's own, with at least five digits.
fn write_sum(field: &mut [u8], form: &str) {
    let digits = std::str::from_utf8(field).unwrap().trim_matches(['\0', ' ', '0']).to_owned();
    let sum = form.replace("{}", &format!("{digits:0>5}"));
    let written = sum.len().min(field.len());
    field.fill(0);
    field[..written].copy_from_slice(&sum.as_bytes()[..written]);
}

/// An entry whose checksum is written in a form of one's own.
fn summed(tar: &mut Tar, data: &[u8], form: &str) {
    let start = tar.get_ref().len();
    file(tar, "README", data);
    write_sum(&mut tar.get_mut()[start + 148..start + 156], form);
}

/// A whole entry, as the data of another.
fn hidden(data: &[u8]) -> Vec<u8> {
    let mut tar = Tar::new(Vec::new());
    file(&mut tar, "index.json", data);
    tar.get_ref().clone()
}

#[test]
fn a_tar_that_another_program_unpacks_differently_is_refused() {
    let scene = Scene::new();
    scene.sign();
    let evil = scene.evil_index();
    let hidden = hidden(&evil);
    type Change<'a> = Box<dyn Fn(&mut Tar) + 'a>;
    let of_kind = |kind: EntryType| -> Change<'_> {
        let hidden = &hidden;
        Box::new(move |tar| append(tar, b"zz", kind, size_of(hidden), hidden))
    };
    let in_header = |patches: &'static [(usize, &'static [u8])]| -> Change<'_> {
        let evil = &evil;
        Box::new(move |tar| patched(tar, "foo", evil, patches))
    };
    let named = |records: String| -> Change<'_> {
        let evil = &evil;
        Box::new(move |tar| {
            pax(tar, EntryType::XHeader, &records);
            file(tar, "foo", evil);
        })
    };
    let evil = &evil;
    let no_file = "\"zz\" is neither a regular file nor a folder";
    let sum = |form: &'static str| -> Change<'_> {
        let hidden = &hidden;
        Box::new(move |tar| summed(tar, hidden, form))
    };
    let second = "more than one extended header before an entry";
    let cases: [(&str, Change<'_>); 54] = [
        // Data behind a header that has none for others: they read it as the next entry.
        (no_file, of_kind(EntryType::Directory)),
        (no_file, of_kind(EntryType::Fifo)),
        (no_file, of_kind(EntryType::Symlink)),
        (no_file, of_kind(EntryType::Link)),
        (no_file, of_kind(EntryType::Char)),
        (no_file, of_kind(EntryType::Continuous)),
        (no_file, of_kind(EntryType::GNUSparse)),
        (no_file, of_kind(EntryType::new(b'Z'))),
        // What is unpacked through a link.
        (
            "\"foo\" is neither a regular file nor a folder",
            Box::new(|tar| {
                let mut link = tar::Header::new_gnu();
                link.set_entry_type(EntryType::Symlink);
                link.set_size(0);
                tar.append_link(&mut link, "foo", ".").unwrap();
                file(tar, "foo/index.json", evil);
            }),
        ),
        // A folder by its own name, and a file by that in front of it.
        (
            "\"README\" is neither a regular file nor a folder",
            Box::new(|tar| {
                pax(tar, EntryType::XHeader, &record("path", "README"));
                patched(tar, "foo/", &hidden, &[(156, b"\0")]);
            }),
        ),
        // Names of which one program takes this one, and another one that.
        ("with \"GNU.sparse.name\"", named(record("GNU.sparse.name", "index.json"))),
        ("with \"SCHILY.realsize\"", named(record("SCHILY.realsize", "1"))),
        ("with the name \"\"", named(record("path", ""))),
        ("with the name \"index.json\\0zz\"", named(record("path", "index.json\0zz"))),
        (second, named(record("path", "index.json") + &record("path", "bar"))),
        ("whose records are malformed", named("99 path=index.json\n".to_owned())),
        ("whose records are malformed", named("0 path=index.json\n".to_owned())),
        ("whose records are malformed", named("path=index.json\n".to_owned())),
        (
            "with \"path\"",
            Box::new(|tar| {
                pax(tar, EntryType::XGlobalHeader, &record("path", "index.json"));
                file(tar, "foo", evil);
            }),
        ),
        (
            second,
            Box::new(|tar| {
                pax(tar, EntryType::XHeader, &record("path", "index.json"));
                long_name(tar, b"bar\0");
                file(tar, "foo", evil);
            }),
        ),
        (
            second,
            Box::new(|tar| {
                long_name(tar, b"index.json\0");
                pax(tar, EntryType::XHeader, &record("mtime", "1"));
                file(tar, "foo", evil);
            }),
        ),
        (
            second,
            Box::new(|tar| {
                pax(tar, EntryType::XHeader, &record("path", "index.json"));
                pax(tar, EntryType::XGlobalHeader, &record("comment", "1"));
                file(tar, "foo", evil);
            }),
        ),
        (
            "with the name \"bar\\0index.json\"",
            Box::new(|tar| {
                long_name(tar, b"bar\0index.json\0");
                file(tar, "foo", evil);
            }),
        ),
        (
            "with the name \"\"",
            Box::new(|tar| {
                long_name(tar, b"\0");
                file(tar, "foo", evil);
            }),
        ),
        (
            "\"././@LongLink\" is neither a regular file nor a folder",
            Box::new(|tar| append(tar, b"././@LongLink", EntryType::GNULongLink, 2, b"x\0")),
        ),
        // Headers of forms that were never written down, or of two forms at once.
        ("field magic that", in_header(&[(257, b"ustar\x0012")])),
        ("field magic that", in_header(&[(257, b"\0\0\0\0\0\0\0\0x")])),
        ("field magic that", in_header(&[(257, b"\0\0\0\0\0\0\0\0"), (156, b"x")])),
        ("field prefix that", in_header(&[(257, b"\0\0\0\0\0\0\0\0"), (345, b"x")])),
        ("field prefix that", in_header(&[(257, b"ustar  \0"), (345, b"x\0")])),
        ("field prefix that", in_header(&[(257, b"ustar  \0"), (482, b"\x01")])),
        ("field prefix that", in_header(&[(345, b"x\0y")])),
        ("field prefix that", in_header(&[(508, b"tar\0")])),
        ("field name that", in_header(&[(0, b"foo\0x")])),
        // Numbers that are none to some.
        ("field size that", in_header(&[(124, b"\x80\0\0\x01\0\0\0\0\0\0\0\0")])),
        ("field size that", in_header(&[(124, b"\x30\x300\0\x31\x31\0\0\0\0\0\0")])),
        ("field mode that", in_header(&[(100, b"\t00644\0")])),
        ("field uid that", in_header(&[(108, b"zzzzzzz\0")])),
        ("field gid that", in_header(&[(116, b"+000001\0")])),
        ("field gid that", in_header(&[(116, &[0xff; 8])])),
        ("field mtime that", in_header(&[(136, b"-1\0")])),
        ("field devmajor that", in_header(&[(329, b"0x10\0")])),
        ("field devminor that", in_header(&[(337, b"       \0")])),
        // Entries whose data are entries to whom the checksum is none.
        ("field chksum that", sum("\t{}\0 ")),
        ("field chksum that", sum("+{}\0 ")),
        ("field chksum that", sum("\u{b}{}\0 ")),
        ("field chksum that", sum("\u{a0}{}\0")),
        ("field chksum that", sum("\u{85}{}\0")),
        ("field chksum that", sum("{}\0zz")),
        // Names that are the same one to a file system.
        (
            "\"Index.JSON\" differs from a name of image layouts in case only",
            Box::new(|tar| file(tar, "Index.JSON", evil)),
        ),
        (
            "differs from a name of image layouts in case only",
            Box::new(|tar| file(tar, "blob\u{17f}/sha256/00", evil)),
        ),
        // A folder that replaces a file, and a file in place of a folder.
        (
            "\"index.json\" is there twice",
            Box::new(|tar| append(tar, b"index.json", EntryType::Directory, 0, b"")),
        ),
        ("\"blobs\" is there twice", Box::new(|tar| file(tar, "blobs", b""))),
        ("\"index.json\" is there twice", Box::new(|tar| file(tar, "index.json/foo", evil))),
    ];
    for (expected, change) in cases {
        let told = tar_refusal(&scene, change);
        assert!(told.contains(expected), "{expected}: {told}");
    }
}

#[test]
fn a_tar_that_begins_as_a_compressed_file_is_refused() {
    let scene = Scene::new();
    scene.sign();
    let evil = scene.evil_index();
    for (magic, program) in MAGICS {
        let told = tar_refusal(&scene, |tar| patched(tar, "x", &evil, &[(0, magic)]));
        assert!(told.ends_with(&format!("tar is compressed with {program}")), "{told}");
        // Where no program looks for it.
        let mut tar = Tar::new(Vec::new());
        file(&mut tar, "README", magic);
        tar.append_dir_all(".", scene.folder.path()).unwrap();
        let bytes = tar.into_inner().unwrap();
        accepted(scene.verify_in(&ImageLayout::from_tar("stdin", bytes.as_slice()).unwrap()));
    }
}

#[test]
fn a_name_that_a_program_or_a_file_system_takes_for_another_is_refused() {
    let scene = Scene::new();
    scene.sign();
    let evil = scene.evil_index();
    for name in NAMES_OF_THE_INDEX {
        let long = tar_refusal(&scene, |tar| {
            pax(tar, EntryType::XHeader, &record("path", name));
            file(tar, "foo", &evil);
        });
        let told = tar_refusal(&scene, |tar| file(tar, name, &evil));
        assert_eq!(told, long);
        let expected = format!("tar entry {name:?} has a name that not every system reads alike");
        assert!(told.ends_with(&expected), "{told}");
    }
}

#[test]
fn spaces_in_front_of_a_number_are_read() {
    let scene = Scene::new();
    scene.sign();
    let bytes = scene.tar(|tar| {
        patched(tar, "foo", b"content", &[(100, b"   644\0 "), (124, b"          7\0")]);
        summed(tar, b"content", " {} \0");
    });
    accepted(scene.verify_in(&ImageLayout::from_tar("stdin", bytes.as_slice()).unwrap()));
}

#[test]
fn a_tar_has_nothing_behind_its_end_and_no_header_of_nothing() {
    let scene = Scene::new();
    scene.sign();
    let evil = hidden(&scene.evil_index());
    let whole = scene.tar(|_| ());
    let end_with = |kind, records: &str| {
        let mut tar = Tar::new(whole[..whole.len() - 1024].to_vec());
        pax(&mut tar, kind, records);
        tar.into_inner().unwrap()
    };
    let no_entry = end_with(EntryType::XHeader, &record("mtime", "1"));
    let no_entries = end_with(EntryType::XGlobalHeader, &record("comment", "1"));
    let end = &whole[..whole.len() - 1024];
    for (bytes, expected) in [
        ([end, &[0; 512], &evil].concat(), "tar has data behind its end"),
        ([end, &[0; 1024], &evil].concat(), "tar has data behind its end"),
        (no_entry, "tar has an extended header with no entry behind it"),
        (no_entries, "tar has an extended header with no entry behind it"),
    ] {
        let path = scene.folder.path().with_extension("tar");
        fs::write(&path, &bytes).unwrap();
        let opened = text(&ImageLayout::open(&path).unwrap_err());
        fs::remove_file(&path).unwrap();
        let piped = text(&ImageLayout::from_tar("stdin", bytes.as_slice()).unwrap_err());
        assert!(opened.ends_with(expected) && piped.ends_with(expected), "{opened} {piped}");
    }
    let padded = [end, &[0; 20 * 512]].concat();
    accepted(scene.verify_in(&ImageLayout::from_tar("stdin", padded.as_slice()).unwrap()));
}

#[test]
fn what_tools_write_is_read() {
    let scene = Scene::new();
    scene.sign();
    let out = TempDir::new().unwrap();
    let archive = out.path().join("layout.tar");
    let read = |what: &str| {
        let layout = ImageLayout::open(&archive).unwrap_or_else(|e| panic!("{what}: {}", text(&e)));
        let piped = ImageLayout::from_tar("stdin", fs::File::open(&archive).unwrap()).unwrap();
        assert_eq!(piped.resolve(TAG).unwrap(), layout.resolve(TAG).unwrap());
        assert_eq!(layout.resolve(TAG).unwrap().digest, scene.artifact.digest);
        fs::remove_file(&archive).unwrap();
        layout
    };
    let tar = |options: &[&str]| {
        let run = Run::new("tar").args(options).arg("-cf").arg(&archive).arg("-C");
        run.arg(scene.folder.path()).arg(".").finish().expect_status(0);
        accepted(scene.verify_in(&read(&options.join(" "))));
    };
    let python = Component::Python.or_skip();
    let tarfile = |form: &str| {
        let Some(python) = &python else { return };
        let script = "import sys, tarfile\n\
            with tarfile.open(sys.argv[1], 'w', format=getattr(tarfile, sys.argv[3])) as t: t.add(sys.argv[2], '.')";
        let run = Run::new(python).args(["-c", script]).arg(&archive);
        run.arg(scene.folder.path()).arg(form).finish().expect_status(0);
        accepted(scene.verify_in(&read(form)));
    };
    let bsdtar = Component::Bsdtar.or_skip();
    let libarchive = |form: &str| {
        let Some(bsdtar) = &bsdtar else { return };
        let run = Run::new(bsdtar).args(["--format", form, "-cf"]).arg(&archive).arg("-C");
        run.arg(scene.folder.path()).arg(".").finish().expect_status(0);
        accepted(scene.verify_in(&read(form)));
    };
    if let Some(skopeo) = Component::Skopeo.or_skip() {
        let (from, to) = (scene.folder.path().display(), archive.display());
        let names = [format!("oci:{from}:{TAG}"), format!("oci-archive:{to}:{TAG}")];
        let run = Run::new(skopeo).args(["copy", "--insecure-policy"]).args(names);
        run.env("HOME", out.path()).env("TMPDIR", out.path()).finish().expect_status(0);
        read("skopeo");
    }
    tar(&["--format=v7"]);
    libarchive("v7");
    libarchive("ustar");
    tar(&["--format=ustar"]);
    tarfile("USTAR_FORMAT");
    // A name that fits into no header.
    let long = scene.folder.path().join("blobs/sha512");
    fs::create_dir_all(&long).unwrap();
    fs::write(long.join("0".repeat(128)), b"{}").unwrap();
    tar(&["--format=gnu"]);
    tar(&["--format=oldgnu"]);
    tar(&["--format=posix"]);
    tar(&["--format=posix", "--xattrs", "--pax-option=comment=some"]);
    tar(&["--format=posix", "--pax-option=globexthdr.name=g,comment=some"]);
    tar(&["--format=gnu", "--blocking-factor=128"]);
    libarchive("gnutar");
    libarchive("pax");
    tarfile("GNU_FORMAT");
    tarfile("PAX_FORMAT");
}

/// An entry of a random tar.
#[derive(Debug, Clone)]
struct Piece {
    name: &'static str,
    kind: u8,
    /// Offsets and bytes that are written into the header.
    patch: Option<(usize, &'static [u8])>,
    /// A form of the checksum that is not the usual one.
    sum: Option<&'static str>,
    data: Data,
    /// Whether it stands in front of the layout's own entries.
    first: bool,
}

#[derive(Debug, Clone)]
enum Data {
    None,
    Evil,
    Entry,
    Text(String),
}

fn pieces() -> impl Strategy<Value = Vec<Piece>> {
    const NAMES: [&str; 24] = [
        "index.json",
        "./index.json",
        "index.json/",
        "INDEX.json",
        "oci-layout",
        "blobs",
        "blobs/",
        "blobs/sha256/x",
        "foo",
        "foo/index.json",
        "foo/",
        ".",
        "./",
        "x/./../index.json",
        "\\index.json",
        "C:index.json",
        "c:/index.json",
        "\\\\?\\index.json",
        "foo\\..\\index.json",
        "index.json ",
        "index.json.",
        "index.json\n",
        "._index.json",
        "GNUSparseFile.0/index.json",
    ];
    const SUMS: [&str; 9] = [
        "{}\0 ",
        " {} \0",
        "\t{}\0 ",
        "+{}\0 ",
        "\u{b}{}\0 ",
        "\u{a0}{}\0",
        "\u{85}{}\0",
        "{}\0zz",
        "\0{}\0 ",
    ];
    const PATCHES: [(usize, &[u8]); 30] = [
        (100, b"zzzzzzz\0"),
        (100, b"        "),
        (100, b"   644\0 "),
        (100, b"\x80\0\0\0\0\0\x01\xa4"),
        (108, b"+000001\0"),
        (116, b"\xff\xff\xff\xff\xff\xff\xff\xff"),
        (136, b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"),
        (136, b"-1\0"),
        (136, b"\t0000000001\0"),
        (124, b"          7\0"),
        (124, b"\t0000000007\0"),
        (124, b"000000000010"),
        (257, b"ustar\x0012"),
        (265, b"\xff\xfe"),
        (329, b"0x10\0"),
        (337, b"7777777\0"),
        (508, b"tar\0"),
        (0, b"foo\0index.json"),
        (0, b"\x1f\x8b\x08\x04\0\0\0\0\0\0\xf4\x01"),
        (0, b"\x50\x2a\x4d\x18\xf8\x01\0\0"),
        (257, b"ustar  \0"),
        (257, b"\0\0\0\0\0\0\0\0"),
        (345, b"foo"),
        (345, b"blobs/sha256"),
        (124, b"00000000000\0"),
        (124, b"00000001000\0"),
        (124, b"\x80\0\0\0\0\0\0\0\0\0\0\0"),
        (482, b"\x01"),
        (483, b"00000000007\0"),
        (157, b"index.json"),
    ];
    let kind = prop_oneof![
        4 => Just(b'0'), 1 => Just(0), 1 => Just(b'1'), 1 => Just(b'2'), 2 => Just(b'5'), 1 => Just(b'6'),
        1 => Just(b'7'), 3 => Just(b'x'), 1 => Just(b'g'), 3 => Just(b'L'), 1 => Just(b'K'), 1 => Just(b'S')
    ];
    let text = (proptest::sample::select(&NAMES[..]), 0..6_usize).prop_map(|(name, form)| {
        Data::Text(match form {
            0 => format!("{name}\0"),
            1 => record("path", name),
            2 => record("mtime", "1") + &record("path", name),
            3 => record("comment", &record("path", name)),
            4 => record("uname", name) + &record("GNU.sparse.name", name),
            _ => record("size", "0"),
        })
    });
    let data = prop_oneof![2 => Just(Data::None), 3 => Just(Data::Evil), 1 => Just(Data::Entry), 4 => text];
    let patch = prop_oneof![
        3 => Just(None), 2 => proptest::sample::select(&PATCHES[..]).prop_map(Some)
    ];
    let sum = prop_oneof![
        4 => Just(None), 1 => proptest::sample::select(&SUMS[..]).prop_map(Some)
    ];
    let name = proptest::sample::select(&NAMES[..]);
    let piece = (name, kind, patch, sum, data, proptest::bool::ANY).prop_map(
        |(name, kind, patch, sum, data, first)| Piece { name, kind, patch, sum, data, first },
    );
    proptest::collection::vec(piece, 1..4)
}

impl Piece {
    fn write(&self, tar: &mut Tar, evil: &[u8]) {
        let data = match &self.data {
            Data::None => Vec::new(),
            Data::Evil => evil.to_vec(),
            Data::Entry => hidden(evil),
            Data::Text(text) => text.clone().into_bytes(),
        };
        let mut name = [0; 100];
        name[..self.name.len()].copy_from_slice(self.name.as_bytes());
        let patches: [(usize, &[u8]); 2] = [(0, &name), (156, &[self.kind])];
        let patches: Vec<_> = patches.into_iter().chain(self.patch).collect();
        let start = tar.get_ref().len();
        patched(tar, "name", &data, &patches);
        if let Some(form) = self.sum {
            write_sum(&mut tar.get_mut()[start + 148..start + 156], form);
        }
    }
}

/// What a reader takes a layout for: its artifacts, each with its bytes.
fn reading(layout: &ImageLayout) -> Option<Vec<(Descriptor, Option<Vec<u8>>)>> {
    let artifacts = layout.artifacts().ok()?;
    Some(artifacts.into_iter().map(|found| (found.clone(), layout.read(&found).ok())).collect())
}

static BSDTAR: LazyLock<Option<PathBuf>> = LazyLock::new(|| Component::Bsdtar.or_skip());
static PYTHON: LazyLock<Option<PathBuf>> = LazyLock::new(|| Component::Python.or_skip());
static SKOPEO: LazyLock<Option<PathBuf>> = LazyLock::new(|| Component::Skopeo.or_skip());

/// The programs that unpack a tar, by name: `ARCHIVE -C FOLDER` is to follow.
fn unpackers() -> Vec<(&'static str, Run)> {
    let script = "import sys, tarfile\n\
        with tarfile.open(sys.argv[1]) as t: t.extractall(sys.argv[3])";
    let python = PYTHON.as_ref().map(|program| Run::new(program).args(["-c", script]));
    let bsdtar = BSDTAR.as_ref().map(|program| Run::new(program).arg("-xf"));
    let tar = Some(Run::new("tar").arg("-xf"));
    let programs = [("tar", tar), ("bsdtar", bsdtar), ("python", python)];
    programs.into_iter().filter_map(|(name, run)| Some((name, run?))).collect()
}

fn unpacked(name: &str, run: Run, archive: &Path) -> Result<ImageLayout, TestCaseError> {
    let folder = archive.with_file_name(name);
    fs::create_dir(&folder).unwrap();
    let finished = run.arg(archive).arg("-C").arg(&folder).finish();
    prop_assert_eq!(finished.status, Some(0), "{}: {}", name, finished.stderr);
    ImageLayout::open(&folder).map_err(|error| TestCaseError::fail(text(&error)))
}

/// The manifest that skopeo finds under the tag, where it finds one.
fn inspected(archive: &Path) -> Option<String> {
    let folder = archive.parent().unwrap();
    let run = Run::new(SKOPEO.as_ref()?).args(["inspect", "--raw"]);
    let run = run.arg(format!("oci-archive:{}:{TAG}", archive.display()));
    let finished = run.env("HOME", folder).env("TMPDIR", folder).finish();
    (finished.status == Some(0)).then_some(finished.stdout)
}

/// The manifest under the tag.
fn tagged(layout: &ImageLayout) -> Option<String> {
    String::from_utf8(layout.read(&layout.resolve(TAG).ok()?).ok()?).ok()
}

/// The entries of a layout, and another index for it.
static LAYOUT: LazyLock<(Vec<u8>, Vec<u8>)> = LazyLock::new(|| {
    let scene = Scene::new();
    let evil = scene.evil_index();
    let mut tar = scene.tar(|_| ());
    tar.truncate(tar.len() - 1024);
    (tar, evil)
});

proptest! {
    #[test]
    fn a_tar_that_is_read_unpacks_to_the_same_layout(pieces in pieces()) {
        let (layout, evil) = &*LAYOUT;
        let mut tar = Tar::new(Vec::new());
        pieces.iter().filter(|piece| piece.first).for_each(|piece| piece.write(&mut tar, evil));
        tar.get_mut().extend_from_slice(layout);
        pieces.iter().filter(|piece| !piece.first).for_each(|piece| piece.write(&mut tar, evil));
        let bytes = tar.into_inner().unwrap();
        if let Ok(read) = ImageLayout::from_tar("tar", bytes.as_slice()) {
            let out = TempDir::new().unwrap();
            let archive = out.path().join("layout.tar");
            fs::write(&archive, &bytes).unwrap();
            for (name, run) in unpackers() {
                prop_assert_eq!(reading(&read), reading(&unpacked(name, run, &archive)?), "{}", name);
            }
            if let Some(manifest) = inspected(&archive) {
                prop_assert_eq!(tagged(&read), Some(manifest));
            }
        }
    }
}
