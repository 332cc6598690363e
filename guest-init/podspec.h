/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DOC: The pod spec, version 1
 *
 * What the guest is to run, written by stage0 as /pod.spec into a cpio archive behind the
 * initramfs, read once by vpod-init.  Host -> guest only.  A file of records
 *
 *	key SP length LF value LF
 *
 * with the length in decimal bytes, so that a value may hold any byte but NUL.  The first record is
 * "vpod-spec" with value "1".  Pod keys come first; each "app" record begins an app, whose keys
 * follow.  Unknown keys are errors: the two programs come from one build.
 *
 * Pod keys
 *	hostname	host name
 *	scratch		"disk SERIAL": an ext4 file system on the virtio-blk device with that serial
 *			holds the writable layers and empty volumes; or "tmpfs BYTES" (0: half of
 *			RAM)
 *	volume		"NAME MODE UID GID", an empty volume; MODE octal
 *	debug		"1": vpod-init tells its steps on the console
 *	nic		"NAME MAC MTU": the network device with that MAC address is called NAME,
 *			gets that MTU (0: keeps its own) and is set up; one that does not
 *			appear in 10 s fails the pod
 *	addr		"NAME CIDR [noprefixroute]": an address of that nic, without duplicate
 *			address detection, with a broadcast address (IPv4, 30 bits or fewer).
 *			The kernel makes the route to its network, unless the word says not to,
 *			or the spec has a route to just that network on this nic
 *	route		"NAME DST GW [mtu N] [advmss N] [priority N] [table N] [scope N]
 *			[src ADDR]": GW is an address of DST's family or "-"; what is absent is
 *			the kernel's default, but scope, which is link (253) without a gateway
 *			and 0 with one.  Their order counts only among routes to one
 *			destination: the first is preferred.  A gateway that no route leads to
 *			is taken to be on the link
 *	resolv		content of /etc/resolv.conf of every app; absent: the image's own
 *	hosts		content of /etc/hosts, likewise
 *	metadata	port of 127.0.0.1 on which the metadata service listens; absent: there is
 *none
 *
 * App keys (an app's name is unique)
 *	app		name
 *	rootfs		serial of the virtio-blk device with the EROFS image
 *	readonly	"1": no writable layer
 *	exec		one per word: path or name, then arguments
 *	env		one per variable, NAME=value; the last one of a name wins
 *	cwd		absolute path in the rootfs; created when missing
 *	user		name, number or absolute path of a file whose owner counts; "" and absent:
 *			root
 *	group		likewise; absent: the user's own group of /etc/passwd, else 0
 *	gid		a supplementary group number, one per group
 *	mount		"VOLUME TARGET [ro]": an empty volume at an absolute path in the rootfs
 *	copyup		as mount, and an empty volume is first filled with the image's content there
 *	rlimit		"NAME SOFT HARD", NAME as in nofile, numbers or "unlimited"
 *	memory		bytes, cgroup v2 memory.max
 *	cpu		thousandths of a CPU, cgroup v2 cpu.max
 *	stopsignal	number, for PROTO_STOP; absent: 15
 *	stdin		"1": forward; absent: /dev/null
 *	tty		"ROWS COLS": a pseudo-terminal; stdout carries it, stderr stays silent
 *	caps		hexadecimal mask of capabilities to retain; absent: the 14 defaults
 *	nopaths		"1": no masked and read-only paths (--insecure-options=paths)
 */
#ifndef VPOD_GUEST_PODSPEC_H
#define VPOD_GUEST_PODSPEC_H

#define PODSPEC_PATH "/pod.spec"

/* The console in the initramfs' /dev, where /dev/console is the null device. */
#define SAY_CONSOLE "vpod-console"
#define PODSPEC_MAGIC "vpod-spec"
#define PODSPEC_VERSION "1"
#define PODSPEC_MAX (1u << 20) /* bytes */

/* In the initramfs: modules in load order, one file name beneath /modules per line. */
#define PODSPEC_MODULES "/modules/order"

#endif
