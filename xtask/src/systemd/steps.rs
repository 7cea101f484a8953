//! What the agent does as a service of systemd: each step is a shell script inside the container.

/// What is shown, in order; each is a shell script inside the container that fails when it does not hold.
pub(super) const STEPS: [(&str, &str); 17] = [
    ("the agent installs itself as a service", "/opt/sallyport-agent install"),
    ("the unit is active and enabled", "systemctl is-active sallyport-agent && systemctl is-enabled sallyport-agent"),
    (
        "status says that nobody commands the device",
        "for i in $(seq 40); do sallyport-agent status | grep Nobody && exit; sleep 0.25; done; exit 1",
    ),
    (
        "what the unit closes is closed, as systemd sees it",
        r#"cd /tmp && properties=RestrictRealtime,LockPersonality,KeyringMode,NoNewPrivileges,UMask,LimitNOFILE,TasksMax,KillMode,OOMPolicy,Restart
        families=$(systemctl show -P RestrictAddressFamilies sallyport-agent | tr ' ' '\n' | sort | tr '\n' ' ')
        test "$families" = 'AF_INET AF_INET6 AF_NETLINK AF_PACKET AF_UNIX ' || { echo "families: $families"; exit 1; }
        test "$(systemctl show -P MemoryHigh sallyport-agent)" -gt 0 || exit 1
        systemctl show -p "$properties,StateDirectory,StateDirectoryMode,TimeoutStopUSec" sallyport-agent | sort > seen
        cat > wanted <<'END'
KeyringMode=private
KillMode=mixed
LimitNOFILE=16384
LockPersonality=yes
NoNewPrivileges=no
OOMPolicy=continue
Restart=always
RestrictRealtime=yes
StateDirectory=sallyport-agent
StateDirectoryMode=0700
TasksMax=8192
TimeoutStopUSec=15s
UMask=0077
END
        diff wanted seen"#,
    ),
    (
        "the kernel filters the agent's calls, and the exposure that systemd counts stays below its bound",
        r#"filters() { awk '$1 == "Seccomp_filters:" { print $2 }' /proc/$1/status; }
        agent=$(systemctl show -P MainPID sallyport-agent)
        echo "filters: $(filters 1) of the container, $(filters $agent) of the agent"
        test "$(filters $agent)" -gt "$(filters 1)" && grep -w 'Max open files' /proc/$agent/limits | grep -w 16384 &&
        systemd-analyze security --no-pager --threshold=92 sallyport-agent"#,
    ),
    (
        "the agent's folder is private",
        "test \"$(stat -c %a:%U /var/lib/sallyport-agent)\" = 700:root && ! find /var/lib/sallyport-agent -type f -perm /077 | grep .",
    ),
    ("the unit is killed and comes back", "systemctl kill -s KILL sallyport-agent && sleep 3 && systemctl is-active sallyport-agent"),
    ("a restart ends the agent in an orderly way", "systemctl restart sallyport-agent && journalctl -u sallyport-agent | grep -w stopped"),
    (
        "background sessions list services",
        r#"/opt/background '{"t":"services","id":1}' | grep -F '"name":"systemd-journald.service"' | grep -F '"name":"sallyport-agent.service"'"#,
    ),
    (
        "a service is restarted, and told as it is then",
        r#"printf '[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n' > /etc/systemd/system/lab.service
        systemctl daemon-reload && systemctl start lab && before=$(systemctl show -P MainPID lab)
        /opt/background '{"t":"service_do","id":1,"name":"lab.service","what":"restart"}' > /tmp/told || exit 1
        after=$(systemctl show -P MainPID lab)
        test "$after" -gt 1 && test "$before" != "$after" && grep -F "\"pid\":$after" /tmp/told && grep -F '"state":"active"' /tmp/told"#,
    ),
    (
        "a service is stopped, enabled and disabled",
        r#"/opt/background '{"t":"service_do","id":1,"name":"lab.service","what":"stop"}' | grep -F '"state":"inactive"' &&
        /opt/background '{"t":"service_do","id":2,"name":"lab.service","what":"enable"}' | grep -F '"start":"enabled"' && systemctl is-enabled lab &&
        /opt/background '{"t":"service_do","id":3,"name":"lab.service","what":"disable"}' | grep -F '"start":"disabled"' && ! systemctl is-enabled lab"#,
    ),
    (
        "a start that fails is told with its reason",
        r#"printf '[Service]\nType=oneshot\nExecStart=/bin/false\n' > /etc/systemd/system/fails.service && systemctl daemon-reload
        /opt/background '{"t":"service_do","id":1,"name":"fails.service","what":"start"}' > /tmp/told && exit 1
        grep -F '"code":"service_failed"' /tmp/told | grep -F 'fails.service failed'"#,
    ),
    (
        "a service's details have dependencies and log lines",
        r#"/opt/background '{"t":"service","id":1,"name":"fails.service"}' > /tmp/told || exit 1
        grep -F '"result":"exit-code"' /tmp/told | grep -F '"sysinit.target"' | grep -F "Failed with result 'exit-code'""#,
    ),
    (
        "unknown services and the agent's own are refused",
        r#"/opt/background '{"t":"service_do","id":1,"name":"no-such.service","what":"start"}' > /tmp/told && exit 1
        grep -F '"code":"not_found"' /tmp/told || exit 1
        /opt/background '{"t":"service_do","id":1,"name":"sallyport-agent.service","what":"stop"}' > /tmp/told && exit 1
        grep -F '"code":"own_agent"' /tmp/told && systemctl is-active sallyport-agent"#,
    ),
    (
        "the journal is followed while it is written",
        r#"(sleep 2; echo a-line-of-the-lab | systemd-cat -t lab -p warning) &
        timeout 30 /opt/background '{"t":"logs","id":1,"unit":null,"priority":4,"since":null,"grep":"a-line-of-the-.ab","follow":"yes"}' 1 > /tmp/told
        grep -F '"message":"a-line-of-the-lab"' /tmp/told | grep -F '"unit":"lab"'"#,
    ),
    (
        "the journal is searched",
        r#"/opt/background '{"t":"logs","id":1,"unit":"fails.service","priority":3,"since":null,"grep":null,"follow":"no"}' | grep -F '"priority":3' &&
        /opt/background '{"t":"logs","id":2,"unit":null,"priority":null,"since":null,"grep":"nowhere-to-be-f.und","follow":"no"}' | grep -F '"t":"ok"'"#,
    ),
    (
        "no program that was asked outlives its session",
        r#"/opt/background '{"t":"logs","id":1,"unit":null,"priority":null,"since":null,"grep":null,"follow":"yes"}' 1 >/dev/null && sleep 0.5 && ! pgrep journalctl"#,
    ),
];

/// What comes after everything else.
pub(super) const LAST: (&str, &str) = (
    "uninstalling leaves no unit and no program behind",
    "sallyport-agent uninstall && ! systemctl cat sallyport-agent && ! test -e /usr/local/bin/sallyport-agent",
);
