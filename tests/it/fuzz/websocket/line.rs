//! The stream below a WebSocket, in memory and with both its ends in one hand.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Clones are the same stream.
#[derive(Clone)]
pub(super) struct Line(Rc<RefCell<Ends>>);

struct Ends {
    /// Sent by the client and not read yet.
    coming: VecDeque<u8>,
    ended: bool,
    cuts: Cuts,
    /// Most that a reader had room for.
    read_bytes_max: usize,
    told: Vec<u8>,
    /// Bytes that the client still takes.
    room: usize,
    flushed: usize,
    shut: bool,
}

/// How many bytes go over the line at a time.
#[derive(Clone, Copy)]
pub(super) enum Cuts {
    None,
    EachByte,
    /// A few or many, and now and then none at the first try.
    Seeded(u32),
}

impl Cuts {
    fn next(&mut self) -> usize {
        match self {
            Self::None => usize::MAX,
            Self::EachByte => 1,
            Self::Seeded(seed) => {
                *seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                usize::try_from(*seed >> 24).unwrap_or_default() >> (*seed >> 8 & 7)
            }
        }
    }
}

impl Line {
    /// Open, empty, without cuts and with all the room in the world.
    pub(super) fn new() -> Self {
        Self(Rc::new(RefCell::new(Ends {
            coming: VecDeque::new(),
            ended: false,
            cuts: Cuts::None,
            read_bytes_max: 0,
            told: Vec::new(),
            room: usize::MAX,
            flushed: 0,
            shut: false,
        })))
    }

    // ---- as the client

    pub(super) fn send(&self, bytes: &[u8]) {
        self.0.borrow_mut().coming.extend(bytes);
    }

    /// Nothing more is sent.
    pub(super) fn end(&self) {
        self.0.borrow_mut().ended = true;
    }

    pub(super) fn cut(&self, cuts: Cuts) {
        self.0.borrow_mut().cuts = cuts;
    }

    /// Takes so many bytes more, and no others.
    pub(super) fn set_room(&self, bytes: usize) {
        self.0.borrow_mut().room = bytes;
    }

    pub(super) fn told(&self) -> Vec<u8> {
        self.0.borrow().told.clone()
    }

    pub(super) fn told_bytes(&self) -> usize {
        self.0.borrow().told.len()
    }

    pub(super) fn forget_told(&self) {
        let mut ends = self.0.borrow_mut();
        (ends.told, ends.flushed) = (Vec::new(), 0);
    }

    // ---- what became of it

    /// Whether all that was sent was read.
    pub(super) fn is_read(&self) -> bool {
        self.0.borrow().coming.is_empty()
    }

    pub(super) fn is_shut(&self) -> bool {
        self.0.borrow().shut
    }

    pub(super) fn is_flushed(&self) -> bool {
        let ends = self.0.borrow();
        ends.flushed == ends.told.len()
    }

    pub(super) fn read_bytes_max(&self) -> usize {
        self.0.borrow().read_bytes_max
    }
}

impl AsyncRead for Line {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut ends = self.0.borrow_mut();
        ends.read_bytes_max = ends.read_bytes_max.max(buffer.remaining());
        if ends.coming.is_empty() {
            return if ends.ended { Poll::Ready(Ok(())) } else { Poll::Pending };
        }
        let count = ends.cuts.next().min(ends.coming.len()).min(buffer.remaining());
        if count == 0 {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let count = count.min(ends.coming.as_slices().0.len());
        buffer.put_slice(&ends.coming.as_slices().0[..count]);
        ends.coming.drain(..count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Line {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut ends = self.0.borrow_mut();
        assert!(!ends.shut && slices.iter().any(|slice| !slice.is_empty()));
        if ends.room == 0 {
            return Poll::Pending;
        }
        let most = ends.cuts.next().min(ends.room);
        if most == 0 {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let mut left = most;
        for slice in slices {
            let count = left.min(slice.len());
            ends.told.extend_from_slice(&slice[..count]);
            left -= count;
        }
        ends.room -= most - left;
        Poll::Ready(Ok(most - left))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut ends = self.0.borrow_mut();
        ends.flushed = ends.told.len();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.borrow_mut().shut = true;
        Poll::Ready(Ok(()))
    }
}
