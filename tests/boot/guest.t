#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""vpod-init in a VM, spoken to by the protocol alone: no supervisor, no store.  Speaks TAP.

  tests/boot/guest.t [NAME...]     KERNEL=vmlinux  INIT=vpod-init  MODULES='a.ko b.ko'
"""
import os
import struct
import subprocess
import sys
import tempfile
import time
import traceback

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, TOP + "/tests/tools")
import guestrig as g  # noqa: E402

KERNEL = os.environ.get("KERNEL", "")  # default: the tuned one, see tuned_kernel()
MODULES = os.environ.get("MODULES", "").split()
INIT = os.environ.get("INIT", os.path.join(TOP, os.environ.get("O", "build"), "vpod-init"))
WORK = tempfile.mkdtemp(prefix="vpod-guest.")
KHZ = 0


def tuned_kernel():
    build = subprocess.run([TOP + "/kernel-config/build"], capture_output=True, text=True)
    return (build.stdout.split() or [""])[-1] + "/vmlinux"


def shell(cmd):
    subprocess.run(cmd, shell=True, check=True, cwd=WORK, stdout=subprocess.DEVNULL)


def make_images():
    shell(f"""set -e
mkdir -p bb/bin bb/etc bb/tmp bb/data/sub bb/root small; chmod 1777 bb/tmp
musl-gcc -O1 -static -o small/guestpay {TOP}/tests/tools/guestpay.c
cp small/guestpay bb/bin/; cp /bin/busybox bb/bin/
for a in $(/bin/busybox --list); do [ $a = busybox ] || ln -s busybox bb/bin/$a; done
printf 'root:x:0:0:root:/root:/bin/sh\nwww:x:33:34:web:/srv/www:/bin/ash\n' > bb/etc/passwd
printf 'root:x:0:\nweb:x:34:\nextra:x:77:bob,www\nother:x:78:bob\n' > bb/etc/group
echo hello > bb/data/file; echo x > bb/data/sub/deep; ln -s file bb/data/link
chown -h 33:34 bb/data/file bb/data bb/data/link; chmod 4711 bb/data/sub; chmod 640 bb/data/file
setfattr -n user.note -v kept bb/data/file 2>/dev/null || true
touch -d 2001-01-01T00:00Z bb/data/file
echo text > bb/etc/notexec
printf '#!/nope\n' > bb/bin/badinterp; printf hello > bb/bin/garbage; chmod 755 bb/bin/badinterp bb/bin/garbage
ln -s /proc/1/root/scratch bb/out; ln -s /../scratch bb/up
mkfs.erofs --quiet bb.erofs bb; mkfs.erofs --quiet small.erofs small
ln -s ../run/systemd/resolve/stub-resolv.conf bb/etc/resolv.conf
ln -s /../../etc/hosts.real bb/etc/hosts; echo own > bb/etc/hosts.real
mkfs.erofs --quiet links.erofs bb""")


def boot(apps, **kw):
    rig = {k: kw.pop(k) for k in ("memory", "cpus", "extra", "macs") if k in kw}
    disks = [("bb", WORK + "/bb.erofs", True), ("small", WORK + "/small.erofs", True),
             ("links", WORK + "/links.erofs", True)]
    disks += kw.pop("disks", [])
    for app in apps:
        app.setdefault("rootfs", "bb")
    return g.Guest(KERNEL, INIT, kw.pop("text", None) or g.spec(apps, **kw), disks, khz=KHZ, modules=MODULES, **rig)


def app(*argv, name="a", **kw):
    return {"app": name, **kw, "exec": list(argv)}


def sh(script, **kw):
    return app("sh", "-c", script, **kw)


def run(*apps, **kw):
    """Runs a pod to its end and returns the Guest, already closed."""
    with boot(list(apps), **kw) as v:
        v.wait()
        v.log = v.console()
    return v


def out(v, session=0, stream=g.STDOUT):
    return v.out.get((session, stream), b"").decode()


def eq(a, b):
    if a != b:
        raise AssertionError(f"{a!r} is not {b!r}")


def check(cond, what):
    if not cond:
        raise AssertionError(what)


# ---- exit status -----------------------------------------------------------------------------

def t_exit_status_and_streams_are_apart():
    v = run(sh("echo out; echo err >&2; exit 7"))
    eq(v.exited(), (7, 0, 0))
    eq((out(v), out(v, 0, g.STDERR)), ("out\n", "err\n"))
    kinds = [f[0] for f in v.frames]
    eq(kinds[:3], [g.HELLO, g.READY, g.STARTED])
    eq(sorted(kinds[3:5]), [g.EOF, g.EOF])
    eq(kinds[5:], [g.EXITED, g.DONE])


def t_success_is_0():
    eq(run(app("true")).exited(), (0, 0, 0))


def t_death_by_signal():
    eq(run(sh("kill -9 $$")).exited(), (0, 9, 0))


def t_default_signals_work_for_the_first_process():
    eq(run(sh("kill -TERM $$")).exited(), (0, 15, 0))


def t_not_found_is_127():
    code, num, msg = run(app("nosuchthing")).failed()
    eq(code, 127)
    check("nosuchthing" in msg and "PATH" in msg, msg)
    eq(run(app("/no/such")).failed()[0:2], (127, 2))


def t_missing_interpreter_is_127_and_says_so():
    code, _, msg = run(app("badinterp")).failed()
    eq(code, 127)
    check("interpreter" in msg, msg)


def t_not_executable_is_126():
    for path in "/etc/notexec", "/etc", "/bin/garbage":
        code, _, msg = run(app(path)).failed()
        eq(code, 126)
        check(path in msg, msg)


def t_unknown_user_is_125():
    code, _, msg = run(app("true", user="nobody-here")).failed()
    eq(code, 125)
    check("nobody-here" in msg, msg)


def t_missing_disk_fails_the_pod():
    with boot([app("true", rootfs="gone")]) as v:
        v.wait(60)
        code, _, msg = v.failed(g.POD)
        eq(code, 125)
        check("gone" in msg, msg)


def t_unreadable_spec_fails_the_pod():
    v = run(text=b"vpod-spec 1\n1\nnonsense 1\nx\n")
    check("nonsense" in v.failed(g.POD)[2], v.failed(g.POD))


def t_static_program_alone_in_its_image():
    v = run(app("/guestpay", rootfs="small"))
    eq((v.exited(), out(v)), ((0, 0, 0), "static\n"))


# ---- streams ---------------------------------------------------------------------------------

def pattern(n):
    block = bytes(((i * 7) >> 3) & 255 for i in range(2048))
    return block * (n // 2048)


def t_100_mb_out():
    n = 100 << 20
    seen = []
    with boot([app("guestpay", "spew", str(n))], debug=False) as v:
        v.sink = lambda s, st, p: seen.append(p)
        v.wait(300)
        eq(v.exited(), (0, 0, 0))
        took = v.times[g.DONE] - v.times[g.STARTED]
    got = b"".join(seen)
    eq(len(got), n)
    check(got[:4096] == pattern(4096) and got[-65536:] == pattern(65536), "bytes differ")
    print(f"# {n / took / 1e6:.1f} MB/s up")


def t_32_mb_through_cat():
    data = os.urandom(1 << 20) * 32
    seen = []
    with boot([app("cat", stdin=1)], debug=False) as v:
        v.sink = lambda s, st, p: seen.append(p)
        v.feed(0, data)
        v.wait(300)
        took = v.times[g.DONE] - v.times[g.STARTED]
    check(b"".join(seen) == data, "bytes differ")
    print(f"# {len(data) / took / 1e6:.1f} MB/s both ways")


def t_half_close_leaves_output_open():
    with boot([sh("cat >/dev/null; echo late; sleep 0.2; echo later", stdin=1)]) as v:
        v.feed(0, b"x" * 10)
        v.wait()
        eq(out(v), "late\nlater\n")


def t_empty_stdin_ends_at_once():
    with boot([sh("cat; echo end", stdin=1)]) as v:
        v.feed(0, b"")
        v.wait()
        eq(out(v), "end\n")


def t_no_stdin_is_dev_null():
    v = run(sh("cat; readlink /proc/self/fd/0"))
    eq(out(v), "/dev/null\n")


def t_app_that_closes_stdin_tells():
    with boot([sh("exec <&-; sleep 0.3; echo on", stdin=1)]) as v:
        v.feed(0, b"y" * 1000000)
        v.wait()
        check(v.has(g.CLOSE, 0), v.frames)
        eq((out(v), v.exited()), ("on\n", (0, 0, 0)))


def t_close_of_stdout_is_sigpipe():
    with boot([app("yes")]) as v:
        v.until(lambda: len(out(v)) > 10000)
        v.close_output(0, g.STDOUT)
        v.wait()
        eq(v.exited(), (0, 13, 0))


def t_slow_reader_stops_only_its_app():
    with boot([app("yes", name="a"), sh("sleep 0.5; seq 1 50000 | tail -n 1", name="b")]) as v:
        v.auto_credit = False
        v.until(lambda: v.has(g.EXITED, 1))
        eq(out(v, 1), "50000\n")
        eq(len(out(v, 0)), g.WINDOW)
        check(not v.has(g.EXITED, 0), "yes ended")
        v.close_output(0, g.STDOUT)
        v.stop(1000)
        v.wait()


def t_output_of_a_dead_app_waits_for_its_reader():
    with boot([sh("head -c 200000 /dev/zero")]) as v:
        v.auto_credit = False
        v.until(lambda: len(out(v)) == g.WINDOW)
        time.sleep(0.2)
        check(not v.has(g.EXITED), "exit overtook output")
        v.send(g.CREDIT, 0, g.STDOUT, struct.pack("<I", g.WINDOW))
        v.wait()
        eq((len(out(v)), v.exited()), (200000, (0, 0, 0)))


def t_streams_can_be_opened_again_by_their_user():
    v = run(sh("echo one >/dev/stdout; echo two >/dev/stderr", user="www"))
    eq((out(v), out(v, 0, g.STDERR)), ("one\n", "two\n"))


# ---- pods ------------------------------------------------------------------------------------

def t_two_apps_of_one_image_do_not_share_files():
    v = run(sh("echo 1 > /etc/mine; cat /etc/mine", name="a"),
            sh("sleep 0.3; cat /etc/mine || echo none", name="b"))
    eq((out(v, 0), out(v, 1)), ("1\n", "none\n"))


def t_first_failure_ends_the_pod():
    v = run(sh("trap 'echo bye; exit 0' TERM; while :; do sleep 0.1; done", name="a"),
            sh("sleep 0.5; exit 3", name="b"))
    eq((v.exited(1), v.exited(0), out(v, 0)), ((3, 0, 0), (0, 0, 0), "bye\n"))


def t_success_of_one_leaves_the_other():
    v = run(sh("sleep 0.6; echo still", name="a"), app("true", name="b"))
    eq((out(v, 0), v.exited(0), v.exited(1)), ("still\n", (0, 0, 0), (0, 0, 0)))


def t_app_that_cannot_start_ends_the_pod():
    v = run(app("sleep", "60", name="a"), app("nosuch", name="b"), app("true", name="c"))
    eq((v.failed(1)[0], v.exited(0), v.has(g.STARTED, 2)), (127, (0, 15, 0), False))


def t_stop_is_the_apps_signal_then_sigkill():
    with boot([sh("trap 'echo got; exit 5' USR1; echo up; while :; do sleep 0.05; done",
                  stopsignal=10)]) as v:
        v.until(lambda: out(v) == "up\n")
        v.stop(5000)
        v.wait()
        eq((v.exited(), out(v)), ((5, 0, 0), "up\ngot\n"))
    with boot([sh("trap '' TERM; echo up; while :; do sleep 0.05; done")]) as v:
        v.until(lambda: out(v) == "up\n")
        began = time.monotonic()
        v.stop(700)
        v.wait()
        eq(v.exited(), (0, 9, 0))
        check(time.monotonic() - began > 0.5, "killed too soon")


def t_signals_reach_the_main_process():
    with boot([sh("trap 'echo hup' HUP; echo up; sleep 0.2; sleep 0.2; sleep 0.2; exit 0")]) as v:
        v.until(lambda: out(v) == "up\n")
        v.signal(1, 0)
        v.wait()
        eq(out(v), "up\nhup\n")


def t_signal_before_the_start_arrives_after_it():
    with boot([app("sleep", "60")]) as v:
        v.until(lambda: v.has(g.HELLO))
        v.signal(15, 0)
        v.wait()
        eq(v.exited(), (0, 15, 0))


def t_orphans_are_reaped_and_killed():
    v = run(sh("(sleep 0.1 &); guestpay orphan; sleep 0.4; ps -o stat | grep -c Z; exit 0"))
    eq(v.exited(), (0, 0, 0))
    eq(out(v), "0\n")


def t_host_that_hangs_up_ends_the_guest():
    with boot([app("sleep", "600")]) as v:
        v.until(lambda: v.has(g.STARTED))
        v.sock.close()
        v.qemu.wait(20)


def t_apps_cannot_hurt_pid_1():
    v = run(sh("for s in 1 2 3 9 11 15 17; do kill -$s 1; done; "
               "cat /proc/1/environ /proc/1/maps; ls /proc/1/root; echo $?"))
    eq(v.exited()[:2], (0, 0))
    check(out(v).endswith("1\n"), out(v))


# ---- limits ----------------------------------------------------------------------------------

def t_memory_limit_is_told_as_oom():
    v = run(app("guestpay", "eat", memory=16 << 20))
    eq(v.exited(), (0, 9, 1))


def t_oom_of_a_child_is_told():
    eq(run(sh("guestpay eat; exit 9", memory=16 << 20)).exited(), (9, 0, 1))


def t_guest_out_of_memory_is_told():
    eq(run(app("guestpay", "eat"), memory=96).exited(), (0, 9, 1))


def t_limits_are_in_the_cgroup():
    v = run(sh("cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/cpu.max; cat /proc/self/cgroup; "
               "echo max > /sys/fs/cgroup/memory.max", memory=64 << 20, cpu=500))
    eq(out(v), "67108864\n50000 100000\n0::/\n")


def t_rlimits():
    v = run(sh("ulimit -n; ulimit -Hn; ulimit -c", rlimit=["nofile 100 200", "core 0 unlimited"]))
    eq(out(v), "100\n200\n0\n")


# ---- who and where ---------------------------------------------------------------------------

def t_root_has_14_capabilities():
    v = run(sh("grep -E 'Cap|NoNew' /proc/self/status | tr -d '\\t'"))
    eq(out(v).split(), ["CapInh:0000000000000000", "CapPrm:00000000a80425fb", "CapEff:00000000a80425fb",
                        "CapBnd:00000000a80425fb", "CapAmb:0000000000000000", "NoNewPrivs:0"])


def t_user_has_none_and_no_new_privileges():
    v = run(sh("grep -E 'Cap(Prm|Eff|Bnd)|NoNew' /proc/self/status | tr -d '\\t'", user="www"))
    eq(out(v).split(), ["CapPrm:0000000000000000", "CapEff:0000000000000000",
                        "CapBnd:00000000a80425fb", "NoNewPrivs:1"])


def t_caps_of_the_spec():
    v = run(sh("grep -E 'CapEff|CapBnd' /proc/self/status | tr -d '\\t'", caps="21"))
    eq(out(v).split(), ["CapEff:0000000000000021", "CapBnd:0000000000000021"])


def t_users_and_groups():
    idcmd = "echo $(id -u) $(id -g) $(id -G)"
    eq(out(run(sh(idcmd, user="www"))), "33 34 34 77\n")
    eq(out(run(sh(idcmd, user="33"))), "33 34 34 77\n")
    eq(out(run(sh(idcmd, user="www", group="other"))), "33 78 78\n")
    eq(out(run(sh(idcmd, user="4000", group="4001", gid=["5", "6"]))), "4000 4001 4001 5 6\n")
    eq(out(run(sh(idcmd, user="/data/file", group="/data/file"))), "33 34 34\n")


def t_environment_defaults():
    v = run(app("env", user="www", env=["A=1", "B=x=y", "A=2"]))
    eq(sorted(out(v).split("\n")[:-1]),
       ["A=2", "B=x=y", "HOME=/srv/www", "LOGNAME=www",
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "SHELL=/bin/ash", "USER=www"])


def t_path_of_the_app_is_searched():
    v = run(app("guestpay", env="PATH=/nowhere:/bin"))
    eq(out(v), "static\n")


def t_cwd_is_made():
    v = run(sh("pwd", cwd="/a/b/c"))
    eq(out(v), "/a/b/c\n")


def t_hostname_and_loopback():
    v = run(sh("hostname; ping -c 1 -W 2 127.0.0.1 >/dev/null && echo pong"), hostname="box")
    eq(out(v), "box\npong\n")


# ---- network ---------------------------------------------------------------------------------

MACS = ["52:54:00:00:00:02", "52:54:00:00:00:01"]


def net(script, pod, **kw):
    return run(sh(script, **kw.pop("app", {})), macs=kw.pop("macs", MACS[:1]), pod=pod, **kw)


def t_nic_has_its_address_and_reaches_its_gateway():
    v = net("ip -o -4 addr show dev eth0 | tr -s ' ' | cut -d ' ' -f 3-6; cat /sys/class/net/eth0/mtu; ip route; "
            "ip -6 route show default | cut -d ' ' -f 1-5; ping -c 1 -W 5 10.0.2.2 >/dev/null && echo pong; "
            "cat /proc/sys/net/ipv6/conf/eth0/accept_ra",
            [("nic", f"eth0 {MACS[0]} 1400"), ("addr", "eth0 10.0.2.15/24"), ("addr", "eth0 fec0::15/64"),
             ("route", "eth0 0.0.0.0/0 10.0.2.2"), ("route", "eth0 ::/0 fec0::2")])
    eq(out(v), "inet 10.0.2.15/24 brd 10.0.2.255\n1400\ndefault via 10.0.2.2 dev eth0 \n"
       "10.0.2.0/24 dev eth0 scope link  src 10.0.2.15 \ndefault via fec0::2 dev eth0\npong\n0\n")


def t_gateway_beyond_a_32_is_reached():
    v = net("ping -c 1 -W 5 10.0.2.2 >/dev/null && echo pong",
            [("nic", f"eth0 {MACS[0]} 0"), ("addr", "eth0 10.0.2.15/32"), ("route", "eth0 0.0.0.0/0 10.0.2.2")])
    eq(out(v), "pong\n")


def t_nics_are_named_by_their_addresses():
    for first, second in MACS, MACS[::-1]:
        v = net("cat /sys/class/net/eth0/address /sys/class/net/eth1/address", macs=MACS,
                pod=[("nic", f"eth0 {first} 0"), ("nic", f"eth1 {second} 0")])
        eq(out(v), f"{first}\n{second}\n")


def t_missing_nic_fails_the_pod():
    v = net("true", [("nic", "eth0 02:00:00:00:00:09 0")])
    code, _, msg = v.failed(g.POD)
    eq(code, 125)
    check("nic eth0" in msg and "02:00:00:00:00:09" in msg, msg)


FILES = [("resolv", "nameserver 192.0.2.1\n"), ("hosts", "127.0.0.1 localhost\n")]
SHOW = "cat /etc/resolv.conf /etc/hosts; stat -c '%a %u %g' /etc/resolv.conf /etc/hosts"
SHOWN = "nameserver 192.0.2.1\n127.0.0.1 localhost\n644 0 0\n644 0 0\n"


def t_resolv_and_hosts_are_in_every_app():
    v = run(sh(SHOW + "; echo 192.0.2.2 b >> /etc/hosts", name="a"),
            sh("until grep 192.0.2.2 /etc/hosts; do usleep 20000; done", name="b"), pod=FILES)
    eq((out(v, 0), out(v, 1)), (SHOWN, "192.0.2.2 b\n"))


def t_resolv_and_hosts_of_a_readonly_app():
    v = run(sh(SHOW + "; echo x >> /etc/hosts || echo ro", readonly=1), pod=FILES)
    eq(out(v), SHOWN + "ro\n")


def t_resolv_without_etc():
    # the image has nothing but one program
    v = run(app("/guestpay", "cat", "/etc/resolv.conf", rootfs="small"), pod=FILES)
    eq(out(v), "nameserver 192.0.2.1\n")


def t_links_of_the_image_are_followed_within_it():
    v = run(sh(SHOW + "; readlink /etc/resolv.conf; cat /etc/hosts.real", rootfs="links"), pod=FILES)
    eq(out(v), SHOWN.replace("644 0 0\n644 0 0\n", "644 0 0\n777 0 0\n") + "127.0.0.1 localhost\n")


def t_volume_in_their_place_is_the_users():
    v = run(sh("ls -d /etc/hosts/; cat /etc/resolv.conf", mount="d /etc/hosts"), volumes=["d 0755 0 0"], pod=FILES)
    eq(out(v), "/etc/hosts/\nnameserver 192.0.2.1\n")


def t_directory_in_their_place_is_left():
    v = run(sh("mkdir -p /x; ls /etc | tr '\\n' ' '", mount="d /etc"), volumes=["d 0755 0 0"], pod=FILES)
    eq(out(v), "hosts resolv.conf ")
    v = run(sh("ls /etc", mount="d /etc ro"), volumes=["d 0755 0 0"], pod=FILES)
    eq((out(v), v.exited()), ("", (0, 0, 0)))


def t_images_own_files_stay_without_the_keys():
    eq(out(run(sh("ls /etc | tr '\\n' ' '"))), "group notexec passwd ")


# ---- file systems ----------------------------------------------------------------------------

def t_root_is_writable_unless_readonly():
    eq(out(run(sh("echo x > /new && cat /new; stat -c %a /tmp"))), "x\n1777\n")
    v = run(sh("echo x > /new; echo $?; mount -o remount,rw / ; echo $?", readonly=1))
    eq(out(v), "1\n1\n")


def t_readonly_root_has_mount_points():
    v = run(sh("echo ok > /x/y/vol/f; cat /x/y/vol/f; touch /x/z; echo $?", readonly=1,
               mount="data /x/y/vol"), volumes=["data 0755 0 0"])
    eq(out(v), "ok\n1\n")


def t_volumes_are_shared_between_apps():
    v = run(sh("echo shared > /v/f; sleep 0.5", name="a", mount="d /v"),
            sh("sleep 0.3; cat /w/f; echo no > /w/g || stat -c '%a %u %g' /w", name="b", mount="d /w ro"),
            volumes=["d 1770 5 6"])
    eq(out(v, 1), "shared\n1770 5 6\n")


def t_copyup_keeps_everything():
    v = run(sh("cd /data; cat file; stat -c '%n %a %u %g %Y' file sub .; readlink link; cat sub/deep"
               "; touch new", copyup="d /data"), volumes=["d 0755 0 0"])
    eq(out(v), "hello\nfile 640 33 34 978307200\nsub 4711 0 0 " + out(v).split("sub 4711 0 0 ")[1].split("\n")[0]
       + "\n. 755 33 34 " + out(v).split(". 755 33 34 ")[1].split("\n")[0] + "\nfile\nx\n")


def t_copyup_leaves_a_volume_that_has_content():
    v = run(sh("echo first > /v/file; sleep 0.2", name="a", mount="d /v"), volumes=["d 0755 0 0"])
    eq(v.exited(), (0, 0, 0))


def t_volume_beneath_dev():
    v = run(sh("echo x > /dev/mine/f && cat /dev/mine/f", mount="d /dev/mine"), volumes=["d 0777 0 0"])
    eq(out(v), "x\n")


def t_masks():
    v = run(sh("head -c 1 /proc/kcore | wc -c; cat /proc/kallsyms | wc -c; ls /sys/firmware | wc -l; ls /sys/fs; "
               "echo x > /proc/sysrq-trigger || echo ro; echo x > /proc/sys/kernel/core_pattern || echo ro; "
               "echo 1 > /sys/kernel/profiling || echo ro"))
    eq(out(v), "0\n0\n0\ncgroup\nro\nro\nro\n")


def t_nopaths_lifts_the_masks():
    v = run(sh("ls /sys/fs | grep -c ext4; cat /proc/kallsyms | head -n 1 | wc -l", nopaths=1))
    eq(out(v), "1\n1\n")


def t_devices():
    v = run(sh("echo x > /dev/null; head -c 3 /dev/zero | wc -c; head -c 5 /dev/urandom | wc -c; "
               "echo x > /dev/full; echo $?; ls /dev | tr '\\n' ' '; echo; echo z > /dev/shm/f; cat /dev/shm/f"))
    eq(out(v), "3\n5\n1\nconsole fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero \nz\n")


def t_nodes_of_apps_open_nothing():
    v = run(app("guestpay", "mknod", mount="d /vol"), volumes=["d 0777 0 0"])
    check("OPENED" not in out(v) and out(v).count("\n") == 4, out(v))


def t_chroot_leads_nowhere():
    eq(out(run(app("guestpay", "escape"))), "no scratch no spec\n")


def t_links_of_the_image_do_not_lead_out():
    v = run(sh("true", mount="d /out/apps/b"), volumes=["d 0777 0 0"])
    eq(v.failed()[0] if v.failed() else 0, 125)
    # the parent of an app's root is that root, also while init makes it
    v = run(sh("true", mount="d /up"), volumes=["d 0777 0 0"])
    eq(v.failed()[0] if v.failed() else 0, 125)


def t_descriptors_of_init_do_not_lead_out():
    for fd in range(3, 8):
        v = run(sh("ls -d ../scratch", cwd=f"/proc/self/fd/{fd}"))
        eq(out(v), "")
    v = run(sh("true", mount="d /dev/fd/3/../scratch"), volumes=["d 0777 0 0"])
    eq(v.failed()[0] if v.failed() else 0, 125)


def t_scratch_disk_keeps_what_was_written():
    disk = WORK + "/scratch.img"
    shell("rm -f scratch.img; truncate -s 64M scratch.img; mke2fs -q -t ext4 scratch.img")
    v = run(sh("echo kept > /file; echo vol > /v/file; df -T / | tail -n 1 | cut -c 1-7", mount="d /v"),
            scratch="disk s0", disks=[("s0", disk, False)], volumes=["d 0755 0 0"])
    eq((v.exited(), out(v)), ((0, 0, 0), "overlay\n"))
    fsck = subprocess.run(["e2fsck", "-n", disk], capture_output=True, text=True)
    check(fsck.returncode == 0 and "recovering" not in fsck.stdout, fsck.stdout)
    cat = subprocess.run(["debugfs", "-R", "cat /apps/a/upper/file", disk], capture_output=True, text=True)
    eq(cat.stdout, "kept\n")
    v = run(sh("cat /file /v/file", mount="d /v"), scratch="disk s0", disks=[("s0", disk, False)],
            volumes=["d 0700 9 9"])
    eq(out(v), "kept\nvol\n")


def t_scratch_tmpfs_is_limited():
    v = run(sh("dd if=/dev/zero of=/big bs=1M count=32 2>/dev/null; echo $?"), scratch="tmpfs 8388608")
    eq(out(v), "1\n")


# ---- terminals -------------------------------------------------------------------------------

def t_terminal():
    with boot([sh("tty; stty size; echo $TERM; echo err >&2; cat; trap 'stty size; exit 4' WINCH; echo go; "
                  "while :; do sleep 0.05; done", tty="33 99", stdin=1)]) as v:
        v.until(lambda: "err\r\n" in out(v))
        v.feed(0, b"hello\n\x04", eof=False)
        v.until(lambda: "go" in out(v))
        v.winsize(50, 100)
        v.wait()
        eq(out(v), "/dev/pts/0\r\n33 99\r\nxterm\r\nerr\r\nhello\r\nhello\r\ngo\r\n50 100\r\n")
        eq(v.exited(), (4, 0, 0))


def t_terminal_end_of_input():
    with boot([app("cat", tty="24 80", stdin=1)]) as v:
        v.feed(0, b"half a line")
        v.wait()
        eq((v.exited(), out(v)), ((0, 0, 0), "half a linehalf a line"))


def t_terminal_interrupt():
    with boot([app("cat", tty="24 80", stdin=1)]) as v:
        v.until(lambda: v.has(g.STARTED))
        v.feed(0, b"\x03", eof=False)
        v.wait()
        eq(v.exited(), (0, 2, 0))


def t_terminal_of_a_user():
    v = run(sh("echo x > /dev/tty; echo y > /dev/console; test -t 0 && test -t 1 && test -t 2 && echo yes",
               tty="24 80", user="www"))
    eq(out(v), "x\r\ny\r\nyes\r\n")


def t_terminal_hang_up():
    with boot([app("sleep", "60", tty="24 80", stdin=1)]) as v:
        v.until(lambda: v.has(g.STARTED))
        v.close_output(0, g.STDOUT)
        v.wait()
        eq(v.exited(), (0, 1, 0))


def main():
    global KHZ, KERNEL
    names = sys.argv[1:] or [n[2:] for n in globals() if n.startswith("t_")]
    print(f"1..{len(names)}", flush=True)
    KERNEL = KERNEL or tuned_kernel()
    if not os.path.exists(KERNEL):
        for n, name in enumerate(names, 1):
            print(f"ok {n} - {name} # SKIP no guest kernel")
        return 0
    make_images()
    KHZ = g.tsc_khz()
    failed = 0
    for n, name in enumerate(names, 1):
        try:
            globals()["t_" + name]()
            print(f"ok {n} - {name}", flush=True)
        except Exception:
            failed += 1
            print(f"not ok {n} - {name}")
            print("\n".join("#   " + line for line in traceback.format_exc().splitlines()), flush=True)
    subprocess.run(["rm", "-rf", WORK])
    return failed > 0


sys.exit(main())
