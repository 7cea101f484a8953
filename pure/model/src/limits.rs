//! Every maximum of the product, in one place. Units are in the names.

/// Longest name that people give, in characters.
pub const NAME_CHARS: usize = 100;
/// Longest reason that people give, in characters.
pub const NOTE_CHARS: usize = 300;
/// What posture found is accepted for at most this long,
pub const ACCEPTED_SECS: i64 = 366 * 86_400;
/// and what is to be fixed now for this long.
pub const ACCEPTED_CRITICAL_SECS: i64 = 31 * 86_400;
/// Findings of a tenant that are accepted at a time.
pub const ACCEPTED_FINDINGS: usize = 500;
/// Longest e-mail address (RFC 5321, section 4.5.3.1), in bytes.
pub const EMAIL_BYTES: usize = 254;
/// Longest device label, in bytes.
pub const TAG_BYTES: usize = 40;
/// Most labels on one device.
pub const TAGS_PER_DEVICE: usize = 32;
/// Most customers of one tenant.
pub const CUSTOMERS: usize = 10_000;
/// Most sites of one tenant.
pub const SITES: usize = 20_000;

/// Longest password, in bytes of UTF-8. NIST SP 800-63B-4 asks for at least 64 characters.
pub const PASSWORD_BYTES: usize = 1024;
/// Shortest password, in characters.
pub const PASSWORD_MIN_CHARS: usize = 15;
/// Recovery codes that one user holds.
pub const RECOVERY_CODES: usize = 10;
/// Wrong codes of one factor in a row before it locks.
pub const FACTOR_FAILURES: u32 = 10;
/// Wrong passwords of one account in a row before attempts must wait (NIST: at most 100).
pub const PASSWORD_FAILURES: u32 = 10;
/// Most users of one tenant, of all states.
pub const USERS: usize = 5_000;
/// Most roles of one user.
pub const ASSIGNMENTS: usize = 100;
/// Most custom roles of one tenant.
pub const ROLES: usize = 200;
/// Most users that one action names.
pub const USERS_AT_ONCE: usize = 1_000;
/// How long an invitation works.
pub const INVITATION_SECS: i64 = 24 * 60 * 60;
/// How long an activation link works.
pub const ACTIVATION_SECS: i64 = 2 * 60 * 60;
/// How long "Not me" of a mail works.
pub const NOT_ME_SECS: i64 = 7 * 24 * 60 * 60;
/// How long an activation that was begun waits for its code.
pub const ACTIVATION_DRAFT_SECS: i64 = 60 * 60;
/// An activation link that a sign-in asked for is mailed at most once in this time.
pub const ACTIVATION_MAIL_SECS: i64 = 5 * 60;
/// How long the reset of an administrator's factor waits where there is no second person.
pub const HELD_RESET_SECS: i64 = 24 * 60 * 60;
/// Shortest and longest time after which an unused session may be set to end.
pub const SESSION_IDLE_RANGE_SECS: (i64, i64) = (5 * 60, 12 * 60 * 60);
/// Shortest and longest life that sessions may be set to have.
pub const SESSION_LIFETIME_RANGE_SECS: (i64, i64) = (15 * 60, 24 * 60 * 60);
/// How often a mail is tried before it is given up: over about two days.
pub const MAIL_ATTEMPTS: u32 = 12;
/// Open authorization requests of one session.
pub const OPEN_REQUESTS_PER_SESSION: usize = 20;
/// Requests of one person that wait for a second one.
pub const OPEN_APPROVALS: u64 = 3;
/// After somebody said no to a request that takes two people, its asker asks nobody for so long.
pub const APPROVAL_MUTE_SECS: i64 = 15 * 60;
/// Wrong numbers from the asker's screen that end a request.
pub const NUMBER_FAILURES: u32 = 3;
/// How long an authorization request waits for its proofs.
pub const REQUEST_LIFETIME_SECS: i64 = 10 * 60;
/// How long a grant lives after it was asked for; the request lapses earlier, so that some of it is always left.
pub const GRANT_LIFETIME_SECS: i64 = 15 * 60;
/// Default and largest step-up window.
pub const STEP_UP_WINDOW_SECS: i64 = 5 * 60;
/// Largest step-up window that a tenant may choose.
pub const STEP_UP_WINDOW_MAX_SECS: i64 = 15 * 60;
/// A session without use ends after this.
pub const SESSION_IDLE_SECS: i64 = 60 * 60;
/// A session ends after this, used or not.
pub const SESSION_LIFETIME_SECS: i64 = 12 * 60 * 60;
/// Live sessions of one user; the oldest ends when another begins.
pub const SESSIONS_PER_USER: usize = 20;
/// The cookie that only a browser's own hardware renews is good for this long.
pub const DEVICE_COOKIE_SECS: i64 = 5 * 60;
/// Clocks of an installation's processes may differ by this, and a request may be under way as long, before such a cookie is refused.
pub const DEVICE_COOKIE_SKEW_SECS: i64 = 10;
/// Requests without that cookie are taken for this long after the session was bound: they were under way.
pub const DEVICE_GRACE_SECS: i64 = 30;
/// A passkey's ceremony must end within this.
pub const CEREMONY_SECS: i64 = 5 * 60;
/// Longest id of a credential (WebAuthn Level 3, section 4).
pub const CREDENTIAL_ID_BYTES: usize = 1023;
/// Largest client data of a browser.
pub const CLIENT_DATA_BYTES: usize = 8 * 1024;
/// Largest attestation object, and largest authenticator data.
pub const ATTESTATION_BYTES: usize = 16 * 1024;
/// Deepest CBOR of an authenticator: CTAP2 itself stops at four.
pub const CBOR_DEPTH: usize = 6;
/// Most entries of one CBOR map.
pub const CBOR_ENTRIES: usize = 64;
/// Most items of one piece of CBOR, at all depths: an attestation with a chain of certificates has some thirty.
pub const CBOR_ITEMS: usize = 512;
/// Trusted networks of one tenant.
pub const NETWORKS: usize = 100;
/// Ranges of all networks of one tenant.
pub const NETWORK_RANGES: usize = 500;
/// Addresses that proxies may say they passed a request on from; a longer chain is not walked to its end.
pub const FORWARDED_HOPS: usize = 64;
/// Longest header of a proxy that speaks PROXY protocol version 2.
pub const PROXY_HEADER_BYTES: usize = 1024;
/// Approved addresses of one user; the one that was not used longest goes.
pub const APPROVED_ADDRESSES: usize = 100;
/// A mailed link that approves an address works for this long.
pub const ADDRESS_LINK_SECS: i64 = 30 * 60;
/// Longest pause of the verification of addresses.
pub const ADDRESS_PAUSE_HOURS: u32 = 7 * 24;
/// Authenticators and passkeys of one user.
pub const FACTORS_PER_USER: usize = 20;
/// A factor that was enrolled after a recovery counts for guarded actions after this.
pub const NEW_FACTOR_SECS: i64 = 24 * 60 * 60;
/// A session that is back in a network within this, while it was used from another one in between, is used from both.
pub const TWO_NETWORKS_SECS: i64 = 10 * 60;
/// Networks that are remembered of one session.
pub const SESSION_NETWORKS: i64 = 8;
/// Pairs of networks of one session that its person is told of.
pub const SESSION_PAIRS: i64 = 4;
/// How often it is written down that a session is still used from the same network.
pub const SESSION_SEEN_SECS: i64 = 60;
/// Sessions whose network a server keeps in memory.
pub const SESSIONS_REMEMBERED: usize = 10_000;
/// Largest database of places or networks, read whole at start.
pub const PLACE_DATABASE_BYTES: u64 = 512 * 1024 * 1024;
/// A paused schedule goes on by who proved a factor within the step-up window, or within this where that is shorter.
pub const RESUME_PROOF_SECS: i64 = 60;
/// Largest envelope of a recovery statement, signatures included.
pub const RECOVERY_BYTES: usize = 8 * 1024;
/// Longest challenge that a recovery statement repeats.
pub const RECOVERY_CHALLENGE_BYTES: usize = 128;
/// An authenticator that was not used for so long is due for a check-up.
pub const CHECK_UP_SECS: i64 = 28 * 24 * 60 * 60;
/// Distinct devices in a rolling hour that one person may touch one by one as class 1.
pub const CLASS1_DEVICES_PER_HOUR: usize = 5;
/// Distinct devices in a rolling hour that one person may touch as class 2.
pub const CLASS2_DEVICES_PER_HOUR: usize = 25;
/// An account younger than this is nobody's second person.
pub const NEW_PERSON_SECS: i64 = 7 * 24 * 60 * 60;
/// How long is kept which devices a person reached.
pub const TOUCHES_KEPT_SECS: i64 = 90 * 24 * 60 * 60;
/// The rolling hour of the sums.
pub const SUM_WINDOW_SECS: i64 = 60 * 60;

