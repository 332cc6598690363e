#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs in a rig: machines of vpod-vmm, QEMU's microvm and kvmtool with the same kernel and initrd in
turn, as JSON: rig_inside.py VPOD-VMM KERNEL INITRD BZIMAGE RUNS."""
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

VMM, KERNEL, INITRD, BZIMAGE, RUNS = sys.argv[1:5] + [int(sys.argv[5])]
BYTES = 64 << 20
ROUNDS = 2000  # as guest.c
BASE = 'console=ttyS0 panic=-1 quiet lapic_timer_khz=1000000 pci=off noreplace-smp acpi=off'
tmp = tempfile.mkdtemp()
disk = f'{tmp}/disk'
results = {}


def add(name, value):
    results.setdefault(name, []).append(value)


def ours(bench, kernel, lines, **kw):
    spec = f'{tmp}/spec'
    with open(spec, 'w') as f:
        f.write('\n'.join(['vpod-vmm 1', 'machine cpus=1 memory=268435456', f'kernel path={kernel}',
                           f'initrd path={INITRD}', f'cmdline {BASE} reboot=k bench={bench}',
                           f'serial fd={kw["fd"]}', *lines, '']))
    return [VMM, f'--spec={spec}']


def qemu(bench, kernel, opts, **_):
    return ['qemu-system-x86_64', '-nodefaults', '-no-user-config', '-no-reboot', '-display', 'none',
            '-monitor', 'none', '-accel', 'kvm', '-machine',
            'microvm,acpi=off,pit=off,pic=off,rtc=on,isa-serial=on', '-global',
            'virtio-mmio.force-legacy=false', '-cpu', 'host', '-m', '256', '-kernel', kernel,
            '-initrd', INITRD, '-append', f'{BASE} reboot=t bench={bench}', '-serial', 'stdio', *opts]


def lkvm(bench, _kernel, _opts, **_kw):
    return ['lkvm', 'run', '-k', BZIMAGE, '-i', INITRD, '-m', '256', '-c', '1', '--network', 'mode=none',
            '-p', f'console=ttyS0 panic=-1 quiet reboot=k bench={bench}']


def run(name, make, bench, kernel, extra):
    """Seconds from exec to the first words of init, and the result line."""
    r, w = os.pipe()
    argv = make(bench, kernel, extra, fd=w)
    start = time.perf_counter()
    p = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=w, stderr=subprocess.PIPE,
                         pass_fds=[w])
    os.close(w)
    first, text = None, b''
    while data := os.read(r, 65536):
        text += data
        if first is None and b'#!#' in text:
            first = time.perf_counter() - start
    os.close(r)
    err = p.communicate()[1]
    if first is None:
        sys.exit(f'{name} {bench}: no sign of init: {text[-500:]!r} {err[-500:]!r}')
    line = [x for x in text.decode('latin-1').split('\n') if x.startswith('@')]
    return first, line[0].split('@')[1].split() if line else None, text


def speed(name, make, bench, extra):
    _, line, said = run(name, make, bench, KERNEL, extra)
    if not line or int(line[2]) < (ROUNDS if bench == 'ping' else BYTES):
        sys.exit(f'{name} {bench}: {line} {said[-1000:]!r}')
    add(f'{bench}-{name}', int(line[1]) / ROUNDS / 1e3 if bench == 'ping'
        else int(line[2]) / (int(line[1]) / 1e9) / (1 << 20))


def boots():
    for _ in range(RUNS):
        add('boot-vmm', run('vmm', ours, 'boot', KERNEL, [])[0])
        add('boot-qemu', run('qemu', qemu, 'boot', KERNEL, [])[0])
    if not shutil.which('lkvm') or not BZIMAGE.startswith('/'):
        return
    for _ in range(max(2, RUNS // 3)):
        add('boot-stock-vmm', run('vmm', ours, 'boot', BZIMAGE, [])[0])
        add('boot-stock-lkvm', run('lkvm', lkvm, 'boot', BZIMAGE, [])[0])


def disks():
    with open(disk, 'wb') as f:
        f.write(os.urandom(1 << 20) * (BYTES >> 20))
    for _ in range(RUNS):
        for bench in ('read', 'write'):
            speed('vmm', ours, bench, [f'disk serial=d path={disk}'])
            speed('qemu', qemu, bench, [
                '-drive', f'file={disk},format=raw,if=none,id=d,cache=writeback,aio=threads', '-device',
                'virtio-blk-device,drive=d'])


def peer(listener, bench):
    c, _ = listener.accept()
    if bench == 'receive':
        c.sendall(bytes(BYTES))
    elif bench == 'ping':
        c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while b := c.recv(1):
            c.send(b)
    else:
        while c.recv(1 << 20):
            pass
    c.close()


def networks():
    for tap in ('bench0', 'bench1'):
        subprocess.run(f'ip tuntap add {tap} mode tap vnet_hdr && ip link set {tap} up', shell=True,
                       check=True)
    listener = socket.create_server(('0.0.0.0', 5000))
    for _ in range(RUNS):
        for bench in ('send', 'receive', 'ping'):
            for name, make, tap, extra in (
                    ('vmm', ours, 'bench0', ['net tap=bench0']),
                    ('qemu', qemu, 'bench1', [
                        '-netdev', 'tap,id=n,ifname=bench1,script=no,downscript=no,vhost=off',
                        '-device', 'virtio-net-device,netdev=n'])):
                subprocess.run(f'ip addr flush dev bench0; ip addr flush dev bench1; '
                               f'ip addr add 10.0.2.1/24 dev {tap}', shell=True, check=True)
                t = threading.Thread(target=peer, args=(listener, bench), daemon=True)
                t.start()
                speed(name, make, bench, extra)
                t.join(30)


boots()
disks()
networks()
print('RESULT ' + json.dumps(results))
