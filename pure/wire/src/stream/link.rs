//! One end of a stream, over any number of connections.

use sallyport_grant::Hex;
use sallyport_grant::keys::{SigningKey, VerifyKey};
use sallyport_model::limits;

use super::frame::{Receiving, Sending};
use super::keys::{Side, StreamKeys};
use super::message::Plain;
use super::resume::{self, Resumed, Resuming};
use super::{Payload, SendError, StreamError, StreamSecret, Terms};

/// One end of a stream. Never blocks, and holds a bounded amount of memory whatever the other end does.
///
/// Call [`StreamEnd::next_message`] until it yields nothing after each other call. Times are milliseconds of any
/// clock that does not go back. After an error everything fails with it: the stream is over.
pub struct StreamEnd {
    half: Half,
    keyed: Option<Keyed>,
    phase: Phase,
    /// The answer and the resume of the connection that begins.
    opening: Vec<Vec<u8>>,
    over: Option<StreamError>,
}

#[allow(clippy::large_enum_variant, reason = "one value per stream")]
enum Half {
    /// The answer, which is the same on each connection.
    Device { answer: Vec<u8> },
    /// What the client checks the answer by, and the one that it took.
    Client { terms: Terms, device: VerifyKey, secret: StreamSecret, answer: Option<Vec<u8>> },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// No connection.
    Down,
    /// The answer must come next.
    Answer,
    /// The other end's resume must come next.
    Resume,
    /// Frames go both ways.
    Up,
}

/// Whether the other end may go on sending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// What arrives is acknowledged.
    Open,
    /// What arrives is taken and not acknowledged: the other end stops once its whole window is under way ([`Terms::window`]).
    Held,
}

/// Everything that there is once there are keys.
struct Keyed {
    sending: Sending,
    receiving: Receiving,
    resuming: Resuming,
    resumed: Resumed,
    due: Due,
    /// Bytes that are acknowledged without waiting.
    much: usize,
    flow: Flow,
}

/// What is to be acknowledged.
#[derive(Default)]
struct Due {
    bytes: usize,
    deadline_ms: Option<u64>,
}

impl StreamEnd {
    /// The device's end, for a grant that it verified and claimed.
    ///
    /// # Errors
    /// The client's key is of small order.
    pub fn device(terms: &Terms, key: &SigningKey, secret: &StreamSecret) -> Result<Self, StreamError> {
        let device_key = secret.public();
        let keys = StreamKeys::derive(terms, secret, Side::Device, &device_key)?;
        let answer = terms.answer(device_key, key).map_err(|_| StreamError::WeakKey)?;
        Ok(Self::new(Half::Device { answer }, Some(Keyed::new(&keys, Side::Device, terms.window))))
    }

    /// The client's end, for the grant that it was given, as it stands in the envelope.
    ///
    /// # Errors
    /// The grant is not for this client's key and for this device alone.
    pub fn client(grant: &[u8], device: &VerifyKey, secret: StreamSecret) -> Result<Self, StreamError> {
        let terms = Terms::of_client(grant, device, secret.public())?;
        Ok(Self::new(Half::Client { terms, device: *device, secret, answer: None }, None))
    }

    fn new(half: Half, keyed: Option<Keyed>) -> Self {
        Self { half, keyed, phase: Phase::Down, opening: Vec::new(), over: None }
    }

    /// A connection to the other end begins.
    pub fn connected(&mut self) {
        self.disconnected();
        match &self.half {
            Half::Client { .. } => self.phase = Phase::Answer,
            Half::Device { answer } => {
                self.opening.push(answer.clone());
                self.begin();
            }
        }
    }

    /// The connection is gone. What was sent and not acknowledged is kept for the next.
    pub fn disconnected(&mut self) {
        self.phase = Phase::Down;
        self.opening.clear();
        if let Some(keyed) = &mut self.keyed {
            keyed.due = Due::default();
        }
    }

    /// Whether frames go both ways now.
    pub fn is_up(&self) -> bool {
        self.phase == Phase::Up && self.over.is_none()
    }

    /// What ended the stream, if something did.
    pub fn over(&self) -> Option<StreamError> {
        self.over
    }

    /// Whether the other end has everything that was sent.
    pub fn is_drained(&self) -> bool {
        self.keyed.as_ref().is_none_or(|keyed| keyed.sending.is_drained())
    }

    /// How many bytes of data may be sent at once now; also while there is no connection.
    pub fn room(&self) -> usize {
        let free = self.keyed.as_ref().map_or(0, |keyed| keyed.sending.room());
        free.saturating_sub(DATA_HEAD_BYTES).min(limits::STREAM_PAYLOAD_BYTES)
    }

    /// Sends a payload, now or with the next connection.
    ///
    /// # Errors
    /// There is no room, it is too long, or the stream is over. Nothing is sent then.
    pub fn send(&mut self, payload: &Payload) -> Result<(), SendError> {
        if let Some(error) = self.over {
            return Err(SendError::Over(error));
        }
        let plaintext = payload.to_plaintext()?;
        self.keyed.as_mut().ok_or(SendError::Full)?.sending.push(&plaintext)
    }

    /// The next message for the connection.
    pub fn next_message(&mut self) -> Option<Vec<u8>> {
        if self.over.is_some() {
            return None;
        }
        if !self.opening.is_empty() {
            return Some(self.opening.remove(0));
        }
        if self.phase == Phase::Up { self.keyed.as_mut()?.sending.next_frame() } else { None }
    }

    /// Takes a message of the connection.
    ///
    /// # Errors
    /// The stream is over, now or before.
    pub fn receive(&mut self, message: &[u8], now_ms: u64) -> Result<Option<Payload>, StreamError> {
        if let Some(error) = self.over {
            return Err(error);
        }
        let taken = self.take(message, now_ms);
        if let Err(error) = &taken {
            self.over = Some(*error);
        }
        taken
    }

