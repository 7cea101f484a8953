//! Operating system and machine.

use sallyport_model::Timestamp;
use sallyport_wire::{Hardware, System};

use super::short;
use super::text::{kilobytes, line, read, value};

const DMI: &str = "/sys/class/dmi/id";

pub(super) fn system(agent_version: &str) -> System {
    let kernel = sallyport_os::machine::kernel();
    let (os_name, os_version) = os_release();
    System {
        hostname: short(&kernel.host_name),
        os_name: short(&os_name),
        os_version: short(&os_version),
        kernel: short(&kernel.release),
        arch: short(&kernel.architecture),
        timezone: short(&timezone()),
        agent_version: short(agent_version),
        booted_at: booted_at(&read("/proc/stat")),
    }
}

/// Name and version as in os-release(5).
pub(super) fn os_release() -> (String, String) {
    let text = read("/etc/os-release");
    parse_os_release(if text.is_empty() { read("/usr/lib/os-release") } else { text }.as_str())
}

pub(super) fn parse_os_release(text: &str) -> (String, String) {
    let unquoted = |name| value(text, name, '=').unwrap_or_default().trim_matches(['"', '\'']).to_owned();
    let name = unquoted("NAME");
    (if name.is_empty() { "Linux".to_owned() } else { name }, unquoted("VERSION_ID"))
}

fn timezone() -> String {
    let named = line("/etc/timezone");
    if !named.is_empty() {
        return named;
    }
    let linked = std::fs::read_link("/etc/localtime").map(|path| path.to_string_lossy().into_owned()).unwrap_or_default();
    linked.split_once("zoneinfo/").map(|(_, zone)| zone.to_owned()).unwrap_or_default()
}

pub(super) fn booted_at(stat: &str) -> Option<Timestamp> {
    let secs = stat.lines().find_map(|line| line.strip_prefix("btime "))?;
    secs.trim().parse().ok().map(Timestamp::from_secs)
}

pub(super) fn hardware() -> Hardware {
    let cpu = read("/proc/cpuinfo");
    let (vendor, product) = (line(format!("{DMI}/sys_vendor")), line(format!("{DMI}/product_name")));
    Hardware {
        cpu_model: short(value(&cpu, "model name", ':').or_else(|| value(&cpu, "Model", ':')).unwrap_or_default()),
        cores: std::thread::available_parallelism().map_or(0, |cores| u32::try_from(cores.get()).unwrap_or(u32::MAX)),
        memory_bytes: kilobytes(&read("/proc/meminfo"), "MemTotal"),
        is_virtual: is_virtual(&cpu, &vendor, &product),
        vendor: short(&vendor),
        product: short(&product),
        serial: short(&line(format!("{DMI}/product_serial"))),
    }
}

/// Processors of virtual machines say so in a flag; some only in the names of their makers.
pub(super) fn is_virtual(cpu: &str, vendor: &str, product: &str) -> bool {
    let flags = value(cpu, "flags", ':').unwrap_or_default();
    let names = format!("{vendor} {product}").to_lowercase();
    let known = ["qemu", "kvm", "vmware", "virtualbox", "virtual machine", "xen", "bochs", "amazon ec2", "google compute", "parallels"];
    flags.split_ascii_whitespace().any(|flag| flag == "hypervisor") || known.iter().any(|known| names.contains(known))
}

pub(super) fn load_permille() -> u32 {
    parse_load(&read("/proc/loadavg"))
}

pub(super) fn parse_load(text: &str) -> u32 {
    let load: f64 = text.split_ascii_whitespace().next().and_then(|load| load.parse().ok()).unwrap_or_default();
    // The cast saturates and makes zero of what is no number.
    (load * 1000.0) as u32
}

pub(super) fn memory_used_bytes() -> u64 {
    let memory = read("/proc/meminfo");
    kilobytes(&memory, "MemTotal").saturating_sub(kilobytes(&memory, "MemAvailable"))
}

pub(super) fn uptime_secs() -> u64 {
    read("/proc/uptime").split('.').next().and_then(|secs| secs.parse().ok()).unwrap_or_default()
}
