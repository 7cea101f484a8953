use std::collections::BTreeMap;

use proptest::prelude::*;
use sallyport_wire::{ServiceStart, ServiceState};

use super::*;

#[test]
fn this_machine_can_be_read_and_sent() {
    let facts = MachineFacts { agent_version: "1.2.3".to_owned() };
    let inventory = facts.inventory(Timestamp::from_secs(1_790_000_000)).fitted();
    assert!(inventory.processes.iter().any(|process| process.pid == std::process::id()));
    assert!(inventory.hardware.memory_bytes > 0 && inventory.hardware.cores > 0);
    assert!(inventory.local_users.iter().any(|user| user.name.as_str() == "root" && user.is_administrator));
    assert!(!inventory.software.is_empty() && !inventory.disks.is_empty());
    assert_eq!(sallyport_wire::Inventory::from_bytes(&inventory.to_bytes().expect("bytes")), Ok(inventory));
    assert!(facts.heartbeat(Timestamp::default()).uptime_secs > 0);
    assert!(!facts.introduction().hostname.as_str().is_empty());
}

/// What `ip` says, which is neither our reading of `/sys` nor our question to the kernel.
#[test]
fn the_networks_of_this_machine_are_those_that_ip_shows() {
    let ip = |what: &str| {
        let output = std::process::Command::new("ip").args(["-json", what, "show"]).output().expect("iproute2 is installed");
        serde_json::from_slice::<Vec<serde_json::Value>>(&output.stdout).expect("a list")
    };
    let facts = MachineFacts { agent_version: "1.2.3".to_owned() }.inventory(Timestamp::from_secs(1_790_000_000));
    let ours: BTreeMap<&str, (&str, Vec<&str>)> = facts
        .interfaces
        .iter()
        .map(|one| (one.name.as_str(), (one.mac.as_str(), one.addresses.iter().map(sallyport_model::AgentText::as_str).collect())))
        .collect();
    let others: Vec<_> = ip("address").into_iter().filter(|one| one["ifname"] != "lo").collect();
    assert_eq!(ours.len(), others.len(), "{ours:?}");
    assert!(!others.is_empty(), "a machine in a network");
    for other in &others {
        let (mac, addresses) = &ours[other["ifname"].as_str().expect("a name")];
        assert_eq!(Some(*mac), other["address"].as_str());
        for address in other["addr_info"].as_array().into_iter().flatten() {
            let local = address["local"].as_str().expect("an address");
            assert!(addresses.iter().any(|one| one.split('/').next() == Some(local)), "{local} is missing in {addresses:?}");
        }
    }
}

#[test]
fn os_release_is_read_with_and_without_quotes() {
    let text = "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nNAME=\"Debian GNU/Linux\"\nVERSION_ID=\"12\"\n";
    assert_eq!(system::parse_os_release(text), ("Debian GNU/Linux".to_owned(), "12".to_owned()));
    assert_eq!(system::parse_os_release("NAME=Fedora\nVERSION_ID=44\n"), ("Fedora".to_owned(), "44".to_owned()));
    assert_eq!(system::parse_os_release(""), ("Linux".to_owned(), String::new()));
}

#[test]
fn virtual_machines_are_told_by_flag_or_name() {
    assert!(system::is_virtual("flags\t\t: fpu vme hypervisor sse\n", "", ""));
    assert!(system::is_virtual("", "QEMU", "Standard PC"));
    assert!(!system::is_virtual("flags\t\t: fpu vme\n", "LENOVO", "20XW"));
}

#[test]
fn mounts_are_real_ones_once_each() {
    let text = "proc /proc proc rw 0 0\n/dev/sda1 / ext4 rw 0 0\n/dev/sda1 /var/bind ext4 rw 0 0\nnas:/x /mnt/nas nfs4 rw 0 0\n\
                /dev/sdb1 /media/My\\040Disk vfat rw 0 0\nbroken\n";
    let places: Vec<String> = volumes::parse_mounts(text).into_iter().map(|mount| mount.place).collect();
    assert_eq!(places, ["/", "/media/My Disk"]);
}

#[test]
fn accounts_and_administrators() {
    let accounts =
        users::parse_passwd("root:x:0:0:root:/root:/bin/bash\nbroken\nada:x:1000:1000:A,,,:/home/ada:/bin/zsh\n:x:1:1:::/bin/sh\n");
    assert_eq!(accounts.iter().map(|account| account.name.as_str()).collect::<Vec<_>>(), ["root", "ada"]);
    let administrators = users::parse_administrators("root:x:0:\nsudo:x:27:ada,bob\nusers:x:100:eve\n");
    assert_eq!(administrators.into_iter().collect::<Vec<_>>(), ["ada", "bob"]);
}

