/* SPDX-License-Identifier: Apache-2.0 */
#include "stage0/kernel_import.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/json.h"
#include "stage0/kernel_config.h"
#include "stage0/kernel_elf.h"
#include "stage0/kernel_modules.h"
#include "stage0/kernel_source.h"
#include "stage0/kernel_store.h"

#define STAGE KERNEL_TMP_PREFIX "import"
#define TUNED_SUFFIX "-vpod"

struct import {
	int stage; /* the directory being made */
	struct kernel_source src;
	struct blob vmlinux;
	struct module_set modules;
	struct kernel_info info;
};

static void import_free(struct import *im)
{
	close_p(&im->stage);
	close_p(&im->src.modules);
	source_free(&im->src);
	blob_free(&im->vmlinux);
	modules_free(&im->modules);
	kernel_info_free(&im->info);
}

static int open_stage(int store, struct import *im, struct err *e)
{
	if (mkdirat(store, STAGE, 0755) < 0)
		return err_set(e, errno, "cannot create a directory in the kernel store");
	im->stage = fs_opendir(store, STAGE, e);
	if (im->stage < 0)
		return -1;
	if (mkdirat(im->stage, "modules", 0755) < 0)
		return err_set(e, errno, "cannot create a directory in the kernel store");
	im->src.modules = fs_opendir(im->stage, "modules", e);
	return im->src.modules < 0 ? -1 : 0;
}