/// A code of a program's sign-in is good for so long.
pub const PROGRAM_CODE_SECS: i64 = 60;
/// Whoever lets a program in has proved a factor within this time.
pub const PROGRAM_APPROVAL_AGE_SECS: i64 = 5 * 60;
/// Codes of a person that are not used yet.
pub const PROGRAM_CODES_PER_USER: u64 = 10;
/// For so long a code is remembered, so that its second use is noticed; no session that it gave lives longer.
pub const PROGRAM_CODE_KEPT_SECS: i64 = 48 * 60 * 60;
/// Longest name that a program gives itself.
pub const PROGRAM_NAME_CHARS: usize = 60;
/// A program asks for guarded operations only in a session whose person proved a factor within this time.
pub const PROGRAM_AUTH_SECS: i64 = 4 * 60 * 60;

/// A program that waits for its person by a device code waits so long (RFC 8628; ten minutes at most).
pub const DEVICE_REQUEST_SECS: i64 = 10 * 60;
/// Shortest time between two of its polls; each that comes too early adds as much.
pub const DEVICE_POLL_SECS: i64 = 5;
/// Programs that wait so at a time: all of them,
pub const DEVICE_REQUESTS: u64 = 1_000;
/// and those of one address.
pub const DEVICE_REQUESTS_PER_ADDRESS: u64 = 5;
/// Wrong codes of one person within [`DEVICE_GUESS_WINDOW_SECS`],
pub const DEVICE_GUESSES_PER_USER: u32 = 10;
/// and from one address, which an office shares.
pub const DEVICE_GUESSES_PER_ADDRESS: u32 = 30;
/// Wrong codes are counted for so long.
pub const DEVICE_GUESS_WINDOW_SECS: i64 = 60 * 60;

