#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What vpod-vmm is left with while a guest runs, as /proc shows it.  Needs root and /dev/kvm."""
import collections
import os
import re
import resource
import signal
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import vmmtest  # noqa: E402

MANY = int(os.environ.get("VPOD_TEST_VMMS", "100"))
NAMESPACES = ("mnt", "pid", "net", "ipc", "uts", "user")
CAPS = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")


def need_root():
    vmmtest.need_kvm()
    if os.getuid() != 0:
        raise vmmtest.Skip("needs root to look into other processes")


def status(path):
    with open(f"{path}/status", encoding="ascii") as f:
        return dict((k, v.split()) for k, v in (line.rstrip("\n").split(":", 1) for line in f))


def is_running(vm):
    """All threads have their filter and the guest's first instruction has run."""
    try:
        pid = vm.machine()
        return pid != vm.process.pid and all(
            status(f"/proc/{pid}/task/{t}")["Seccomp"] == ["2"] for t in os.listdir(f"/proc/{pid}/task")
        ) and len(os.listdir(f"/proc/{pid}/task")) > 1
    except (FileNotFoundError, ProcessLookupError):
        return False


def started(**kw):
    vm = vmmtest.Vmm("idle", **kw)
    vmmtest.until(lambda: is_running(vm) or vm.process.poll() is not None, "it runs")
    assert vm.process.poll() is None, vm.process.stderr.read()
    return vm


def check_rights(path):
    s = status(path)
    assert "0" not in s["Uid"] + s["Gid"], (s["Uid"], s["Gid"])
    assert len(set(s["Uid"])) == 1 and not s["Groups"], (s["Uid"], s["Groups"])
    for cap in CAPS:
        assert int(s[cap][0], 16) == 0, (path, cap, s[cap])
    assert s["NoNewPrivs"] == ["1"] and s["Seccomp"] == ["2"], (path, s["Seccomp"])
    return s["Uid"][0]


def files(pid):
    return collections.Counter(os.readlink(f"/proc/{pid}/fd/{n}") for n in os.listdir(f"/proc/{pid}/fd"))


def anonymous(counter):
    """Inode numbers and this test's own files do not compare."""
    names = collections.Counter()
    for name, n in counter.items():
        names[re.sub(r":\[\d+\]$", ":", name)] += n
    return names


def declared(spec):
    out = subprocess.run([vmmtest.VMM, "--surface", f"--spec={spec}"], check=True, text=True,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE).stdout
    lines = [line.split() for line in out.splitlines() if line.startswith("file ")]
    return lines


def check_root(pid):
    assert os.listdir(f"/proc/{pid}/root") == []
    with open(f"/proc/{pid}/mountinfo", encoding="ascii") as f:
        mounts = [line.split() for line in f]
    assert len(mounts) == 1, mounts
    assert mounts[0][4] == "/" and mounts[0][5].startswith("ro,nosuid"), mounts


def t_a_hundred_at_once_have_nothing():
    need_root()
    vms, uids, spaces = [], set(), collections.defaultdict(set)
    try:
        for _ in range(MANY):
            vms.append(vmmtest.Vmm("idle", lines=["rng"], cpus=2))
        for vm in vms:
            vmmtest.until(lambda v=vm: is_running(v) or v.process.poll() is not None, "it runs")
            assert vm.process.poll() is None, vm.process.stderr.read()
        expected = anonymous(collections.Counter(words[1] for words in declared(vms[0].spec)))
        for vm in vms:
            pid = vm.machine()
            threads = os.listdir(f"/proc/{pid}/task")
            assert len(threads) >= 3, threads
            mine = {check_rights(f"/proc/{pid}/task/{t}") for t in threads}
            assert mine == {check_rights(f"/proc/{vm.process.pid}")} and not mine & uids, mine
            uids |= mine
            for n in NAMESPACES:
                spaces[n].add(os.readlink(f"/proc/{pid}/ns/{n}"))
            check_root(pid)
            own = anonymous(files(pid))
            for path in (vm.serial, vm.report):
                assert own.pop(path) == 1, own
            want = collections.Counter(expected)
            for path in (vms[0].serial, vms[0].report, "pipe:"):
                want.pop(path, None)
            own.pop("pipe:")  # standard error
            assert own == want, (own, want)
        assert len(uids) == MANY
        for n in NAMESPACES:
            assert len(spaces[n] | {os.readlink(f"/proc/self/ns/{n}")}) == MANY + 1, n
    finally:
        for vm in vms:
            vm.process.kill()
        for vm in vms:
            vm.__exit__()


