/* SPDX-License-Identifier: Apache-2.0 */
/* The net.d directories, and the networks that are built in. */
#include "stage0/net/conf.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/log.h"
#include "stage0/config.h"

/*
 * rkt's two, with its addresses.  0.4.0 is the newest version that every release of the plugins
 * speaks that is still in use (they learnt 1.0.0 in 2021), and has all that these need: CHECK.
 */
static const char *const builtin[] = {
	"{ \"cniVersion\": \"0.4.0\", \"name\": \"default\", \"plugins\": [\n"
	"  { \"type\": \"ptp\", \"ipMasq\": true,\n"
	"    \"ipam\": { \"type\": \"host-local\", \"subnet\": \"172.16.28.0/24\",\n"
	"      \"routes\": [ { \"dst\": \"0.0.0.0/0\" } ] } } ] }",

	"{ \"cniVersion\": \"0.4.0\", \"name\": \"default-restricted\", \"plugins\": [\n"
	"  { \"type\": \"ptp\", \"ipMasq\": false,\n"
	"    \"ipam\": { \"type\": \"host-local\", \"subnet\": \"172.31.0.0/16\" } } ] }",
};

void cni_nets_free(struct cni_nets *n)
{
	unsigned i;

	for (i = 0; i < n->nr; i++)
		cni_list_free(&n->v[i]);
	free(n->v);
	*n = (struct cni_nets){ 0 };
}

void cni_conf_dirs(const struct config *cfg, struct strv *out)
{
	const char *dirs[] = { cfg->user_config, cfg->local_config, cfg->system_config };
	size_t i;

	for (i = 0; i < nitems(dirs); i++) {
		if (dirs[i])
			strv_take(out, fs_join(dirs[i], "net.d"));
	}
}

static int cmp_string(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool ends_in(const char *name, const char *const *endings)
{
	const char *dot = strrchr(name, '.');

	for (; dot && dot != name && *endings; endings++) {
		if (!strcmp(dot, *endings))
			return true;
	}
	return false;
}

/* Names of the files with such an ending in lexical order. A directory that is not there has none.
 */
static int list_files(const char *dir, const char *const *endings, struct strv *out, struct err *e)
{
	cleanup_closedir DIR *d = opendir(dir);
	struct dirent *de;

	if (!d && errno == ENOENT)
		return 0;
	if (!d)
		return err_set(e, errno, "cannot read network directory %s", dir);
	while ((de = readdir(d))) {
		if (de->d_type == DT_DIR || de->d_name[0] == '.' || !ends_in(de->d_name, endings))
			continue;
		if (out->nr_v == CNI_MAX_FILES)
			return err_setk(e, ERR_USAGE, 0,
					"cannot use network directory %s: it has over %d files",
					dir, CNI_MAX_FILES);
		strv_add(out, de->d_name);
	}
	if (out->nr_v)
		qsort(out->v, out->nr_v, sizeof(*out->v), cmp_string);
	return 0;
}

/* A link is fine: the directories are the administrator's. */
static int read_file(const char *path, struct strbuf *out, struct err *e)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(e, errno, "cannot read network configuration %s", path);
	if (!S_ISREG(st.st_mode))
		return err_setk(e, ERR_USAGE, 0,
				"cannot read network configuration %s: not a regular file", path);
	return fs_read_fd(fd, path, CNI_MAX_CONF, out, e);
}

/* loadOnlyInlinedPlugins is not said: net.d/NAME/ may have plugins for the end of the chain. */
static int load_more_plugins(const char *dir, struct cni_list *l, struct err *e)
{
	static const char *const endings[] = { ".conf", NULL };
	cleanup_free char *sub = fs_join(dir, l->name);
	cleanup_strv struct strv files = { 0 };
	size_t i;

	if (list_files(sub, endings, &files, e) < 0)
		return -1;
	for (i = 0; i < files.nr_v; i++) {
		cleanup_free char *path = fs_join(sub, files.v[i]);
		cleanup_sb struct strbuf text = STRBUF_INIT;

		if (read_file(path, &text, e) < 0)
			return -1;
		if (strlen(text.buf) != text.len)
			return err_setk(e, ERR_USAGE, 0, "cannot use %s: a NUL byte is in it",
					path);
		if (cni_list_append(l, text.buf, e) < 0) {
			e->kind = ERR_USAGE;
			return err_wrap(e, "cannot use %s", path);
		}
	}
	if (!l->nr_plugins)
		return err_setk(e, ERR_USAGE, 0, "cannot use %s: network %s has no plugins",
				l->source, l->name);
	l->only_inlined = true;
	return 0;
}

static bool is_known(const struct cni_nets *n, const char *name)
{
	unsigned i;

	for (i = 0; i < n->nr; i++) {
		if (!strcmp(n->v[i].name, name))
			return true;
	}
	return false;
}

/* Takes @l, or frees it when an earlier one has its name. */
static void add_list(struct cni_nets *n, struct cni_list *l)
{
	if (is_known(n, l->name)) {
		if (l->source)
			log_debug("net: %s is not used: %s was defined before", l->source, l->name);
		cni_list_free(l);
		return;
	}
	n->v = xrealloc(n->v, (n->nr + 1) * sizeof(*n->v));
	n->v[n->nr++] = *l;
	*l = (struct cni_list){ 0 };
}

static int load_file(const char *dir, const char *file, struct cni_nets *out, struct err *e)
{
	cleanup_cni_list struct cni_list l = { 0 };
	cleanup_sb struct strbuf text = STRBUF_INIT;
	cleanup_free char *path = fs_join(dir, file);

	if (read_file(path, &text, e) < 0 || cni_list_parse(text.buf, text.len, path, &l, e) < 0)
		return -1;
	l.source = take_ptr(&path);
	if (!l.only_inlined && load_more_plugins(dir, &l, e) < 0)
		return -1;
	add_list(out, &l);
	return 0;
}

static int load_dir(const char *dir, struct cni_nets *out, struct err *e)
{
	static const char *const endings[] = { ".conf", ".json", ".conflist", NULL };
	cleanup_strv struct strv files = { 0 };
	size_t i;

	if (list_files(dir, endings, &files, e) < 0)
		return -1;
	for (i = 0; i < files.nr_v; i++) {
		if (load_file(dir, files.v[i], out, e) < 0)
			return -1;
	}
	return 0;
}

int cni_nets_load(const struct strv *dirs, struct cni_nets *out, struct err *e)
{
	struct cni_list l;
	size_t i;

	*out = (struct cni_nets){ 0 };
	for (i = 0; i < dirs->nr_v; i++) {
		if (load_dir(dirs->v[i], out, e) < 0) {
			cni_nets_free(out);
			return -1;
		}
	}
	for (i = 0; i < nitems(builtin); i++) {
		if (cni_list_parse(builtin[i], strlen(builtin[i]), "a built-in network", &l, e) < 0)
			abort(); /* a programming error */
		l.only_inlined = true;
		add_list(out, &l);
	}
	return 0;
}

struct cni_list *cni_nets_find(const struct cni_nets *n, const char *name, struct err *e)
{
	cleanup_sb struct strbuf names = STRBUF_INIT;
	unsigned i;

	for (i = 0; i < n->nr; i++) {
		if (!strcmp(n->v[i].name, name))
			return &n->v[i];
		sb_addf(&names, "%s%s", i ? ", " : "", n->v[i].name);
	}
	err_setk(e, ERR_NOT_FOUND, 0, "cannot use network %s: there is none of that name", name);
	err_hint(e, "the networks are %s", names.buf);
	return NULL;
}
