//! What a session's recording says, for tests of kinds.

use std::sync::Arc;

use sallyport_grant::body::OpenRemoteSession;

use crate::remote::recording::{Recorder, Recordings};

/// A folder that sessions are recorded into.
pub struct Tape {
    folder: tempfile::TempDir,
    recordings: Arc<Recordings>,
}

impl Tape {
    pub fn begin() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let disk = sallyport_os::PrivateDir::hold(folder.path()).expect("it is held");
        let recordings = Arc::new(Recordings::open(Arc::new(disk), Arc::new(tokio::sync::Notify::new())));
        Self { folder, recordings }
    }

    pub fn recorder(&self, session: &OpenRemoteSession) -> Recorder {
        self.recordings.begin(session.session)
    }

    /// All that lies there.
    pub fn text(&self) -> String {
        let names = std::fs::read_dir(self.folder.path()).expect("the folder").flatten();
        names.filter_map(|entry| std::fs::read_to_string(entry.path()).ok()).collect()
    }

    /// The lines of a recording without pictures.
    pub fn lines(&self) -> Vec<serde_json::Value> {
        self.text().lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }
}
