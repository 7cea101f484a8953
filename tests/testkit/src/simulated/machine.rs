//! Invented machines: varied enough to look at, plainly marked as what they are.

use sallyport_agent_core::facts::{Facts, Introduction};
use sallyport_model::{AgentText, Timestamp, limits};
use sallyport_wire::{
    Disk, Hardware, Heartbeat, Interface, Inventory, ListeningPort, LocalUser, Process, Service, ServiceStart, ServiceState, SignedIn,
    Software, System,
};

use super::VERSION;
use super::entropy::{choice, pick};

/// Every simulated device's name begins with this, and it is marked `simulated` where it tells its system and its maker.
pub const PREFIX: &str = "sim-";

const GIB: u64 = 1 << 30;
const TOWNS: [&str; 8] = ["lyon", "porto", "graz", "turku", "ghent", "bergen", "basel", "krakow"];
const ROLES: [&str; 10] = ["web", "db", "files", "print", "till", "mail", "build", "kiosk", "desk", "laptop"];
const SYSTEMS: [(&str, &str, &str); 6] = [
    ("Debian GNU/Linux", "12", "6.1.0-37-amd64"),
    ("Debian GNU/Linux", "13", "6.12.48"),
    ("Ubuntu", "22.04", "5.15.0-157-generic"),
    ("Ubuntu", "24.04", "6.8.0-85-generic"),
    ("AlmaLinux", "9.6", "5.14.0-570.el9"),
    ("openSUSE Leap", "15.6", "6.4.0-150600"),
];
const PROCESSORS: [(&str, u32); 4] =
    [("AMD EPYC 7302P", 16), ("Intel Core i5-12500", 12), ("Intel Xeon E-2334", 8), ("AMD Ryzen 5 5600G", 12)];
const PEOPLE: [&str; 8] = ["amelie", "bruno", "chiara", "dariusz", "elin", "filipa", "gustav", "hanna"];
const SERVICES: [&str; 12] = [
    "ssh.service",
    "cron.service",
    "nginx.service",
    "postgresql.service",
    "cups.service",
    "postfix.service",
    "smbd.service",
    "systemd-resolved.service",
    "chrony.service",
    "rsyslog.service",
    "docker.service",
    "fail2ban.service",
];
const PACKAGES: [&str; 16] = [
    "bash",
    "coreutils",
    "openssl",
    "curl",
    "nginx",
    "postgresql-17",
    "python3",
    "systemd",
    "openssh-server",
    "sudo",
    "vim",
    "git",
    "rsync",
    "tzdata",
    "ca-certificates",
    "linux-image",
];

/// One machine that does not exist.
#[derive(Debug, Clone, Copy)]
pub struct Invented {
    /// Decides everything about it.
    pub seed: u64,
    /// Its number in the fleet.
    pub number: usize,
}

fn text(text: &str) -> AgentText {
    AgentText::tame(text, limits::AGENT_NAME_CHARS)
}

impl Invented {
    /// The machine's name.
    pub fn hostname(&self) -> String {
        format!("{PREFIX}{}-{}-{:05}", pick(self.seed, "town", &TOWNS), pick(self.seed, "role", &ROLES), self.number)
    }

    fn system(&self) -> (&'static str, &'static str, &'static str) {
        pick(self.seed, "system", &SYSTEMS)
    }

    /// True for one device of `of`.
    fn one_of(&self, what: &str, of: u64) -> bool {
        choice(self.seed, what).is_multiple_of(of)
    }

    fn describe(&self, now: Timestamp) -> System {
        let (name, version, kernel) = self.system();
        System {
            hostname: text(&self.hostname()),
            os_name: text(name),
            os_version: text(&format!("{version} (simulated)")),
            kernel: text(kernel),
            arch: text(pick(self.seed, "arch", &["x86_64", "x86_64", "x86_64", "aarch64"])),
            timezone: text(pick(self.seed, "zone", &["Europe/Paris", "Europe/Lisbon", "Europe/Vienna", "Europe/Helsinki"])),
            agent_version: text(VERSION),
            booted_at: Some(now.plus_secs(-self.uptime_secs())),
        }
    }

    fn uptime_secs(&self) -> i64 {
        i64::try_from(choice(self.seed, "uptime") % (90 * 86_400)).unwrap_or(0)
    }

    fn hardware(&self) -> Hardware {
        let (cpu_model, cores) = pick(self.seed, "cpu", &PROCESSORS);
        Hardware {
            cpu_model: text(cpu_model),
            cores,
            memory_bytes: pick(self.seed, "memory", &[4, 8, 16, 32, 64]) * GIB,
            vendor: text("Sallyport (simulated)"),
            product: text("Simulated device"),
            serial: text(&format!("SIM{:05}", self.number)),
            is_virtual: true,
        }
    }

    fn disks(&self) -> Vec<Disk> {
        let disk = |device: &str, mount: &str, total: u64, used_percent: u64| Disk {
            device: text(device),
            mount: text(mount),
            filesystem: text("ext4"),
            total_bytes: total,
            free_bytes: total / 100 * (100 - used_percent),
        };
        let used = if self.one_of("full disk", 19) { 93 + choice(self.seed, "how full") % 7 } else { 12 + choice(self.seed, "used") % 70 };
        vec![
            disk("/dev/vda1", "/", pick(self.seed, "disk", &[32, 64, 256]) * GIB, used),
            disk("/dev/vdb1", "/srv", 512 * GIB, choice(self.seed, "srv") % 80),
        ]
    }

