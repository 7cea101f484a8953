//! What a long-running process keeps from the system although it needs it no more.

/// Few heaps instead of eight for each core: what one thread freed, another can use. Before the first thread is started.
pub fn share_heaps(heaps: u8) {
    #[cfg(target_env = "gnu")]
    // SAFETY: sets one number of the allocator, which nothing else changes.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, i32::from(heaps));
    }
    #[cfg(not(target_env = "gnu"))]
    let _ = heaps;
}

/// Gives whole free pages back to the system. glibc does it only at a heap's end, where one small thing is enough to hold everything.
pub fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: has no preconditions and may be called from any thread.
    unsafe {
        libc::malloc_trim(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resident_kib() -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
        line.trim().split(' ').next().unwrap().parse().unwrap()
    }

    #[test]
    #[cfg(target_env = "gnu")]
    fn pages_between_small_things_go_back() {
        // Pieces below the size that gets a mapping of its own; every hundredth stays.
        let pieces: Vec<Vec<u8>> = (0..8_000).map(|_| vec![1; 8 * 1024]).collect();
        let full = resident_kib();
        let kept: Vec<_> = pieces.into_iter().step_by(100).collect();
        give_back();
        let left = resident_kib();
        assert!(left + 30_000 < full, "{full} KiB became {left} with {} pieces kept", kept.len());
    }
}