/// API clients of one tenant, stopped ones included.
pub const API_CLIENTS: usize = 1_000;
/// Ranges of addresses of one API client.
pub const CLIENT_RANGES: usize = 64;
/// An API client's range has at least so many fixed bits: of an IPv4 address, and of an IPv6 address.
pub const CLIENT_PREFIX_BITS: (u8, u8) = (8, 32);
/// Longest life of an API client.
pub const CLIENT_LIFETIME_SECS: i64 = 400 * 24 * 60 * 60;
/// An access token ends after this, used or not.
pub const ACCESS_TOKEN_SECS: i64 = 5 * 60;
/// An access token that was not used for so long ends.
pub const ACCESS_TOKEN_IDLE_SECS: i64 = 60;
/// Live access tokens of one API client.
pub const ACCESS_TOKENS_PER_CLIENT: usize = 100;
/// Longest assertion of an API client, as written.
pub const ASSERTION_BYTES: usize = 4 * 1024;
/// Longest DPoP proof, as written.
pub const PROOF_BYTES: usize = 8 * 1024;
/// Longest `jti` of a proof, as written.
pub const PROOF_JTI_BYTES: usize = 128;
/// Longest answer of a browser to a challenge of its device-bound session, as written.
pub const DEVICE_BOUND_BYTES: usize = 4 * 1024;
/// Longest life of an assertion: for so long its id is remembered.
pub const ASSERTION_LIFETIME_SECS: i64 = 5 * 60;
/// An assertion's times may be ahead of ours by this.
pub const ASSERTION_SKEW_SECS: i64 = 60;
/// A client's key is to be replaced when it is older than this.
pub const CLIENT_KEY_SECS: i64 = 24 * 60 * 60;
/// A client whose key is older than this is stopped.
pub const CLIENT_KEY_MAX_SECS: i64 = 36 * 60 * 60;
/// A key that was replaced still works for this long.
pub const CLIENT_KEY_OVERLAP_SECS: i64 = 10 * 60;
/// Replaced keys of a client that are remembered, so that their use is noticed.
pub const CLIENT_KEYS_REMEMBERED: i64 = 16;
/// Largest licence as a file, the trust root inside of it and signatures included: it fits into a form beside two assertions.
pub const LICENCE_BYTES: usize = 24 * 1024;
/// Longest life of a licence.
pub const LICENCE_LIFETIME_SECS: i64 = 400 * 24 * 60 * 60;
/// A licence with less time than this is shown as expiring soon.
pub const LICENCE_SOON_SECS: i64 = 14 * 24 * 60 * 60;
/// Standing licences of one API client.
pub const LICENCES_PER_CLIENT: usize = 50;
/// Licences of one API client that are listed, the newest first: the standing ones and those that are over.
pub const LICENCES_LISTED: usize = 200;
/// Executables that one licence names, and scripts.
pub const LICENCE_PROGRAMS: usize = 16;
/// Largest executable or script that is measured for a licence: it is copied into memory.
pub const LICENCE_PROGRAM_BYTES: u64 = 512 * 1024 * 1024;
/// Hosts of one licence.
pub const LICENCE_HOSTS: usize = 32;
/// Scopes of one licence.
pub const LICENCE_SCOPES: usize = 64;
/// Longest assertion of a host, as written.
pub const HOST_ASSERTION_BYTES: usize = 4 * 1024;
/// Refusals for want of a licence are told to the audit log at most once in this time for each API client.
pub const LICENCE_REFUSAL_LOGGED_SECS: i64 = 60 * 60;
/// Uses of an API client are told to the audit log at most once in this time, unless its address changes.
pub const CLIENT_USE_LOGGED_SECS: i64 = 15 * 60;

