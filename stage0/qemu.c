/* SPDX-License-Identifier: Apache-2.0 */
#include "stage0/qemu.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/spawn.h"
#include "stage0/config.h"

#define QEMU_DEFAULT "/usr/bin/qemu-system-x86_64"
#define QEMU_TCG_MODULE "/usr/lib/x86_64-linux-gnu/qemu/accel-tcg-x86_64.so"
#define LOADER "/lib64/ld-linux-x86-64.so.2"

/* Opened at run time, so the loader does not list them. Those that a host lacks are left out. */
static const char *const qemu_extra[] = {
	QEMU_TCG_MODULE,
	"/etc/ld.so.cache",
	"/usr/share/qemu/bios-microvm.bin",
	"/usr/share/qemu/qboot.rom",
	"/usr/share/seabios/bios-microvm.bin",
	"/usr/share/qemu/pvh.bin",
	"/usr/share/qemu/linuxboot_dma.bin",
	"/usr/share/qemu/kvmvapic.bin",
};

char *qemu_path(struct err *e)
{
	const char *path = getenv("VPOD_QEMU");

	if (!path || !path[0])
		path = QEMU_DEFAULT;
	if (access(path, X_OK) == 0)
		return xstrdup(path);
	err_setk(e, ERR_NOT_FOUND, errno, "cannot run QEMU: cannot execute %s", path);
	err_hint(e, "install the package qemu-system-x86");
	return NULL;
}

/* Takes "\tname => /path (0x…)" and "\t/path (0x…)" lines apart. */
static void add_libraries(const char *text, struct strv *out)
{
	cleanup_free char *copy = xstrdup(text);
	char *line, *save = NULL;

	for (line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *path = strchr(line, '/'), *end = path ? strstr(path, " (0x") : NULL;
		size_t i;

		if (!end)
			continue;
		*end = '\0';
		for (i = 0; i < out->nr_v && strcmp(out->v[i], path); i++)
			;
		if (i == out->nr_v)
			strv_add(out, path);
	}
}

static int list_libraries(const char *elf, struct strv *out, struct err *e)
{
	cleanup_sb struct strbuf text = STRBUF_INIT;
	struct spawn s = { 0 };
	int r;

	strv_add(&s.argv, LOADER);
	strv_add(&s.argv, "--list");
	strv_add(&s.argv, elf);
	r = spawn_capture(&s, 1u << 20, 10000, &text, e);
	spawn_free(&s);
	if (r < 0)
		return err_wrap(e, "cannot list the libraries of %s", elf);
	add_libraries(text.buf, out);
	return 0;
}

static int list_files(const char *qemu, struct strv *out, struct err *e)
{
	size_t i;

	strv_add(out, qemu);
	if (list_libraries(qemu, out, e) < 0)
		return -1;
	if (access(QEMU_TCG_MODULE, R_OK) == 0 && list_libraries(QEMU_TCG_MODULE, out, e) < 0)
		return -1;
	for (i = 0; i < nitems(qemu_extra); i++) {
		if (access(qemu_extra[i], R_OK) == 0)
			strv_add(out, qemu_extra[i]);
	}
	return 0;
}

/* First line of the cache: what it was made from. An upgrade of libc changes the loader's cache. */
static int cache_key(const char *qemu, char key[static 256], struct err *e)
{
	struct stat a, b;

	if (stat(qemu, &a) < 0)
		return err_set(e, errno, "cannot stat %s", qemu);
	if (stat("/etc/ld.so.cache", &b) < 0)
		memset(&b, 0, sizeof(b));
	snprintf(key, 256, "%s %llu %lld.%ld %lld.%ld\n", qemu, (unsigned long long)a.st_ino,
		 (long long)a.st_mtim.tv_sec, a.st_mtim.tv_nsec, (long long)b.st_mtim.tv_sec,
		 b.st_mtim.tv_nsec);
	return 0;
}

static int read_cache(const char *path, const char *key, struct strv *out)
{
	cleanup_sb struct strbuf text = STRBUF_INIT;
	struct err ignored;
	char *line, *save = NULL;

	if (fs_read(AT_FDCWD, path, 65536, &text, &ignored) < 0 ||
	    strncmp(text.buf, key, strlen(key)))
		return -1;
	for (line = strtok_r(text.buf + strlen(key), "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save))
		strv_add(out, line);
	return 0;
}

int qemu_files(const struct config *cfg, struct strv *out, struct err *e)
{
	cleanup_free char *qemu = qemu_path(e), *cache = NULL;
	cleanup_sb struct strbuf text = STRBUF_INIT;
	char key[256];
	size_t i;

	if (!qemu || cache_key(qemu, key, e) < 0)
		return -1;
	cache = fs_join(cfg->run_dir, "qemu-files");
	if (read_cache(cache, key, out) == 0)
		return 0;
	if (list_files(qemu, out, e) < 0)
		return -1;
	sb_adds(&text, key);
	for (i = 0; i < out->nr_v; i++)
		sb_addf(&text, "%s\n", out->v[i]);
	return fs_write_atomic(AT_FDCWD, cache, text.buf, text.len, 0600, e);
}
