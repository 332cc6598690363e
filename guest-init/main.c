/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DOC: vpod-init
 *
 * PID 1 of a pod's guest.  The pod spec says what to run; the port named PROTO_PORT_NAME is the way
 * to the host.  Whatever fails is told there if it can be, on the console, and ends the machine:
 * PID 1 must never return.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/loop.h"
#include "cgroup.h"
#include "metadata.h"
#include "modules.h"
#include "mounts.h"
#include "mux.h"
#include "net.h"
#include "netfiles.h"
#include "pod.h"
#include "podspec.h"
#include "port.h"
#include "rootfs.h"
#include "say.h"
#include "shutdown.h"
#include "supervise.h"
#include "sys.h"

static struct pod pod;
static struct mux mux;

/* The text stays: the pod points into it.  The file goes, it holds the secrets of all apps. */
static int read_spec(struct err *e)
{
	static char text[PODSPEC_MAX + 2];
	ssize_t len = sys_read(PODSPEC_PATH, text, sizeof(text));

	if (len < 0)
		return err_set(e, errno, "cannot read pod spec " PODSPEC_PATH);
	unlink(PODSPEC_PATH);
	text[len] = '\n'; /* sys_read() took it: it belongs to the last record */
	if (podspec_parse(&pod, text, (size_t)len + 1, e) < 0)
		return -1;
	say_steps(pod.is_debug);
	return 0;
}

static int connect_host(uint64_t began, struct err *e)
{
	struct proto_hello hello = { .version = PROTO_VERSION,
				     .nr_apps = pod.nr_apps,
				     .boot_ns = began };
	int fd = port_open(e);

	if (fd < 0)
		return -1;
	mux_init(&mux, fd, NULL, NULL);
	mux_send(&mux, PROTO_HELLO, PROTO_POD, 0, &hello, sizeof(hello));
	if (mux_flush(&mux) < 0)
		return err_set(e, errno, "cannot write to the host");
	say_step("host connected");
	return 0;
}

static int prepare_pod(struct err *e)
{
	if (pod.hostname && sethostname(pod.hostname, strlen(pod.hostname)) < 0)
		return err_set(e, errno, "cannot set host name %s", pod.hostname);
	net_loopback_up();
	if (cgroup_begin(&pod, e) < 0 || mounts_for_apps(e) < 0 || netfiles_make(&pod, e) < 0 ||
	    scratch_mount(&pod, e) < 0)
		return -1;
	for (unsigned i = 0; i < pod.nr_apps; i++) {
		if (rootfs_mount(&pod, i, e) < 0)
			return err_wrap(e, "cannot make the rootfs of app %s", pod.apps[i].name);
	}
	/* late: meanwhile the devices appear */
	return net_configure(&pod, e) < 0 ? -1 : metadata_listen(&pod, e);
}

/* Without the port there is nobody to tell but the console. */
static _Noreturn void die(struct mux *m, const struct err *e)
{
	say("%s", e->msg);
	if (m)
		supervise_report(m, PROTO_POD, e);
	shutdown_guest(m);
}

int main(void)
{
	uint64_t began = now_ns();
	struct err e, why;
	int has_spec, is_prepared;

	say_open();
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	has_spec = read_spec(&why);
	modules_load();
	if (mounts_begin(&e) < 0)
		die(NULL, &e);
	/* the port takes its time to appear: mount meanwhile */
	is_prepared = has_spec < 0 ? has_spec : prepare_pod(&why);
	if (connect_host(began, &e) < 0)
		die(NULL, &e);
	if (is_prepared < 0)
		die(&mux, &why);
	if (supervise(&pod, &mux, &e) < 0)
		die(&mux, &e);
	shutdown_guest(&mux);
}
