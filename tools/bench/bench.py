# SPDX-License-Identifier: Apache-2.0
"""What the benchmarks share: vpod and its data directory, timing, the report.

Each benchmark runs alone:  tools/bench/NAME [--runs=N] [--quick]
It prints a line per number, "ID value unit limit ok|over", and keeps them in $O/bench.json.
Peers run in turn within one run: a ratio then survives a busy machine, milliseconds do not.  The
ratio is that of the minima; that of the medians stands beside it, in the JSON and in brackets.
Exit status 1: a number is over its limit.  77: this host cannot run it, and why.
"""
import argparse
import atexit
import json
import os
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
OUT = os.path.abspath(os.environ.get('O', os.path.join(TOP, 'build')))
CACHE = os.environ.get('VPOD_CACHE') or os.path.join(
    os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache'), 'vpod')
VPOD = os.path.join(OUT, 'vpod')
over = []


def args(runs, quick_runs):
    p = argparse.ArgumentParser()
    p.add_argument('--runs', type=int)
    p.add_argument('--quick', action='store_true', help='fewer runs, smaller input')
    a = p.parse_args()
    a.runs = a.runs or (quick_runs if a.quick else runs)
    return a


def skip(why):
    print(f'skipped: {why}', file=sys.stderr)
    sys.exit(77)


def need(*tools):
    missing = [t for t in tools if not shutil.which(t)]
    if missing:
        skip('not installed: ' + ' '.join(missing))


def scratch():
    """A directory that goes when the benchmark ends; on a disk, as data directories are."""
    os.makedirs(OUT, exist_ok=True)
    d = tempfile.mkdtemp(prefix='bench-', dir=OUT)
    os.chmod(d, 0o711)  # the jailed hypervisor has to get through
    atexit.register(shutil.rmtree, d, ignore_errors=True)
    return d


def sh(*argv, **kw):
    """Output of a command that must succeed."""
    r = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                       stdin=subprocess.DEVNULL, text=True, **kw)
    if r.returncode:
        sys.exit(f'{shlex.join(argv)}: status {r.returncode}: {r.stderr}')
    return r.stdout


class Vpod:
    """vpod with a data directory of its own, the tuned kernel and a small busybox image."""

    def __init__(self, tmp):
        self.dir = os.path.join(tmp, 'data')
        self.tmp = tmp
        self.image = None

    def argv(self, *a):
        return [VPOD, f'--dir={self.dir}', *a]

    def __call__(self, *a):
        return sh(*self.argv(*a))

    def add_kernel(self):
        cached = subprocess.run([f'{TOP}/kernel-config/build', '--cached'], capture_output=True,
                                text=True)
        if cached.returncode:
            skip("the tuned kernel is not built: 'make kernel'")
        self('kernel', 'import', cached.stdout.split()[-1], '--name=tuned')

    def add_debian(self):
        deb = sh(f'{TOP}/tools/get-kernels', '6.1-cloud').split()[-1]
        self('kernel', 'import', deb, '--name=debian-6.1')

    def add_image(self):
        need('umoci')
        root, layout = f'{self.tmp}/root', f'{self.tmp}/image'
        os.makedirs(f'{root}/bin')
        shutil.copy('/bin/busybox', f'{root}/bin/busybox')
        for a in ('true', 'sh', 'sleep', 'yes', 'cat', 'head'):
            os.symlink('busybox', f'{root}/bin/{a}')
        ref = f'{layout}:latest'
        sh('umoci', 'init', '--layout', layout)
        sh('umoci', 'new', '--image', ref)
        sh('umoci', 'insert', '--image', ref, root, '/')
        sh('umoci', 'config', '--image', ref, '--config.cmd', '/bin/sh')
        self.image = f'oci:{ref}'
        self('fetch', self.image)

    def run_argv(self, *app, opts=()):
        return self.argv('run', '--accel=tcg', *opts, self.image, '--', *app)

    def qemu_argv(self, *opts):
        """QEMU's argv as --dry-run prints it."""
        text = sh(*self.run_argv('true', opts=('--dry-run', *opts)))
        return shlex.split(text.split('\n\n')[0].replace('\\\n', ' '))


# What a bare machine does without: the pod's disks, channels, names.
NOT_BARE = {'-name', '-add-fd', '-blockdev', '-chardev', '-device', '-object', '-serial'}


def bare_argv(v):
    """QEMU with a pod's kernel, command line, memory and machine, and an init that reboots."""
    need('cpio')
    os.makedirs(f'{v.tmp}/bare', exist_ok=True)
    shutil.copy(f'{OUT}/bench/poweroff', f'{v.tmp}/bare/init')
    with open(f'{v.tmp}/bare.cpio', 'wb') as f:
        subprocess.run(['cpio', '-o', '-H', 'newc', '--quiet'], input=b'init\n', stdout=f,
                       cwd=f'{v.tmp}/bare', check=True)
    argv = v.qemu_argv()
    out, it = [argv[0]], iter(argv[1:])
    for a in it:
        if a in NOT_BARE:
            next(it)
        elif a == '-initrd':
            out += [a, f'{v.tmp}/bare.cpio']
            next(it)
        else:
            out.append(a)
    return out + ['-serial', 'null']


def clock(argv, **kw):
    """Seconds from the start of a command to its end, and its CPU seconds."""
    kw.setdefault('stdout', subprocess.DEVNULL)
    kw.setdefault('stderr', subprocess.DEVNULL)
    t = time.perf_counter()
    p = subprocess.Popen(argv, stdin=subprocess.DEVNULL, **kw)
    _, status, ru = os.wait4(p.pid, 0)
    t = time.perf_counter() - t
    p.returncode = os.waitstatus_to_exitcode(status)
    if p.returncode:
        sys.exit(f'{shlex.join(argv)}: status {p.returncode}')
    return t, ru.ru_utime + ru.ru_stime


def summary(v):
    return {'min': min(v), 'median': statistics.median(v), 'n': len(v)}


def report(name, value, unit, limit=None, at_least=False, note='', **more):
    """One number; limit None: only told."""
    ok = limit is None or (value >= limit if at_least else value <= limit)
    verdict = '-' if limit is None else 'ok' if ok else 'over'
    bound = '-' if limit is None else f'{">=" if at_least else "<="}{limit:g}'
    print(f'{name:<28} {value:>10.3f} {unit:<8} {bound:>8} {verdict:<5}{note}', flush=True)
    if not ok:
        over.append(name)
    path = os.path.join(OUT, 'bench.json')
    try:
        with open(path) as f:
            all_of = json.load(f)
    except (OSError, ValueError):
        all_of = {}
    all_of[name] = {'value': value, 'unit': unit, 'limit': limit, 'verdict': verdict, **more}
    with open(path + '.tmp', 'w') as f:
        json.dump(all_of, f, indent=1, sort_keys=True)
        f.write('\n')
    os.rename(path + '.tmp', path)


def ratio(name, ours, peer, limit, unit='x', **kw):
    a, b = summary(ours), summary(peer)
    report(name, a['min'] / b['min'], unit, limit,
           note=f" (medians {a['median'] / b['median']:.3f}; {a['min']:.4g}/{b['min']:.4g},"
                f" n={len(ours)})", ours=a, peer=b, median_ratio=a['median'] / b['median'], **kw)


def end():
    sys.exit(1 if over else 0)