/// Requests that one address may make at once.
pub const REQUESTS_AT_ONCE: i64 = 3_000;
/// Requests of one address in a second, over a longer time: an office behind one address is one.
pub const REQUESTS_PER_SECOND: i64 = 200;
/// Addresses whose requests are counted.
pub const RATE_ADDRESSES: usize = 65_536;
/// Largest body of an HTTP request.
pub const HTTP_BODY_BYTES: usize = 2 * 1024 * 1024;
/// Largest body of a request that needs no session: a trust root with its signature fits.
pub const PUBLIC_BODY_BYTES: usize = 256 * 1024;
/// Most values in the body of an HTTP request: each takes memory, however short it is.
pub const HTTP_BODY_VALUES: usize = 100_000;
/// How long the body of an HTTP request may take to arrive.
pub const HTTP_BODY_SECS: u64 = 30;
/// How long what is refused may go on sending.
pub const HTTP_DRAIN_SECS: u64 = 2;
/// How long a proxy may take for its header.
pub const PROXY_HEADER_SECS: u64 = 5;
/// TLS handshakes under way at once, so that a reconnect storm cannot starve who is connected.
pub const TLS_HANDSHAKES: usize = 256;
/// Of these from one address, so that one that never finishes its own leaves room for others.
pub const TLS_HANDSHAKES_OF_ONE: usize = 32;
/// Passwords that are hashed or wait for it. At 20 ms each, the last one waits less than a second.
pub const PASSWORDS_AT_ONCE: usize = 64;
/// Largest answer of a list of breached passwords: a thousand lines and their padding are a tenth of it.
pub const BREACH_RANGE_BYTES: usize = 1024 * 1024;
/// Largest answer that is looked into for its tag and its fields. Every list has pages, and a page of these is smaller.
pub const LOOKED_INTO_BYTES: usize = 64 * 1024 * 1024;
/// Most items of one page of a list.
pub const PAGE_ITEMS: u32 = 1000;
/// Entries of the audit log that are read through for one page of what concerns a device.
pub const AUDIT_LOOKED_INTO: u64 = 20_000;
/// Items of one page where nothing is said.
pub const PAGE_ITEMS_DEFAULT: u32 = 100;
/// Longest text to search for, in characters.
pub const SEARCH_CHARS: usize = 200;
/// Most output in one answer, in bytes.
pub const OUTPUT_PAGE_BYTES: usize = 256 * 1024;
/// Open event streams of one session.
pub const EVENT_STREAMS_PER_SESSION: usize = 16;
/// Most devices that one action names.
pub const TARGETS: usize = 100_000;
/// A DPoP proof is refused when its time differs by more than this.
pub const PROOF_SKEW_SECS: i64 = 60;

