/* SPDX-License-Identifier: Apache-2.0 */
#include "stage0/podrun.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/loop.h"
#include "stage0/config.h"
#include "stage0/exit.h"
#include "stage0/machine.h"
#include "stage0/metadata.h"
#include "stage0/podgc.h"
#include "stage0/timing.h"
#include "stage0/tty.h"

#define BOOT_TIMEOUT_KVM 60000000000ull
#define BOOT_TIMEOUT_TCG 180000000000ull

void podrun_free_images(struct pod_images *images)
{
	unsigned i;

	for (i = 0; i < images->nr; i++) {
		image_free(&images->v[i]);
		close_p(&images->locks[i]);
	}
	free(images->v);
	free(images->locks);
	*images = (struct pod_images){ 0 };
}

static int ensure_image(const struct config *cfg, const char *ref, enum image_pull pull,
			struct image *out, int *lock, struct err *e)
{
	struct image_insecure insecure = { .http = cfg->insecure_http, .tls = cfg->insecure_tls };
	cleanup_free char *by_id = NULL;
	struct digest id;

	if (image_ensure(cfg->dir, ref, pull, &insecure, &id, e) < 0)
		return -1;
	by_id = xasprintf("sha256:%s", id.hex);
	return image_hold(cfg->dir, by_id, out, lock, e);
}

int podrun_images(const struct config *cfg, const struct run_args *r, struct pod_images *out,
		  struct err *e)
{
	enum image_pull pull = PULL_NEW;
	unsigned i;

	if (r->pull_policy && image_pull_parse(r->pull_policy, &pull, e) < 0)
		return -1;
	*out = (struct pod_images){
		.v = xcalloc(r->nr_apps, sizeof(*out->v)),
		.locks = xcalloc(r->nr_apps, sizeof(*out->locks)),
	};
	for (i = 0; i < r->nr_apps; i++) {
		if (ensure_image(cfg, r->apps[i].image, pull, &out->v[i], &out->locks[i], e) < 0) {
			podrun_free_images(out);
			return -1;
		}
		out->nr++;
	}
	return 0;
}

static int write_manifest(const struct pod *p, const struct manifest *m, struct err *e)
{
	cleanup_sb struct strbuf b = STRBUF_INIT;

	manifest_write(m, &b);
	return fs_write_atomic(p->dirfd, "manifest.json", b.buf, b.len, 0600, e);
}

static int save_uuid(const char *path, const struct pod *p, struct err *e)
{
	char line[UUID_LEN + 2];

	if (!path)
		return 0;
	snprintf(line, sizeof(line), "%s\n", p->uuid);
	return fs_write_atomic(AT_FDCWD, path, line, strlen(line), 0644, e);
}

static int fill_pod(const struct config *cfg, const struct run_args *r,
		    const struct pod_images *images, struct pod *p, struct manifest *m,
		    struct err *e)
{
	if (pod_to(cfg, p, POD_PREPARE, e) < 0 || run_args_manifest(cfg, r, images->v, m, e) < 0)
		return -1;
	if (!m->hostname[0]) {
		free(m->hostname);
		m->hostname = xasprintf("vpod-%s", p->uuid);
	}
	if (write_manifest(p, m, e) < 0)
		return -1;
	return save_uuid(r->uuid_file, p, e);
}

int podrun_create(const struct config *cfg, const struct run_args *r,
		  const struct pod_images *images, struct pod *p, struct manifest *m, struct err *e)
{
	if (pod_create(cfg, p, e) < 0 || fill_pod(cfg, r, images, p, m, e) < 0) {
		pod_discard(cfg, p);
		return -1;
	}
	return 0;
}

static void set_times(const struct run_args *r, enum accel accel, struct supervise_args *a)
{
	a->timeout_ns = r->timeout_ns;
	a->boot_timeout_ns = r->boot_timeout_ns	  ? r->boot_timeout_ns
			     : accel == ACCEL_KVM ? BOOT_TIMEOUT_KVM
						  : BOOT_TIMEOUT_TCG;
	a->stop_timeout_ns = r->stop_timeout_ns;
}

/* The pod's end as one error of ours, when it is not the app's. */
static void tell_end(const struct pod *p, const struct pod_status *st)
{
	switch (st->reason) {
	case REASON_GUEST_PANIC:
	case REASON_BOOT_FAILED:
	case REASON_VIOLATION:
	case REASON_VMM_CRASH:
	case REASON_TIMEOUT:
	case REASON_OOM:
		log_error("pod %s: %s: %s", p->uuid, reason_name(st->reason), st->message);
		break;
	default:
		break;
	}
}

static int run_vm(const struct config *cfg, const struct run_args *r, struct pod *p,
		  const struct manifest *m, struct machine *mach, struct timing *t,
		  struct pod_status *st, struct err *e)
{
	uint8_t key[METADATA_KEY_LEN];
	struct tty tty = TTY_INIT;
	struct supervise_args a = {
		.pod = p,
		.manifest = m,
		.command = &mach->command,
		.control_fd = take_fd(&mach->control_fd),
		.console_fd = take_fd(&mach->console_fd),
		.message_fd = take_fd(&mach->message_fd),
		.debug = cfg->debug,
		.engine_status = cfg->as_rkt ? EXIT_RKT_ENGINE : EXIT_ENGINE,
		.timing = t,
	};
	int ret;

	set_times(r, mach->vm.accel, &a);
	if (r->mds_register) {
		if (metadata_key(cfg->dir, key, e) < 0)
			return -1;
		a.metadata_key = key;
	}
	if (m->apps[0].has_tty && m->apps[0].is_interactive) {
		if (tty_open(&tty, e) < 0)
			return -1;
		a.tty = &tty;
	}
	ret = supervise(&a, st, e);
	tty_close(&tty);
	return ret;
}

int podrun_check_tty(const struct manifest *m, struct err *e)
{
	if (!m->apps[0].has_tty || !m->apps[0].is_interactive || isatty(STDIN_FILENO))
		return 0;
	err_setk(e, ERR_USAGE, 0,
		 "cannot run the pod: its app wants a terminal, and standard input is none");
	return err_hint(e, "prepare it without -t, or run it from a terminal");
}

int podrun_execute(const struct config *cfg, const struct run_args *r, struct pod *p,
		   const struct manifest *m, struct machine *mach, struct timing *t, struct err *e)
{
	struct pod_status st = { 0 };
	struct err late = { 0 };

	if (machine_build(cfg, r, p, m, mach, e) < 0)
		return -1;
	machine_warn(mach);
	if (pod_to(cfg, p, POD_RUN, e) < 0)
		return -1;
	t->prepared = now_ns();
	if (run_vm(cfg, r, p, m, mach, t, &st, e) < 0)
		return -1;
	tell_end(p, &st);
	if (status_write(p->dirfd, &st, &late) < 0 || pod_to(cfg, p, POD_EXITED, &late) < 0)
		log_error("%s", late.msg); /* the app's status is worth more than this failure */
	t->end = now_ns();
	if (r->timing)
		timing_print(t, !strcmp(r->timing, "json"));
	return st.code;
}