    fn interfaces(&self) -> Vec<Interface> {
        let [_, _, _, _, _, a, b, c] = choice(self.seed, "mac").to_be_bytes();
        let mac = format!("02:00:00:{a:02x}:{b:02x}:{c:02x}");
        vec![Interface { name: text("eth0"), mac: text(&mac), addresses: vec![text(&format!("198.18.{a}.{b}/16"))] }]
    }

    fn services(&self) -> Vec<Service> {
        let failed = if self.one_of("failed service", 17) { choice(self.seed, "which") % SERVICES.len() as u64 } else { u64::MAX };
        let service = |(at, name): (u64, &&str)| {
            let state = match at {
                at if at == failed => ServiceState::Failed,
                _ if choice(self.seed, name).is_multiple_of(5) => ServiceState::Stopped,
                _ => ServiceState::Running,
            };
            let start = if state == ServiceState::Stopped { ServiceStart::Disabled } else { ServiceStart::Automatic };
            Service { name: text(name), description: text("Simulated service"), state, start }
        };
        (0..).zip(SERVICES.iter()).map(service).collect()
    }

    fn processes(&self, now: Timestamp) -> Vec<Process> {
        let process = |(at, name): (u32, &&str)| Process {
            pid: 300 + at * 17,
            parent_pid: 1,
            user: text("root"),
            name: text(name.trim_end_matches(".service")),
            command_line: text(&format!("/usr/sbin/{}", name.trim_end_matches(".service"))),
            cpu_permille: u32::try_from(choice(self.seed, name) % 90).unwrap_or(0),
            memory_bytes: (4 + choice(self.seed, name) % 200) << 20,
            started_at: Some(now.plus_secs(-self.uptime_secs())),
        };
        (0..).zip(SERVICES.iter()).map(process).collect()
    }

    fn people(&self) -> (Vec<SignedIn>, Vec<LocalUser>) {
        let person = pick(self.seed, "person", &PEOPLE);
        let signed_in = SignedIn { name: text(person), terminal: text("tty1"), origin: text(""), since: None };
        let users = [("root", "0", true), (person, "1000", self.one_of("admin", 3))];
        let users = users.map(|(name, id, is_administrator)| LocalUser { name: text(name), id: text(id), is_administrator });
        (if self.one_of("signed in", 2) { vec![signed_in] } else { Vec::new() }, users.to_vec())
    }
}

impl Facts for Invented {
    fn inventory(&self, now: Timestamp) -> Inventory {
        let (signed_in, local_users) = self.people();
        let version = |name: &str| format!("{}.{}", choice(self.seed, name) % 9, choice(self.seed, name) % 37);
        let package = |name: &&str| Software { name: text(name), version: text(&version(name)), source: text("dpkg") };
        Inventory {
            collected_at: now,
            system: self.describe(now),
            hardware: self.hardware(),
            disks: self.disks(),
            interfaces: self.interfaces(),
            signed_in,
            local_users,
            software: PACKAGES.iter().map(package).collect(),
            processes: self.processes(now),
            services: self.services(),
            ports: vec![ListeningPort { protocol: text("tcp"), address: text("0.0.0.0"), port: 22, pid: 300, process: text("ssh") }],
            omitted: 0,
        }
    }

    fn heartbeat(&self, now: Timestamp) -> Heartbeat {
        let minute = now.secs() / 60;
        Heartbeat {
            sent_at: now,
            load_permille: u32::try_from(choice(self.seed, &format!("load {minute}")) % 2500).unwrap_or(0),
            memory_used_bytes: GIB + choice(self.seed, &format!("memory {minute}")) % (2 * GIB),
            uptime_secs: u64::try_from(self.uptime_secs()).unwrap_or(0),
            signed_in: u32::from(self.one_of("signed in", 2)),
        }
    }

    fn introduction(&self) -> Introduction {
        let (name, version, _) = self.system();
        let arch = pick(self.seed, "arch", &["x86_64", "x86_64", "x86_64", "aarch64"]);
        Introduction { hostname: text(&self.hostname()), os: text(&format!("{name} {version} (simulated)")), arch: text(arch) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_simulated_device_says_so_and_is_the_same_in_every_run() {
        let now = Timestamp::from_secs(1_790_000_000);
        let one = Invented { seed: 7, number: 3 };
        let inventory = one.inventory(now);
        assert_eq!(inventory, one.inventory(now));
        assert!(one.hostname().starts_with(PREFIX));
        assert!(inventory.system.os_version.as_str().contains("simulated") && inventory.hardware.vendor.as_str().contains("simulated"));
        assert_ne!(inventory.to_bytes(), Invented { seed: 8, number: 3 }.inventory(now).to_bytes());
    }

    #[test]
    fn some_of_two_hundred_want_attention_and_most_do_not() {
        let now = Timestamp::from_secs(1_790_000_000);
        let wants = |seed: u64| {
            let inventory = Invented { seed, number: 0 }.inventory(now);
            let full = inventory.disks.iter().any(|disk| disk.free_bytes * 10 < disk.total_bytes);
            full || inventory.services.iter().any(|service| service.state == ServiceState::Failed)
        };
        let count = (0..200).filter(|seed| wants(*seed)).count();
        assert!((5..60).contains(&count), "{count}");
    }
}