/// Largest script text.
pub const SCRIPT_BYTES: usize = 1024 * 1024;
/// Most scripts in one tenant's library.
pub const SCRIPTS: usize = 5_000;
/// Longest description of a script, in characters.
pub const DESCRIPTION_CHARS: usize = 2_000;
/// Most arguments of a run.
pub const ARGUMENTS: usize = 64;
/// Longest argument, environment value or secret, in bytes.
pub const ARGUMENT_BYTES: usize = 8 * 1024;
/// Most environment variables of a run.
pub const ENVIRONMENT: usize = 64;
/// Most secret parameters of a run.
pub const SECRETS: usize = 16;
/// All secrets of one run, sealed to all of its devices.
pub const SEALED_BYTES: usize = 32 * 1024 * 1024;
/// Longest time limit of a run.
pub const RUN_TIME_LIMIT_SECS: u32 = 24 * 60 * 60;
/// Time limit of a run where nothing is said.
pub const RUN_TIME_DEFAULT_SECS: u32 = 10 * 60;
/// Most output that a run may keep.
pub const RUN_OUTPUT_BYTES: u64 = 16 * 1024 * 1024;
/// Output that a run keeps where nothing is said.
pub const RUN_OUTPUT_DEFAULT_BYTES: u64 = 1024 * 1024;
/// Largest chunk of output in one message.
pub const OUTPUT_CHUNK_BYTES: usize = 32 * 1024;
/// Output chunks that an agent sends before it waits for an acknowledgement.
pub const OUTPUT_CHUNKS_IN_FLIGHT: usize = 32;

/// Largest envelope of a grant, signatures included.
pub const ENVELOPE_BYTES: usize = 256 * 1024;
/// Most signatures on one envelope.
pub const SIGNATURES: usize = 16;
/// Longest Merkle proof: a tree of 2^40 leaves.
pub const PROOF_HASHES: usize = 40;
/// Largest signed checkpoint note.
pub const CHECKPOINT_BYTES: usize = 4 * 1024;
/// Longest raw signature of any kind, in bytes.
pub const SIGNATURE_BYTES: usize = 2 * 1024;
/// A grant's window may begin this long before it was authorized, for devices whose clock is behind.
pub const GRANT_SKEW_SECS: i64 = 120;
/// Most people that one grant names as having proved a factor.
pub const GRANT_PROOFS: usize = 16;
/// Largest statement beside a server's signature on a grant, in bytes: all proofs with the longest addresses fit.
pub const STATEMENT_BYTES: usize = 12 * 1024;
/// Most authority keys of one tenant.
pub const AUTHORITY_KEYS: usize = 16;
/// Largest envelope of a trust root, signatures included.
pub const ROOT_BYTES: usize = 32 * 1024;
/// Most trust roots from the pinned one to the newest.
pub const ROOT_CHAIN: usize = 256;
/// Largest enrolment file.
pub const ENROLMENT_BYTES: usize = 128 * 1024;
/// Largest certificate text in an enrolment file, in bytes.
pub const CA_BYTES: usize = 32 * 1024;
/// Longest address of a server, in bytes.
pub const SERVER_URL_BYTES: usize = 512;
/// Largest envelope of a receipt, signatures included.
pub const RECEIPT_BYTES: usize = 8 * 1024;
/// Deepest JSON of a signed body.
pub const JSON_DEPTH: usize = 16;
/// Most values in it: each takes memory, however short it is.
pub const JSON_VALUES: usize = 8_192;

/// Largest frame of the agent link: a whole hello, its flag and its authentication tag.
pub const FRAME_BYTES: usize = HELLO_BYTES + 17;
/// Frame that messages are cut into. Each end keeps a buffer for one frame, as long as the link lasts: a server for every agent.
/// With the head that a WebSocket puts before it, it fills a buffer of 512 bytes.
pub const CUT_FRAME_BYTES: usize = 504;
/// Largest message of the agent link, put together from frames.
pub const MESSAGE_BYTES: usize = 4 * 1024 * 1024;
/// Largest message of the agent link before the device is known.
pub const HELLO_BYTES: usize = 16 * 1024;
/// An agent sends something at least this often.
pub const HEARTBEAT_SECS: u32 = 60;
/// A device counts as offline after this silence.
pub const SILENCE_SECS: i64 = 150;
/// Time from connection to a finished handshake.
pub const HANDSHAKE_SECS: u64 = 10;

/// Longest host name, user name or version from an agent, in characters.
pub const AGENT_NAME_CHARS: usize = 255;
/// Longest free text from an agent, in characters.
pub const AGENT_TEXT_CHARS: usize = 1024;
/// Most items of one inventory list (software, processes, services).
pub const INVENTORY_ITEMS: usize = 5_000;
/// Most addresses of one network interface in an inventory.
pub const ADDRESSES_PER_INTERFACE: usize = 64;