static int write_file(struct import *im, const char *name, struct bytes content, struct err *e)
{
	cleanup_close int fd =
		openat(im->stage, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	if (fd < 0 || fs_write_all(fd, content.p, content.len) < 0)
		return err_set(e, errno, "cannot write %s", name);
	return 0;
}

/* The ELF file and its release; the image's own word for it beats the paths'. */
static int get_vmlinux(struct import *im, char release[static KERNEL_RELEASE_MAX + 1],
		       struct err *e)
{
	struct kernel_source *src = &im->src;
	struct bytes image = blob_bytes(&src->image);

	release[0] = '\0';
	if (image_is_bzimage(image)) {
		bzimage_release(image, release);
		if (bzimage_unpack(image, src->image_name, &im->vmlinux, e) < 0)
			return -1;
		blob_free(&src->image);
	} else {
		im->vmlinux = src->image;
		src->image = (struct blob){ 0 };
	}
	if (!*release)
		vmlinux_release(blob_bytes(&im->vmlinux), release);
	if (!*release)
		memcpy(release, src->release, sizeof(src->release));
	return 0;
}

/*
 * Without what loaders do not read: the sections that debuggers want, and the relocations that a
 * bzImage has behind its vmlinux.  The section headers lie there, so the ELF header forgets them.
 */
static int write_vmlinux(struct import *im, struct err *e)
{
	cleanup_close int fd = -1;
	struct bytes elf = blob_bytes(&im->vmlinux);
	static const uint8_t none[8];
	size_t loaded;

	if (elf_check_kernel(elf, im->src.image_name, &loaded, e) < 0)
		return -1;
	elf.len = loaded;
	im->info.size += elf.len;
	if (write_file(im, "vmlinux", elf, e) < 0)
		return -1;
	fd = openat(im->stage, "vmlinux", O_WRONLY | O_CLOEXEC);
	/* e_shoff, then e_shentsize, e_shnum and e_shstrndx of Elf64_Ehdr. */
	if (fd < 0 || fs_pwrite_all(fd, none, 8, 40) < 0 || fs_pwrite_all(fd, none, 6, 58) < 0)
		return err_set(e, errno, "cannot write vmlinux");
	return 0;
}

static int write_config(struct import *im, struct err *e)
{
	struct blob *config = &im->src.config;

	if (!config->len &&
	    vmlinux_ikconfig(blob_bytes(&im->vmlinux), im->src.image_name, config, e) < 0)
		return -1;
	if (!config->len)
		return 0;
	if (!config_is_valid((char *)config->p, config->len))
		return err_set(e, 0, "the configuration that comes with it is none");
	im->info.has_config = true;
	im->info.size += config->len;
	im->info.has_cmdline_mmio =
		config_get((char *)config->p, config->len, "VIRTIO_MMIO_CMDLINE_DEVICES") == 'y';
	return write_file(im, "config", blob_bytes(config), e);
}

static int write_modules(struct import *im, struct err *e)
{
	cleanup_close int fd = -1;
	struct stat st;
	size_t i;

	im->info.size += im->src.modules_size;
	if (modules_find(im->src.modules, &im->modules, e) < 0)
		return -1;
	if (!im->src.nr_modules)
		(void)unlinkat(im->stage, "modules", AT_REMOVEDIR); /* an empty one does no harm */
	if (!im->modules.nr_closure)
		return 0;
	for (i = 0; i < im->modules.nr_closure; i++)
		strv_add(&im->info.modules, im->modules.closure[i]->name);
	fd = openat(im->stage, "modules.cpio", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return err_set(e, errno, "cannot write modules.cpio");
	if (modules_write_cpio(&im->modules, fd, e) < 0)
		return -1;
	if (fstat(fd, &st) < 0)
		return err_set(e, errno, "cannot stat modules.cpio");
	im->info.size += (uint64_t)st.st_size;
	return 0;
}

/* Hashes one file with its length before it, so that no two sets of files look alike. */
static int hash_file(EVP_MD_CTX *md, int dir, const char *name, struct err *e)
{
	cleanup_close int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	cleanup_blob struct blob content = { 0 };
	uint64_t len;

	if (fd < 0 && errno != ENOENT)
		return err_set(e, errno, "cannot open %s", name);
	if (fd >= 0 && blob_map(fd, name, 0, &content, e) < 0)
		return -1;
	len = content.len;
	if (EVP_DigestUpdate(md, &len, sizeof(len)) != 1 ||
	    EVP_DigestUpdate(md, content.p, content.len) != 1)
		return err_set(e, 0, "cannot compute a digest");
	return 0;
}

static int compute_digest(struct import *im, struct err *e)
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	struct strbuf text = STRBUF_INIT;
	unsigned len = 0, i;
	int r = -1;

	if (!md || EVP_DigestInit_ex(md, EVP_sha256(), NULL) != 1)
		err_set(e, 0, "cannot compute a digest");
	else if (!hash_file(md, im->stage, "vmlinux", e) &&
		 !hash_file(md, im->stage, "config", e) &&
		 !hash_file(md, im->stage, "modules.cpio", e))
		r = EVP_DigestFinal_ex(md, sum, &len) == 1
			    ? 0
			    : err_set(e, 0, "cannot compute a digest");
	EVP_MD_CTX_free(md);
	sb_adds(&text, "sha256:");
	for (i = 0; i < len; i++)
		sb_addf(&text, "%02x", sum[i]);
	im->info.digest = sb_take(&text);
	return r;
}

static int choose_name(const struct import_opts *o, struct import *im, const char *release,
		       struct err *e)
{
	size_t n = strlen(release), suffix = strlen(TUNED_SUFFIX);

	im->info.release = xstrdup(release);
	im->info.is_tuned = n > suffix && !strcmp(release + n - suffix, TUNED_SUFFIX);
	im->info.name = xstrdup(o->name ? o->name : release);
	if (!*release && !o->name) {
		err_set(e, 0, "the image does not say its release");
		return err_hint(e, "give it a name with --name=NAME");
	}
	return kernel_name_check(im->info.name, e);
}

static void stamp(struct import *im, const struct import_opts *o)
{
	char date[32], resolved[PATH_MAX];
	struct timespec now;
	struct tm tm;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
	im->info.imported = xasprintf("%s.%09ldZ", date, now.tv_nsec);
	im->info.source = xstrdup(realpath(o->source, resolved) ? resolved : o->source);
}

static int write_info(struct import *im, struct err *e)
{
	cleanup_json cJSON *j = kernel_info_json(&im->info);
	cleanup_sb struct strbuf text = STRBUF_INIT;

	json_print(&text, j, true);
	sb_addc(&text, '\n');
	return write_file(im, "info.json", (struct bytes){ (uint8_t *)text.buf, text.len }, e);
}

static int build(const struct import_opts *o, struct import *im, struct err *e)
{
	char release[KERNEL_RELEASE_MAX + 1];

	if (source_read(&im->src, o->source, e) < 0 || get_vmlinux(im, release, e) < 0 ||
	    choose_name(o, im, release, e) < 0 || write_vmlinux(im, e) < 0 ||
	    write_config(im, e) < 0 || write_modules(im, e) < 0 || compute_digest(im, e) < 0)
		return -1;
	stamp(im, o);
	return write_info(im, e);
}

/* One syncfs(2) where fsync(2) of some thousand modules would wait for the disk each time. */
static int publish(int store, struct import *im, bool exists, struct err *e)
{
	const char *name = im->info.name;
	int r;

	if (syncfs(im->stage) < 0)
		return err_set(e, errno, "cannot write it to disk");
	r = renameat2(store, STAGE, store, name, exists ? RENAME_EXCHANGE : RENAME_NOREPLACE);
	if (r < 0 && exists && errno == EINVAL) { /* a file system that cannot exchange */
		r = renameat(store, name, store, KERNEL_TMP_PREFIX "old");
		r = r < 0 ? r : renameat(store, STAGE, store, name);
	}
	if (r < 0)
		return err_set(e, errno, "cannot name it %s", name);
	return fs_sync_dir(store, "kernels", e);
}

/* Returns what became of it. */
static const char *settle(int store, struct import *im, struct err *e)
{
	struct kernel_info old = { 0 };
	struct err absent;
	bool exists = !faccessat(store, im->info.name, F_OK, AT_SYMLINK_NOFOLLOW);

	if (exists && !kernel_info_read(store, im->info.name, &old, &absent) &&
	    !strcmp(old.digest, im->info.digest)) {
		kernel_info_free(&im->info);
		im->info = old;
		return "unchanged";
	}
	kernel_info_free(&old);
	if (publish(store, im, exists, e) < 0)
		return NULL;
	return exists ? "replaced" : "imported";
}

static int import_locked(const struct import_opts *o, int store, cJSON **result, struct err *e)
{
	struct import im = { .stage = -1, .src.modules = -1 };
	const char *state = NULL;

	if (!open_stage(store, &im, e) && !build(o, &im, e))
		state = settle(store, &im, e);
	if (state) {
		*result = kernel_info_json(&im.info);
		cJSON_AddStringToObject(*result, "state", state);
	}
	if (state && o->make_default && kernel_default_set(store, im.info.name, e) < 0)
		state = NULL;
	import_free(&im);
	return state ? 0 : -1;
}

/* The stage, or the entry that it was exchanged with. Whatever goes wrong, the next writer retries.
 */
static void tidy(int store)
{
	struct err ignored;

	(void)fs_remove_tree(store, STAGE, &ignored);
	(void)fs_remove_tree(store, KERNEL_TMP_PREFIX "old", &ignored);
}

int kernel_import(const struct import_opts *o, cJSON **result, struct err *e)
{
	cleanup_close int store = -1, lock = -1;
	int r;

	*result = NULL;
	if (o->name && kernel_name_check(o->name, e) < 0)
		return -1;
	store = kernel_store_open(o->dir, true, e);
	lock = store < 0 ? -1 : kernel_store_lock(store, e);
	if (lock < 0)
		return err_wrap(e, "cannot import %s", o->source);
	r = import_locked(o, store, result, e);
	tidy(store);
	if (!r)
		return 0;
	cJSON_Delete(*result);
	*result = NULL;
	return err_wrap(e, "cannot import %s", o->source);
}
