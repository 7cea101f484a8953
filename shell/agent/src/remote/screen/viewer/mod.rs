//! One attachment's viewer: a thread that waits for the client and the screen at once, and tells each what the other did.

mod pace;
mod scene;
mod talk;
mod update;

use std::ops::Deref;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::time::{Duration, Instant};

use sallyport_grant::body::Access;
use sallyport_os::{Sleeper, Waker, sleeper};

use super::encode::Encoder;
use super::find::NoScreen;
use super::rfb::client::{ClientError, ClientReader, Resizable};
use super::rfb::server;
use super::x11::{ALL, Display, ScreenError};
use pace::Pace;
pub(crate) use scene::Finder;
use scene::Scene;
use talk::Talk;
use update::Updates;

/// What one attachment may do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Powers {
    pub(crate) hands: Access,
    pub(crate) clipboard: Clipboard,
}

/// Whether text may be copied between the screen and whoever controls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clipboard {
    Both,
    Off,
}

/// Where a viewer's bytes go.
pub(crate) trait Sink: Send + 'static {
    /// Takes as many bytes as there is room for, without waiting. After less than all, [`Remote::room`] says when.
    fn offer(&mut self, bytes: &[u8]) -> Result<usize, End>;
    /// The displays changed, or another one is shown.
    fn displays(&mut self, displays: &[Display], shown: &str);
    /// How long changes are gathered at least before they are sent as one update.
    fn pause(&self) -> Duration {
        Duration::ZERO
    }
}

/// Why a viewer ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum End {
    /// The client left, or the session ends.
    #[error("the attachment ended")]
    Left,
    #[error("the attachment may only watch")]
    ViewOnly,
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    NoScreen(#[from] NoScreen),
    #[error(transparent)]
    Screen(#[from] ScreenError),
    #[error("the viewer could not be started: {0}")]
    Io(#[from] std::io::Error),
    /// What must be recorded could not be.
    #[error("the recording failed: {0}")]
    Recording(&'static str),
}

impl End {
    /// For the client; stable.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Left => "ended",
            Self::ViewOnly => "view_only",
            Self::Client(_) => "bad_request",
            Self::NoScreen(none) => none.code(),
            Self::Screen(_) | Self::Io(_) => "screen_lost",
            Self::Recording(code) => code,
        }
    }

    /// For people.
    pub(crate) fn sentence(&self) -> &'static str {
        match self {
            Self::Left => "",
            Self::ViewOnly => "This attachment may only watch.",
            Self::Client(_) => "The client sent something that is no message of the remote frame buffer protocol.",
            Self::NoScreen(none) => none.sentence(),
            Self::Screen(ScreenError::Depth | ScreenError::Lacks(_)) => "This display cannot be captured: it lacks what that takes.",
            Self::Screen(_) | Self::Io(_) => "The display was lost.",
            Self::Recording(_) => "The screen could not be recorded, and so it is not shown.",
        }
    }
}

/// Speaks to a viewer's thread. When the last one is dropped, the viewer ends.
pub(crate) struct Remote<B> {
    orders: Sender<Order<B>>,
    waker: Waker,
}

enum Order<B> {
    Bytes(B),
    Show(String),
    LetGo,
}

impl<B> Remote<B> {
    /// Bytes of the client, in order.
    pub(crate) fn bytes(&self, bytes: B) {
        self.order(Order::Bytes(bytes));
    }

    /// The client chose a display.
    pub(crate) fn show(&self, name: String) {
        self.order(Order::Show(name));
    }

    /// The client's link is interrupted: what it holds down is let go.
    pub(crate) fn let_go(&self) {
        self.order(Order::LetGo);
    }

    /// The sink has room again.
    pub(crate) fn room(&self) {
        self.waker.wake();
    }

    fn order(&self, order: Order<B>) {
        // A viewer that ended says so itself.
        let _ = self.orders.send(order);
        self.waker.wake();
    }
}

impl<B> Drop for Remote<B> {
    fn drop(&mut self) {
        // The channel must be closed before the thread looks.
        self.orders = channel().0;
        self.waker.wake();
    }
}

/// Starts a viewer on a thread of its own; `ended` is called there at the end.
pub(crate) fn start<S: Sink, B>(
    sink: S,
    powers: Powers,
    finder: Finder,
    ended: impl FnOnce(S, End) + Send + 'static,
) -> std::io::Result<Remote<B>>
where
    B: Deref<Target = [u8]> + Send + 'static,
{
    let (orders, inbox) = channel();
    let (sleeper, waker) = sleeper()?;
    let run = move || {
        let mut viewer = Viewer::new(sink, powers, finder, sleeper);
        let end = viewer.run(&inbox);
        ended(viewer.sink, end);
    };
    std::thread::Builder::new().name("viewer".to_owned()).spawn(run)?;
    Ok(Remote { orders, waker })
}