/// Longest life of an enrolment token.
pub const INSTALLER_LIFETIME_SECS: i64 = 30 * 24 * 60 * 60;
/// Most uses of an enrolment token.
pub const INSTALLER_USES: u32 = 10_000;

/// Open remote sessions of one device.
pub const REMOTE_SESSIONS_PER_DEVICE: usize = 16;
/// Attachments of one remote session that are open at once.
pub const ATTACHMENTS_PER_SESSION: usize = 16;
/// A remote session that nobody is attached to ends after this: a lost link costs neither shell nor output.
pub const REMOTE_UNATTENDED_SECS: u32 = 5 * 60;
/// Longest time without input after which a remote session ends.
pub const REMOTE_IDLE_SECS: u32 = 60 * 60;
/// Time without input where nothing is said.
pub const REMOTE_IDLE_DEFAULT_SECS: u32 = 30 * 60;
/// Longest life of a remote session: that of a user's session.
pub const REMOTE_LIFETIME_SECS: u32 = 12 * 60 * 60;
/// A person at the machine who is asked has at most this long to consent,
pub const CONSENT_SECS: u32 = 120;
/// and at least this long;
pub const CONSENT_LEAST_SECS: u32 = 10;
/// where nothing is said, this long.
pub const CONSENT_DEFAULT_SECS: u32 = 60;
/// Most columns or rows of a terminal.
pub const TERMINAL_CELLS: u16 = 1_000;
/// Output of a terminal that is shown to whoever attaches later, in bytes.
pub const SCROLLBACK_BYTES: usize = 1024 * 1024;
/// Largest recording of one remote session.
pub const RECORDING_BYTES: u64 = 64 * 1024 * 1024;
/// Largest piece of a recording in one message.
pub const RECORDING_CHUNK_BYTES: usize = 32 * 1024;

/// A stream's ticket is good for this long, and once.
pub const STREAM_TICKET_SECS: i64 = 30;
/// Tickets of one attachment that wait to be used.
pub const STREAM_TICKETS: usize = 4;
/// Largest message of a stream between a client and a device.
pub const STREAM_MESSAGE_BYTES: usize = 64 * 1024;
/// Largest control message or piece of data of a stream, in bytes.
pub const STREAM_PAYLOAD_BYTES: usize = 32 * 1024;
/// Sent frames that are kept until the other end has them; when they are so many, an end stops sending.
pub const STREAM_UNACKED_BYTES: usize = 256 * 1024;
/// The same for files, which are to fill a long line: 20 MB/s over a round trip of 50 ms.
pub const FILES_UNACKED_BYTES: usize = 1024 * 1024;
/// Room for acknowledgements beyond that, since they must be sent when nothing else may.
pub const STREAM_UNACKED_ACK_BYTES: usize = 16 * 1024;
/// An end acknowledges after it received this part of what the other may send ahead: 32 KiB, and of files 128,
pub const STREAM_ACKS_PER_WINDOW: usize = 8;
/// or after so long.
pub const STREAM_ACK_MILLIS: u64 = 50;
/// Largest answer of a device to a client's key, signature included.
pub const ANSWER_BYTES: usize = 8 * 1024;

/// Most encodings that a screen's client may name.
pub const SCREEN_ENCODINGS: usize = 256;
/// Largest clipboard that a screen takes or gives, in bytes.
pub const SCREEN_CLIPBOARD_BYTES: usize = 1024 * 1024;
/// Largest side of a screen that can be shown or asked for, in pixels.
pub const SCREEN_SIDE_PIXELS: u16 = 16_384;
/// Most changes of a screen that are sent in a second.
pub const SCREEN_UPDATES_PER_SECOND: u32 = 60;
/// Most keys that one client holds down at once.
pub const SCREEN_KEYS_HELD: usize = 64;

