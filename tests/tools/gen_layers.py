#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""gen_layers.py DIR: writes crafted layers as tars, images as lists of them.

IMAGES maps a name to a list of layers; a layer is a list of entries made by the short functions
below.  write_image(dir, name) returns the paths of the tars, bottom first.
"""
import io
import os
import sys
import tarfile

T0 = 1700000000


def entry(name, kind, data=b"", mode=0o644, uid=0, gid=0, mtime=T0, link="", dev=None, pax=None):
    t = tarfile.TarInfo(name)
    t.type, t.mode, t.uid, t.gid, t.mtime, t.linkname = kind, mode, uid, gid, mtime, link
    t.size = len(data)
    if dev:
        t.devmajor, t.devminor = dev
    t.pax_headers = dict(pax or {})
    return t, data


def f(name, data=b"", **kw):
    return entry(name, tarfile.REGTYPE, data if isinstance(data, bytes) else data.encode(), **kw)


def d(name, mode=0o755, **kw):
    return entry(name, tarfile.DIRTYPE, mode=mode, **kw)


def sym(name, link, **kw):
    return entry(name, tarfile.SYMTYPE, link=link, mode=0o777, **kw)


def hard(name, link, **kw):
    return entry(name, tarfile.LNKTYPE, link=link, **kw)


def dev(name, kind, major, minor, **kw):
    return entry(name, {"c": tarfile.CHRTYPE, "b": tarfile.BLKTYPE}[kind], dev=(major, minor), **kw)


def fifo(name, **kw):
    return entry(name, tarfile.FIFOTYPE, **kw)


def wh(path):
    head, _, tail = path.rpartition("/")
    return f((head + "/" if head else "") + ".wh." + tail)


def opq(path=""):
    return f((path + "/" if path else "") + ".wh..wh..opq")


# File capability cap_net_raw+ep, version 2, as setcap(8) writes it.
CAP = "\x01\x00\x00\x02\x00 \x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"

BASE = [d("./"), d("./etc"), d("./usr"), d("./usr/bin", mtime=T0 + 5.25), d("./usr/lib"),
        sym("./bin", "usr/bin"), sym("./lib", "/usr/lib"),
        f("./usr/bin/tool", "tool 1\n", mode=0o4755), f("./usr/lib/one", "1" * 5000),
        f("./usr/lib/two", "2" * 4096), f("./etc/conf", "base\n"), f("./etc/empty")]

IMAGES = {
    "plain": [BASE],
    "types": [BASE + [
        dev("dev/null", "c", 1, 3, mode=0o666), dev("dev/sda", "b", 8, 0, mode=0o660, gid=6),
        dev("dev/big", "c", 4095, 1048575), dev("dev/zero-zero", "c", 0, 0), fifo("run/pipe", mode=0o600),
        f("set/uid", "x", mode=0o4755), f("set/gid", "x", mode=0o2755, gid=5),
        d("set/sticky", mode=0o1777), f("own/high", "x", uid=70000, gid=4294967294),
        f("time/frac", "x", mtime=T0 + 0.123456789), f("time/negative", "x", mtime=-5.0),
        f("time/epoch", "x", mtime=0), f("time/far", "x", mtime=1 << 33),
        sym("links/long", "a/" * 1200 + "b"), sym("links/dangling", "nowhere")]],
    "names": [BASE + [
        f("h\u00e9llo", "nfc"), f("he\u0301llo", "nfd"), f("\u65e5\u672c\u8a9e/\u6587\u5b57", "x"),
        f("latin\udce9", "raw byte"), f("bad\udcff\udcfe/\udc80", "raw bytes"),
        f("sp ace/new\nline/tab\t", "x"), f("-dash", "x"), f("!bang", "x"), f("+plus", "x"),
        f(".hidden", "x"), f("...", "x"), f("..x", "x"), f("a" * 255, "x"),
        f("/".join(["deep"] * 300) + "/end", "x"), sym("l\u00efnk", "z\u00efel"),
        hard("h\u00e4rd", "h\u00e9llo"), f("\u00e9" * 100 + "/" + "\u00e8" * 120, "long")]],
    "xattrs": [BASE + [
        f("ping", "x", mode=0o755, pax={"SCHILY.xattr.security.capability": CAP}),
        f("user", "x", pax={"SCHILY.xattr.user.one": "1", "SCHILY.xattr.user.two": "z" * 3000}),
        f("trusted", "x", pax={"SCHILY.xattr.trusted.x": "t"}),
        f("marks", "x", pax={"SCHILY.xattr.trusted.overlay.opaque": "y",
                             "SCHILY.xattr.user.overlay.redirect": "/etc"}),
        d("dir", pax={"SCHILY.xattr.user.dir": "d"}),
        f("many", "x", pax={f"SCHILY.xattr.user.k{i}": "v" * i for i in range(1, 60)})]],
    "links": [
        BASE + [f("a", "AAAA", mode=0o600), hard("b", "a"), hard("dir/c", "./b"),
                hard("tool2", "bin/tool"), hard("onelink", "lib/one")],
        [f("a", "new a")],
        [hard("from-lower", "dir/c"), hard("to-sym", "bin")],
        [wh("b"), hard("abs", "/etc/conf"), hard("updots", "../../etc/conf")]],
    "symparents": [
        BASE + [sym("up", "../../../usr/lib"), sym("abs", "/etc"), sym("chain", "up"),
                d("real"), sym("real/self", "../real"), sym("loose", "made/here")],
        [f("bin/added", "through bin"), f("lib/added", "through lib"), f("up/x", "x"),
         f("abs/y", "y"), f("chain/z", "z"), f("real/self/self/w", "w"), f("loose/v", "v")],
        [wh("bin/tool"), wh("abs/conf"), hard("bin/h", "chain/z")]],
    "replace": [
        BASE + [f("x", "file"), d("y"), f("y/in", "in"), sym("z", "etc"), d("keep"),
                f("keep/me", "me"), f("w", "file")],
        [d("x"), f("x/in", "in"), f("y", "file"), d("z"), f("z/in", "in"),
         d("keep", mode=0o700, mtime=T0 + 9), fifo("w")],
        [f("twice", "one"), f("twice", "two, longer"), d("twice2"), f("twice2/in", "x"),
         f("twice2", "file"), sym("y", "x"), f("z/in", "other")]],
    "implicit": [[f("a/b/c/d", "x", mtime=T0), d("a/b", mode=0o711, mtime=T0)],
                 [f("a/e/f", "y")]],
    "whiteouts": [
        BASE + [d("dir1"), f("dir1/a", "a"), f("dir1/b", "b"), d("dir1/sub"), f("dir1/sub/c", "c"),
                d("dir2"), f("dir2/a", "a"), d("dir3"), f("dir3/x", "x"), f("file1", "1"),
                f("file2", "2"), d("deep/er/est"), f("deep/er/est/f", "f")],
        [wh("file1"), wh("dir1/a")],
        [d("dir2"), opq("dir2"), f("dir2/new", "new")],
        [f("dir1/sub/late", "late"), opq("dir1/sub")],
        [wh("dir3")],
        [d("dir3"), f("dir3/again", "again")],
        [wh("no/such/thing"), wh("neither")],
        [d("deep/er"), opq("deep/er"), d("deep/er/est"), f("deep/er/est/g", "g")],
        [f("etc/.wh..wh.aufs"), d("etc/.wh..wh.plnk"), f("etc/added", "x")],
        [opq("usr/lib"), f("usr/lib/only", "only"), wh("bin")]],
    "rootopaque": [BASE, [opq(), d("fresh"), f("fresh/f", "f")]],
}


def write_tar(path, entries, fmt=tarfile.PAX_FORMAT):
    with tarfile.open(path, "w", format=fmt, errors="surrogateescape",
                      encoding="utf-8") as tar:
        for info, data in entries:
            tar.addfile(info, io.BytesIO(data))


def write_image(where, name):
    paths = []
    for n, layer in enumerate(IMAGES[name]):
        path = os.path.join(where, f"{name}-{n}.tar")
        write_tar(path, layer)
        paths.append(path)
    return paths


if __name__ == "__main__":
    os.makedirs(sys.argv[1], exist_ok=True)
    for image in IMAGES:
        write_image(sys.argv[1], image)