#[test]
fn utmp_records_of_users_who_are_there_only() {
    let mut record = vec![0u8; 384];
    record[..2].copy_from_slice(&7u16.to_ne_bytes());
    record[4..8].copy_from_slice(&64i32.to_ne_bytes());
    record[8..13].copy_from_slice(b"pts/0");
    record[44..47].copy_from_slice(b"ada");
    record[76..85].copy_from_slice(b"192.0.2.7");
    record[340..344].copy_from_slice(&1_790_000_000u32.to_ne_bytes());
    let mut boot = record.clone();
    boot[..2].copy_from_slice(&2u16.to_ne_bytes());
    let mut over = record.clone();
    over[4..8].copy_from_slice(&65i32.to_ne_bytes());
    let found = users::parse_utmp(&[boot, record, over, vec![7; 100]].concat(), |pid| pid == 64);
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].name.as_str(), found[0].terminal.as_str(), found[0].origin.as_str()), ("ada", "pts/0", "192.0.2.7"));
    assert_eq!(found[0].since, Some(Timestamp::from_secs(1_790_000_000)));
}

#[test]
fn packages_of_three_systems() {
    let dpkg = "Package: bash\nStatus: install ok installed\nVersion: 5.2-2\nDescription: shell\n more\n\nPackage: gone\nStatus: deinstall ok config-files\nVersion: 1\n";
    let names = |list: Vec<sallyport_wire::Software>| {
        list.iter().map(|one| format!("{} {} {}", one.name, one.version, one.source)).collect::<Vec<_>>()
    };
    assert_eq!(names(software::parse_dpkg(dpkg)), ["bash 5.2-2 dpkg"]);
    assert_eq!(names(software::parse_apk("C:Q1\nP:musl\nV:1.2.5-r0\n\nP:half\n")), ["musl 1.2.5-r0 apk"]);
    assert_eq!(names(software::parse_rpm("glibc\t2.39-1.fc40\nbroken\n")), ["glibc 2.39-1.fc40 rpm"]);
}

#[test]
fn a_process_that_calls_itself_something_odd() {
    let stat = "42 (a) b (c)) S 7 42 42 0 -1 4194560 1 2 3 4 150 50 0 0 20 0 1 0 12345 1 2";
    let found = processes::parse_stat(stat).expect("stat");
    assert_eq!((found.name.as_str(), found.parent, found.cpu_ticks, found.started_ticks), ("a) b (c)", 7, 200, 12345));
    assert_eq!(found.cpu_permille(223), 20);
    assert_eq!(processes::command_line("sh\0-c\0a b\0\0"), "sh -c a b");
}

#[test]
fn services_with_state_and_start() {
    let starts = services::parse_unit_files("ssh.service enabled enabled\ncron.service disabled\nx\n");
    let text = "ssh.service loaded active running OpenBSD Secure Shell server\ncron.service loaded failed failed Cron\ngone.service not-found inactive dead gone\nshort line\n";
    let found = services::parse_units(text, &starts);
    let told: Vec<_> = found.iter().map(|one| (one.name.as_str(), one.state, one.start)).collect();
    assert_eq!(
        told,
        [("ssh.service", ServiceState::Running, ServiceStart::Automatic), ("cron.service", ServiceState::Failed, ServiceStart::Disabled)]
    );
    assert_eq!(found[0].description.as_str(), "OpenBSD Secure Shell server");
}

proptest! {
    #[test]
    fn garbage_is_no_reason_to_panic(bytes in proptest::collection::vec(any::<u8>(), 0..900), text in "[ -~\n\t:()]{0,300}") {
        for text in [String::from_utf8_lossy(&bytes).into_owned(), text] {
            let _ = (system::parse_os_release(&text), system::booted_at(&text), system::parse_load(&text), volumes::parse_mounts(&text));
            let _ = (users::parse_passwd(&text), users::parse_administrators(&text), software::parse_dpkg(&text), software::parse_apk(&text));
            let _ = (software::parse_rpm(&text), processes::owner(&text), processes::command_line(&text), services::parse_unit_files(&text));
            let _ = services::parse_units(&text, &BTreeMap::new());
            if let Some(stat) = processes::parse_stat(&text) {
                let _ = stat.cpu_permille(7);
            }
        }
        let _ = users::parse_utmp(&bytes, |_| true);
    }
}
