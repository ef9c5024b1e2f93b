//! Bodies: in memory where they are small, in files where they are blobs of images.

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, Write as _},
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::Upload;

/// Bytes that are sent at a time.
const PIECE: u64 = 64 * 1024;

/// Takes the body of an answer as it comes.
pub(super) trait Sink {
    /// Bytes so far.
    fn len(&self) -> usize;

    fn take(&mut self, piece: &[u8]) -> io::Result<()>;
}

/// In memory.
pub(super) struct Buffer<'a>(pub(super) &'a mut Vec<u8>);

impl Sink for Buffer<'_> {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn take(&mut self, piece: &[u8]) -> io::Result<()> {
        self.0.extend_from_slice(piece);
        Ok(())
    }
}

/// In a file.
pub(super) struct Spool<'a> {
    file: &'a File,
    len: usize,
}

impl<'a> Spool<'a> {
    /// Empties the file: an earlier try may have left something.
    pub(super) fn begin(mut file: &'a File) -> io::Result<Self> {
        file.set_len(0)?;
        file.rewind()?;
        Ok(Self { file, len: 0 })
    }
}

impl Sink for Spool<'_> {
    fn len(&self) -> usize {
        self.len
    }

    fn take(&mut self, piece: &[u8]) -> io::Result<()> {
        self.file.write_all(piece)?;
        self.len += piece.len();
        Ok(())
    }
}

/// A file on its way. It is read in small pieces by whoever carries it, for which no other thread is worth it.
pub(super) struct FileBody {
    file: File,
    left: u64,
}

impl FileBody {
    pub(super) fn open(upload: Upload<'_>) -> io::Result<Self> {
        Ok(Self { file: File::open(upload.path)?, left: upload.size })
    }
}

impl Body for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let mut piece = Vec::new();
        let read = (&self.file).take(self.left.min(PIECE)).read_to_end(&mut piece);
        Poll::Ready(Some(match read {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => {
                self.left = self.left.saturating_sub(u64::try_from(read).unwrap_or(u64::MAX));
                Ok(Frame::data(piece.into()))
            }
            Err(error) => Err(error),
        }))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
