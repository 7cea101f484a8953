//! One zlib stream of a connection: what was sent before helps to pack what comes next.

use flate2::{Compress, Compression, FlushCompress, Status};

/// A stream that is flushed after each piece, so that the client can unpack it at once.
pub(crate) struct Zlib(Compress);

impl Default for Zlib {
    fn default() -> Self {
        Self(Compress::new(Compression::new(LEVEL), true))
    }
}

/// Screens are flat and repeat themselves: more effort costs much and saves little.
const LEVEL: u32 = 2;

impl Zlib {
    /// Packs `plain` and appends it.
    pub(crate) fn pack(&mut self, mut plain: &[u8], out: &mut Vec<u8>) {
        loop {
            out.reserve(plain.len() / 2 + 256);
            let before = self.0.total_in();
            let status = self.0.compress_vec(plain, out, FlushCompress::Sync);
            plain = &plain[(self.0.total_in() - before) as usize..];
            // Room that is left over means that everything, the flush included, is out.
            if !matches!(status, Ok(Status::Ok)) || (plain.is_empty() && out.len() < out.capacity()) {
                return;
            }
        }
    }
}
