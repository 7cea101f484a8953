//! Frames: one flag byte and a piece of a message.
//!
//! A message has one cut only: every piece but the last is [`PIECE_BYTES`] long, and the last is
//! not empty. So a message of a given length has a known number of frames, and a peer that sends
//! empty pieces for ever is refused at the first. Only the hello is never cut: [`whole`] and [`open_whole`].

/// Longest piece: a frame without its authentication tag and the flag.
pub const PIECE_BYTES: usize = sallyport_model::limits::CUT_FRAME_BYTES - TAG_BYTES - 1;

/// Authentication tag of ChaCha20-Poly1305.
pub(crate) const TAG_BYTES: usize = 16;

const LAST: u8 = 0;
const MORE: u8 = 1;

/// Why pieces do not make a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Neither "last" nor "more".
    #[error("the frame's flag is unknown")]
    UnknownFlag,
    /// No piece, or one that is not the last and not full.
    #[error("the frame's piece is too short")]
    ShortPiece,
    /// Longer than messages are cut.
    #[error("the frame's piece is too long")]
    LongPiece,
    /// The pieces together are longer than a message may be now.
    #[error("the message is longer than {0} bytes")]
    TooLong(usize),
}

impl FrameError {
    /// The stable code that logs and people search for.
    pub fn code(self) -> &'static str {
        match self {
            Self::UnknownFlag => "frame_unknown_flag",
            Self::ShortPiece => "frame_short_piece",
            Self::LongPiece => "frame_long_piece",
            Self::TooLong(_) => "frame_message_too_long",
        }
    }
}

/// The plaintexts of a message's frames, in order. An empty message has none.
pub(crate) fn cut(message: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    let frames = message.len().div_ceil(PIECE_BYTES);
    message.chunks(PIECE_BYTES).enumerate().map(move |(at, piece)| {
        let mut frame = Vec::with_capacity(1 + piece.len());
        frame.push(if at + 1 == frames { LAST } else { MORE });
        frame.extend_from_slice(piece);
        frame
    })
}

/// The plaintext of a message in one frame.
pub(crate) fn whole(message: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(1 + message.len());
    frame.push(LAST);
    frame.extend_from_slice(message);
    frame
}

/// The message of a frame that [`whole`] made.
pub(crate) fn open_whole(frame: &[u8], max_bytes: usize) -> Result<&[u8], FrameError> {
    match frame.split_first() {
        Some((_, message)) if message.len() > max_bytes => Err(FrameError::TooLong(max_bytes)),
        Some((&LAST, message)) if !message.is_empty() => Ok(message),
        Some((&MORE, message)) if !message.is_empty() => Err(FrameError::TooLong(max_bytes)),
        Some((_, message)) if !message.is_empty() => Err(FrameError::UnknownFlag),
        _ => Err(FrameError::ShortPiece),
    }
}

/// Puts pieces together; holds no memory between messages.
#[derive(Default)]
pub(crate) struct Reassembly {
    so_far: Vec<u8>,
}

impl Reassembly {
    /// Takes one frame's plaintext; yields the message with its last piece.
    pub(crate) fn add(&mut self, mut frame: Vec<u8>, max_bytes: usize) -> Result<Option<Vec<u8>>, FrameError> {
        let (flag, length) = match frame.split_first() {
            Some((flag, piece)) if !piece.is_empty() => (*flag, piece.len()),
            _ => return Err(FrameError::ShortPiece),
        };
        if length > PIECE_BYTES {
            return Err(FrameError::LongPiece);
        }
        if self.so_far.len() + length > max_bytes {
            return Err(FrameError::TooLong(max_bytes));
        }
        match flag {
            LAST if self.so_far.is_empty() => {
                frame.remove(0);
                Ok(Some(frame))
            }
            LAST => {
                self.keep(&frame[1..], max_bytes);
                Ok(Some(std::mem::take(&mut self.so_far)))
            }
            MORE if length == PIECE_BYTES => {
                self.keep(&frame[1..], max_bytes);
                Ok(None)
            }
            MORE => Err(FrameError::ShortPiece),
            _ => Err(FrameError::UnknownFlag),
        }
    }

    /// Doubles the memory when it is full, as a vector does, but never beyond the limit.
    fn keep(&mut self, piece: &[u8], max_bytes: usize) {
        let needed = self.so_far.len() + piece.len();
        if needed > self.so_far.capacity() {
            let wanted = (2 * self.so_far.capacity()).clamp(needed, max_bytes.max(needed));
            self.so_far.reserve_exact(wanted - self.so_far.len());
        }
        self.so_far.extend_from_slice(piece);
    }

    /// What is allocated right now.
    #[cfg(test)]
    pub(crate) fn held_bytes(&self) -> usize {
        self.so_far.capacity()
    }
}