def t_its_uid_can_be_chosen():
    need_root()
    with started(args=["--uid=123456"]) as vm:
        assert check_rights(f"/proc/{vm.machine()}") == "123456"


def t_it_can_open_nothing_more():
    need_root()
    with started() as vm:
        with open(f"/proc/{vm.machine()}/limits", encoding="ascii") as f:
            limits = {line[:25].strip(): line[25:].split()[:2] for line in f}
        for what in ("Max open files", "Max processes", "Max core file size"):
            assert limits[what] == ["0", "0"], (what, limits[what])
        assert int(limits["Max file size"][1]) <= (16 << 20) + (128 << 10), limits["Max file size"]


def t_files_of_the_caller_are_closed():
    need_root()
    leak = os.open("/etc/passwd", os.O_RDONLY)
    try:
        with started(fds=[leak]) as vm:
            for pid in (vm.machine(), vm.process.pid):
                assert "/etc/passwd" not in files(pid), files(pid)
    finally:
        os.close(leak)


def t_it_dies_with_its_starter():
    need_root()
    with started() as vm:
        pid = vm.machine()
        vm.process.kill()
        vmmtest.until(lambda: not os.path.exists(f"/proc/{pid}") or
                      status(f"/proc/{pid}")["State"][0] in "ZX", "the machine is gone")


def t_a_signal_stops_it():
    need_root()
    for sig in (signal.SIGTERM, signal.SIGINT):
        with started() as vm:
            vm.process.send_signal(sig)
            assert vm.end().startswith("stopped"), vm.report
            assert vm.process.returncode == 0, vm.process.returncode


def t_a_killed_machine_is_reported():
    need_root()
    with started() as vm:
        os.kill(vm.machine(), signal.SIGKILL)
        assert vm.end() == "failed the machine's process was killed by signal 9"
        assert vm.process.returncode == 1


def t_jailed_without_a_jail_is_refused():
    vmmtest.need_kvm()
    with vmmtest.Vmm("null", args=["--jailed"]) as vm:
        _, err = vm.process.communicate(timeout=vmmtest.DEADLINE)
        assert vm.process.returncode == 1 and "cannot run with --jailed" in err, err


def t_no_jail_says_so():
    vmmtest.need_kvm()
    with vmmtest.Vmm("null", args=["--no-jail"]) as vm:
        _, err = vm.process.communicate(timeout=vmmtest.DEADLINE)
        assert vm.process.returncode == 0 and "warning: --no-jail" in err, err


def t_a_cgroup_is_joined():
    need_root()
    for base in ("/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/pids", "/sys/fs/cgroup/cpu"):
        path = f"{base}/vpod-vmm-test-{os.getpid()}"
        if not os.path.exists(f"{base}/cgroup.procs"):
            continue
        try:
            os.mkdir(path)
        except OSError:
            continue
        try:
            with started(args=[f"--cgroup={path}"]) as vm:
                with open(f"{path}/cgroup.procs", encoding="ascii") as f:
                    assert f.read().split() == [str(vm.machine())]
                pid = vm.machine()
                vm.process.kill()
                vmmtest.until(lambda: not os.path.exists(f"/proc/{pid}"), "it is gone")
        finally:
            os.rmdir(path)
        return
    raise vmmtest.Skip("no cgroup can be made here")


def t_an_ordinary_user_has_a_jail_too():
    need_root()
    with open("/proc/sys/user/max_user_namespaces", encoding="ascii") as f:
        if int(f.read()) == 0:
            raise vmmtest.Skip("no user namespaces here")
    kvm = os.open("/dev/kvm", os.O_RDWR)
    try:
        with vmmtest.Vmm("idle", lines=[f"kvm fd={kvm}"], fds=[kvm], user=65533) as vm:
            vmmtest.until(lambda: is_running(vm) or vm.process.poll() is not None, "it runs")
            assert vm.process.poll() is None, vm.process.stderr.read()
            pid = vm.machine()
            assert check_rights(f"/proc/{pid}") == "65533"
            check_root(pid)
            for n in NAMESPACES:
                assert os.readlink(f"/proc/{pid}/ns/{n}") != os.readlink(f"/proc/self/ns/{n}"), n
    finally:
        os.close(kvm)


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, max(4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1])))
    vmmtest.main(sys.modules[__name__])