/// Longest absolute path on a device, in bytes: what Linux takes in one call.
pub const PATH_BYTES: usize = 4095;
/// Longest name of a file, in bytes.
pub const FILE_NAME_BYTES: usize = 255;
/// Most entries of a folder that are listed.
pub const FOLDER_ENTRIES: usize = 20_000;
/// Folders inside of each other that a recursive operation enters.
pub const FOLDER_DEPTH: usize = 256;
/// Reads, archives, sums and removals of one attachment at once.
pub const FILE_WORKS: usize = 6;
/// Unfinished uploads of one attachment at once.
pub const UPLOADS: usize = 8;
/// Largest file that can be uploaded, in bytes.
pub const UPLOAD_BYTES: u64 = 1 << 40;
/// Text of a file that a preview shows, in bytes.
pub const PREVIEW_BYTES: usize = 12 * 1024;
/// Longest name of a unit of the service manager, in bytes (systemd.unit(5)).
pub const UNIT_NAME_BYTES: usize = 255;
/// Shortest time between two looks at the processes that somebody watches, in milliseconds.
pub const WATCH_MIN_MILLIS: u32 = 500;
/// Longest time between two looks at the processes that somebody watches, in milliseconds.
pub const WATCH_MAX_MILLIS: u32 = 60_000;
/// Most processes, services or packages in one answer.
pub const BACKGROUND_ITEMS: usize = 20_000;
/// Listening ports of one process that are told.
pub const PORTS_PER_PROCESS: usize = 64;
/// Watches, logs and other works of one attachment at once.
pub const BACKGROUND_WORKS: usize = 8;
/// Log lines in one answer, before new ones are followed.
pub const LOG_LINES: u32 = 1_000;
/// Longest log message that is told, in bytes.
pub const LOG_MESSAGE_BYTES: usize = 8 * 1024;
/// Longest pattern to search logs for, in bytes.
pub const LOG_PATTERN_BYTES: usize = 200;
/// A service's start or stop that takes longer is told to be still under way.
pub const SERVICE_JOB_SECS: u64 = 100;

/// Devices that an exported search has at most.
pub const SEARCH_EXPORT_DEVICES: usize = 20_000;
/// Devices that are asked at once for a new inventory because somebody searches.
pub const SEARCH_REFRESH_DEVICES: usize = 1_000;
/// Findings of one device that a search tells.
pub const SEARCH_ITEMS_PER_DEVICE: usize = 50;

/// Longest cron expression, in bytes.
pub const CRON_BYTES: usize = 200;
/// Longest name of a time zone, in bytes.
pub const ZONE_BYTES: usize = 64;
/// Most changes of a time zone's offset that one publication can have.
pub const ZONE_OFFSETS: usize = 64;
/// A published schedule ends at the latest this long after it was asked for.
pub const SCHEDULE_LIFETIME_SECS: i64 = 400 * 24 * 60 * 60;
/// Least and most time that a device may come late to an occurrence.
pub const SCHEDULE_LATE_SECS: (u32, u32) = (5 * 60, 7 * 24 * 60 * 60);
/// Most time over which an occurrence is spread.
pub const SCHEDULE_JITTER_SECS: u32 = 12 * 60 * 60;
/// Most time that may have to lie between two runs of a schedule on one device.
pub const SCHEDULE_GAP_SECS: u32 = 366 * 24 * 60 * 60;
/// Most schedules of a tenant that are active or paused.
pub const SCHEDULES: usize = 500;
/// Occurrences that one look ahead tells.
pub const SCHEDULE_PREVIEW: usize = 5;
/// Runs of one schedule that are let go in one step.
pub const SCHEDULE_RELEASES: usize = 500;

/// Webhooks of one tenant.
pub const WEBHOOKS: usize = 50;
/// Longest address of a webhook, in bytes.
pub const WEBHOOK_URL_BYTES: usize = 2_048;
/// How often a delivery is tried before it is given up: over about a day.
pub const WEBHOOK_ATTEMPTS: u32 = 10;
/// How long an endpoint may take for its whole answer.
pub const WEBHOOK_PATIENCE_SECS: u64 = 15;
/// Deliveries to one endpoint at once: a slow one waits for itself.
pub const WEBHOOK_AT_ONCE: usize = 4;
/// Largest answer of an endpoint that is read; a larger one is refused.
pub const WEBHOOK_READ_BYTES: usize = 64 * 1024;
/// What is kept of an endpoint's answer.
pub const WEBHOOK_ANSWER_BYTES: usize = 1_024;
/// How long deliveries and their attempts are kept.
pub const WEBHOOK_LOG_SECS: i64 = 30 * 24 * 60 * 60;
/// Most deliveries of one webhook that are kept, those that wait included; the oldest go first.
pub const WEBHOOK_DELIVERIES: u64 = 10_000;
/// After a rotation both secrets sign for so long.
pub const WEBHOOK_OVERLAP_SECS: i64 = 24 * 60 * 60;
/// A device that was connected is told to be offline after so long without a link.
pub const PRESENCE_GRACE_SECS: i64 = 60;