/// Everything about one client, apart from the screen, which may be lost and found again.
struct Viewer<S> {
    sink: S,
    powers: Powers,
    finder: Finder,
    sleeper: Sleeper,
    reader: ClientReader,
    encoder: Encoder,
    talk: Talk,
    updates: Updates,
    pace: Pace,
    /// Bytes that the sink did not take yet, from `gone` on.
    out: Vec<u8>,
    gone: usize,
}

/// Whether something was done, or what to wait for.
enum Turn {
    Did,
    Wait(Option<Duration>),
}

/// How long a screen is looked for after it was lost: a greeter takes a while.
const LOST_FOR: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(300);
/// More than this is not prepared for a client that does not take it.
const OUT_BYTES: usize = 2 * 1024 * 1024;

impl<S: Sink> Viewer<S> {
    fn new(sink: S, powers: Powers, finder: Finder, sleeper: Sleeper) -> Self {
        let mut out = Vec::new();
        server::greeting(&mut out);
        Self {
            sink,
            powers,
            finder,
            sleeper,
            reader: ClientReader::default(),
            encoder: Encoder::default(),
            talk: Talk::default(),
            updates: Updates::default(),
            pace: Pace::default(),
            out,
            gone: 0,
        }
    }

    fn run<B: Deref<Target = [u8]>>(&mut self, inbox: &Receiver<Order<B>>) -> End {
        let mut shown = ALL.to_owned();
        let mut scene = match (self.finder)().map_err(End::from).and_then(|seat| Ok(Scene::open(&seat, self.powers, &shown)?)) {
            Ok(scene) => scene,
            Err(end) => return end,
        };
        loop {
            match self.serve(&mut scene, inbox) {
                End::Screen(ScreenError::Gone) => {}
                end => return end,
            }
            shown.clone_from(&scene.shown);
            let size = scene.frame.size();
            scene = match self.find_again(&shown) {
                Ok(scene) => scene,
                Err(end) => return end,
            };
            if self.encoder.wanted.size == Resizable::No {
                scene.keep_size(size);
            }
        }
    }

    /// The server ended: somebody signed out or in. The client keeps its connection and gets another screen.
    fn find_again(&mut self, shown: &str) -> Result<Scene, End> {
        let until = Instant::now() + LOST_FOR;
        loop {
            std::thread::sleep(LOOK_EVERY);
            let found = (self.finder)().map_err(End::from).and_then(|seat| Ok(Scene::open(&seat, self.powers, shown)?));
            match found {
                Ok(scene) => {
                    self.updates.new_screen();
                    return Ok(scene);
                }
                Err(end) if Instant::now() >= until => return Err(end),
                // A client that left meanwhile is noticed when the next bytes are offered.
                Err(_) => {
                    self.sink.offer(&[])?;
                }
            }
        }
    }

    fn serve<B: Deref<Target = [u8]>>(&mut self, scene: &mut Scene, inbox: &Receiver<Order<B>>) -> End {
        if let Err(error) = scene.displays().map(|displays| self.sink.displays(&displays, &scene.shown)) {
            return error.into();
        }
        loop {
            let wait = match self.turn(scene, inbox) {
                Ok(Turn::Did) => continue,
                Ok(Turn::Wait(wait)) => wait,
                Err(end) => return end,
            };
            if let Err(error) = self.sleeper.wait(scene.link.descriptor(), wait) {
                return error.into();
            }
        }
    }

    /// One look at everything. What does something may have read events along with its replies, so only a look that found
    /// nothing to do is followed by waiting.
    fn turn<B: Deref<Target = [u8]>>(&mut self, scene: &mut Scene, inbox: &Receiver<Order<B>>) -> Result<Turn, End> {
        if let Some(order) = self.next_order(inbox)? {
            match order {
                Order::Bytes(bytes) => self.hear(scene, &bytes)?,
                Order::Show(name) => self.show(scene, &name)?,
                Order::LetGo => scene.let_go()?,
            }
            return Ok(Turn::Did);
        }
        let news = scene.news()?;
        if !news.is_empty() {
            news.into_iter().try_for_each(|told| self.tell(scene, told))?;
            return Ok(Turn::Did);
        }
        if self.gone < self.out.len() {
            return self.push_out();
        }
        self.produce(scene, Instant::now())
    }

    /// A client that asks without reading is not heard until it reads: its bytes count against it meanwhile.
    fn next_order<B>(&self, inbox: &Receiver<Order<B>>) -> Result<Option<Order<B>>, End> {
        if self.out.len() - self.gone + self.updates.kept() > OUT_BYTES {
            return Ok(None);
        }
        match inbox.try_recv() {
            Ok(order) => Ok(Some(order)),
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Err(End::Left),
        }
    }

    fn push_out(&mut self) -> Result<Turn, End> {
        let taken = self.sink.offer(&self.out[self.gone..])?;
        self.gone += taken;
        if self.gone == self.out.len() {
            self.out.clear();
            self.gone = 0;
            return Ok(Turn::Did);
        }
        Ok(if taken > 0 { Turn::Did } else { Turn::Wait(None) })
    }
}