    /// Lets the other end go on sending, or not: for an end whose own consumer is slow. What was held back meanwhile is
    /// acknowledged at once: the other end may have stopped. A new connection takes note of all that arrived in any case.
    pub fn set_flow(&mut self, flow: Flow) {
        let Some(keyed) = &mut self.keyed else { return };
        keyed.flow = flow;
        if let Err(error) = keyed.acknowledge_much() {
            self.over.get_or_insert(error);
        }
    }

    /// When [`StreamEnd::tick`] is wanted at the latest.
    pub fn deadline_ms(&self) -> Option<u64> {
        self.keyed.as_ref().filter(|keyed| keyed.flow == Flow::Open).and_then(|keyed| keyed.due.deadline_ms)
    }

    /// Time passed: acknowledges what has waited long enough.
    ///
    /// # Errors
    /// The stream is over, now or before.
    pub fn tick(&mut self, now_ms: u64) -> Result<(), StreamError> {
        if let Some(error) = self.over {
            return Err(error);
        }
        let due = self.deadline_ms().is_some_and(|deadline| deadline <= now_ms);
        let Some(keyed) = self.keyed.as_mut().filter(|_| due) else { return Ok(()) };
        keyed.acknowledge().inspect_err(|error| self.over = Some(*error))
    }

    fn take(&mut self, message: &[u8], now_ms: u64) -> Result<Option<Payload>, StreamError> {
        if message.len() > limits::STREAM_MESSAGE_BYTES {
            return Err(StreamError::Length);
        }
        match self.phase {
            Phase::Down => Err(StreamError::OutOfTurn),
            Phase::Answer => self.answered(message).map(|()| None),
            Phase::Resume => self.resumed(message).map(|()| None),
            Phase::Up if resume::is_resume(message) => Err(StreamError::OutOfTurn),
            Phase::Up => self.keyed.as_mut().map_or(Err(StreamError::OutOfTurn), |keyed| keyed.frame(message, now_ms)),
        }
    }

    /// The first answer makes the keys; each later one must be the very same.
    fn answered(&mut self, message: &[u8]) -> Result<(), StreamError> {
        let Half::Client { terms, device, secret, answer } = &mut self.half else { return Err(StreamError::OutOfTurn) };
        match answer {
            Some(first) if first != message => return Err(StreamError::OtherAnswer),
            Some(_) => {}
            None => {
                let device_key: Hex<32> = terms.accept(message, device)?;
                let keys = StreamKeys::derive(terms, secret, Side::Client, &device_key)?;
                self.keyed = Some(Keyed::new(&keys, Side::Client, terms.window));
                *answer = Some(message.to_vec());
            }
        }
        self.begin();
        Ok(())
    }

    fn resumed(&mut self, message: &[u8]) -> Result<(), StreamError> {
        let keyed = self.keyed.as_mut().filter(|_| resume::is_resume(message)).ok_or(StreamError::OutOfTurn)?;
        let next = keyed.resumed.open(message)?;
        keyed.sending.resume_at(next)?;
        self.phase = Phase::Up;
        Ok(())
    }

    fn begin(&mut self) {
        if let Some(keyed) = &mut self.keyed {
            self.opening.push(keyed.resuming.begin(keyed.receiving.expected()));
        }
        self.phase = Phase::Resume;
    }

    #[cfg(test)]
    pub(super) fn kept_bytes(&self) -> usize {
        self.keyed.as_ref().map_or(0, |keyed| keyed.sending.kept_bytes())
    }

    /// As if the other end had acknowledged.
    #[cfg(test)]
    pub(super) fn forget(&mut self, next: u64) {
        self.keyed.as_mut().unwrap().sending.acknowledged(next).unwrap();
    }
}

/// Kind and channel before data.
const DATA_HEAD_BYTES: usize = 5;

impl Keyed {
    fn new(keys: &StreamKeys, side: Side, window: usize) -> Self {
        let (own, other, own_resume, other_resume) = match side {
            Side::Client => (&keys.client, &keys.device, &keys.resume_client, &keys.resume_device),
            Side::Device => (&keys.device, &keys.client, &keys.resume_device, &keys.resume_client),
        };
        Self {
            sending: Sending::new(own, window),
            receiving: Receiving::new(other),
            resuming: Resuming::new(own_resume),
            resumed: Resumed::new(other_resume),
            due: Due::default(),
            much: window / limits::STREAM_ACKS_PER_WINDOW,
            flow: Flow::Open,
        }
    }

    fn frame(&mut self, message: &[u8], now_ms: u64) -> Result<Option<Payload>, StreamError> {
        let plain = Plain::parse(&self.receiving.open(message)?)?;
        self.due.bytes += message.len();
        let payload = match plain {
            Plain::Ack(next) => {
                self.sending.acknowledged(next)?;
                None
            }
            Plain::Payload(payload) => {
                self.due.deadline_ms.get_or_insert(now_ms.saturating_add(limits::STREAM_ACK_MILLIS));
                Some(payload)
            }
        };
        self.acknowledge_much()?;
        Ok(payload)
    }

    /// Acknowledges without waiting where much has come.
    fn acknowledge_much(&mut self) -> Result<(), StreamError> {
        let much = self.due.bytes >= self.much && self.flow == Flow::Open;
        if much { self.acknowledge() } else { Ok(()) }
    }

    /// Acknowledgements have no deadline of their own, so two ends do not acknowledge one another for ever; but their
    /// bytes count, so that those of a one-way stream are not kept for ever either.
    fn acknowledge(&mut self) -> Result<(), StreamError> {
        self.due = Due::default();
        self.sending.push_ack(&Plain::ack(self.receiving.expected()))
    }
}