/// Longest address that the server sends a request to for somebody, in bytes,
pub const OUTBOUND_URL_BYTES: usize = 4_096;
/// with at most so many headers,
pub const OUTBOUND_HEADERS: usize = 64;
/// of so many bytes together;
pub const OUTBOUND_HEADER_BYTES: usize = 16 * 1024;
/// as much as the head of an answer may have.
pub const OUTBOUND_ANSWER_HEAD_BYTES: usize = 32 * 1024;
/// Largest body of such a request, where whoever sends it sets no smaller one,
pub const OUTBOUND_REQUEST_BYTES: usize = 1024 * 1024;
/// and of its answer.
pub const OUTBOUND_ANSWER_BYTES: usize = 4 * 1024 * 1024;
/// A request with its answer takes at most this long, the wait for a place included.
pub const OUTBOUND_SECS: u64 = 30;
/// Such requests that are under way at once: all of them,
pub const OUTBOUND_AT_ONCE: usize = 64;
/// those of one tenant,
pub const OUTBOUND_PER_TENANT: usize = 16;
/// and those of one tenant to one host and port.
pub const OUTBOUND_PER_TARGET: usize = 8;

/// Connections of a tenant to other vendors' APIs that were not stopped.
pub const CONNECTIONS: usize = 100;
/// A connection ends at the latest this long after it was asked for.
pub const CONNECTION_LIFETIME_SECS: i64 = 400 * 24 * 60 * 60;
/// Shortest and longest credential, in bytes: shorter ones would be found in answers by chance.
pub const CONNECTION_SECRET_BYTES: (usize, usize) = (8, 4_096);
/// Most rules of what a connection allows,
pub const CONNECTION_RULES: usize = 50;
/// each of so many bytes.
pub const CONNECTION_PATH_BYTES: usize = 300;
/// Most headers that a connection adds beside its credential.
pub const CONNECTION_HEADERS: usize = 10;
/// Longest value of such a header, in bytes.
pub const CONNECTION_HEADER_BYTES: usize = 300;
/// Most people and API clients that a connection names.
pub const CONNECTION_CALLERS: usize = 100;
/// Most calls of one connection within a minute.
pub const CONNECTION_CALLS_PER_MINUTE: u32 = 600;
/// Calls of those who may not use a connection that are written down in a minute.
pub const CONNECTION_STRANGERS_PER_MINUTE: u32 = 10;
/// Calls of a connection that are kept,
pub const CONNECTION_CALLS_KEPT: usize = 200;
/// and so many that one look shows.
pub const CONNECTION_CALLS_SHOWN: u32 = 50;
/// Largest body of a call.
pub const CONNECTION_BODY_BYTES: usize = 1024 * 1024;
/// Largest answer to a call.
pub const CONNECTION_ANSWER_BYTES: usize = 4 * 1024 * 1024;
/// Longest body of the request that replaces a credential, in bytes.
pub const ROTATION_BODY_BYTES: usize = 4_096;
/// Least and most days between two replacements of a credential.
pub const ROTATION_DAYS: (u32, u32) = (1, 366);
/// Whoever replaces a credential has this long before another process takes it over.
pub const ROTATION_CLAIM_SECS: i64 = 5 * 60;
/// How long the answer of a creation is kept for whoever sends it again with its key.
pub const IDEMPOTENCY_SECS: i64 = 24 * 60 * 60;
/// Keys of one caller that are kept; the oldest go first.
pub const IDEMPOTENCY_KEYS: usize = 1_000;
/// Longest key, in bytes.
pub const IDEMPOTENCY_KEY_BYTES: usize = 200;
/// Most that the agent reads of what a program of its machine says.
pub const PROGRAM_OUTPUT_BYTES: u64 = 8 * 1024 * 1024;
/// Most that the agent reads of what such a program complains.
pub const PROGRAM_COMPLAINT_BYTES: u64 = 8 * 1024;
/// Longest line of a journal's JSON that the agent reads; what goes beyond is skipped.
pub const JOURNAL_LINE_BYTES: usize = 256 * 1024;
