/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The CNI runtime by hand, for tests:
 *   cnirun [-p DIRS] [-d NET.D] [-t MS] [-c CAPABILITIES] [-a ARGS] [-r RESULT-FILE] [-P] [-s] \
 *          add|del|check|status|gc|versions|print NETWORK NETNS IFNAME ID [ID/IFNAME...]
 * NETWORK is a name of -d's directory or of a built-in network, or the path of a file.  add prints
 * the result's JSON; with -r it is written there, and del and check read it.  -P: as for --port.
 * -s: after the command, "plugin NS engine NS runs N" on standard error.  IDs behind: gc's valid
 * ones.  Exit status 1 and "error CODE: TEXT", or 3 when the network has no such command.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/log.h"
#include "base/loop.h"
#include "stage0/net/cni.h"

struct options {
	const char *paths, *dir, *caps, *args, *result;
	uint64_t timeout_ns;
	bool ports, stats;
	char **operands;
	int nr_operands;
};

static int load(const struct options *o, struct cni_nets *nets, struct cni_list *file,
		struct cni_list **out, struct err *e)
{
	cleanup_strv struct strv dirs = { 0 };
	cleanup_sb struct strbuf text = STRBUF_INIT;
	const char *name = o->operands[1];

	if (strchr(name, '/')) {
		*out = file;
		if (fs_read(AT_FDCWD, name, CNI_MAX_CONF, &text, e) < 0 ||
		    cni_list_parse(text.buf, text.len, name, file, e) < 0)
			return -1;
	} else {
		if (o->dir)
			strv_add(&dirs, o->dir);
		if (cni_nets_load(&dirs, nets, e) < 0)
			return -1;
		*out = cni_nets_find(nets, name, e);
		if (!*out)
			return -1;
	}
	return o->ports ? cni_list_add_ports(*out, e) : 0;
}

static int add(const struct options *o, const struct cni_list *l, struct cni_args *a, struct err *e)
{
	cleanup_cni_result struct cni_result r = { 0 };

	if (cni_add(l, a, &r, e) < 0)
		return -1;
	puts(r.json ? r.json : "");
	return o->result ? fs_write_atomic(AT_FDCWD, o->result, r.json, strlen(r.json), 0644, e)
			 : 0;
}

static int gc(const struct options *o, const struct cni_list *l, struct cni_args *a, struct err *e)
{
	struct cni_attachment valid[16];
	size_t n = 0;
	int i;

	for (i = 5; i < o->nr_operands && n < nitems(valid); i++) {
		char *slash = strchr(o->operands[i], '/');

		if (!slash)
			return err_set(e, 0, "cannot use %s: not ID/IFNAME", o->operands[i]);
		*slash = '\0';
		valid[n++] = (struct cni_attachment){ o->operands[i], slash + 1 };
	}
	return cni_gc(l, a, valid, n, e);
}

static int versions(const struct cni_list *l, struct cni_args *a, struct err *e)
{
	unsigned i;
	size_t n;

	for (i = 0; i < l->nr_plugins; i++) {
		cleanup_strv struct strv v = { 0 };

		if (cni_plugin_versions(l->plugins[i].type, a, &v, e) < 0)
			return -1;
		printf("%s:", l->plugins[i].type);
		for (n = 0; n < v.nr_v; n++)
			printf(" %s", v.v[n]);
		puts("");
	}
	return 0;
}

static int print(const struct cni_list *l)
{
	cleanup_sb struct strbuf b = STRBUF_INIT;

	cni_list_print(l, &b);
	puts(b.buf);
	return 0;
}

static int dispatch(const struct options *o, const struct cni_list *l, struct cni_args *a,
		    struct err *e)
{
	cleanup_sb struct strbuf prev = STRBUF_INIT;
	const char *command = o->operands[0], *p = NULL;

	if (!strcmp(command, "add"))
		return add(o, l, a, e);
	if (o->result && !access(o->result, F_OK)) {
		if (fs_read(AT_FDCWD, o->result, CNI_MAX_RESULT, &prev, e) < 0)
			return -1;
		p = prev.buf;
	}
	if (!strcmp(command, "del"))
		return cni_del(l, a, p, e);
	if (!strcmp(command, "check"))
		return cni_check(l, a, p, e);
	if (!strcmp(command, "status"))
		return cni_status(l, a, e);
	if (!strcmp(command, "gc"))
		return gc(o, l, a, e);
	if (!strcmp(command, "versions"))
		return versions(l, a, e);
	return !strcmp(command, "print") ? print(l)
					 : err_set(e, 0, "cannot run %s: no such command", command);
}

static int split(const char *s, struct strv *out)
{
	cleanup_free char *list = xstrdup(s);
	char *dir, *save = NULL;

	for (dir = strtok_r(list, ":", &save); dir; dir = strtok_r(NULL, ":", &save))
		strv_add(out, dir);
	return 0;
}

static int run(const struct options *o, struct err *e)
{
	cleanup_cni_nets struct cni_nets nets = { 0 };
	cleanup_cni_list struct cni_list file = { 0 };
	cleanup_strv struct strv paths = { 0 };
	cleanup_json cJSON *caps = NULL;
	struct cni_list *l = NULL;
	struct cni_args a = {
		.paths = &paths,
		.args = o->args,
		.timeout_ns = o->timeout_ns,
		.netns = o->nr_operands > 2 ? o->operands[2] : NULL,
		.ifname = o->nr_operands > 3 ? o->operands[3] : NULL,
		.container_id = o->nr_operands > 4 ? o->operands[4] : NULL,
	};
	uint64_t began;
	int rc;

	split(o->paths ? o->paths : "/usr/lib/cni", &paths);
	if (o->caps) {
		caps = json_parse(o->caps, strlen(o->caps), "-c", e);
		if (!caps)
			return -1;
		a.capabilities = caps;
	}
	if (load(o, &nets, &file, &l, e) < 0)
		return -1;
	began = now_ns();
	rc = dispatch(o, l, &a, e);
	if (o->stats)
		fprintf(stderr, "plugin %llu engine %llu runs %u\n",
			(unsigned long long)a.plugin_ns,
			(unsigned long long)(now_ns() - began - a.plugin_ns), a.nr_runs);
	if (rc < 0)
		fprintf(stderr, "error %llu: ", (unsigned long long)a.code);
	return rc;
}

int main(int argc, char **argv)
{
	struct options o = { 0 };
	struct err e = { 0 };
	int c, rc;

	log_set("cnirun", LOG_WARN);
	while ((c = getopt(argc, argv, "+p:d:t:c:a:r:Ps")) != -1) {
		switch (c) {
		case 'p':
			o.paths = optarg;
			break;
		case 'd':
			o.dir = optarg;
			break;
		case 't':
			o.timeout_ns = strtoull(optarg, NULL, 10) * 1000000;
			break;
		case 'c':
			o.caps = optarg;
			break;
		case 'a':
			o.args = optarg;
			break;
		case 'r':
			o.result = optarg;
			break;
		case 'P':
			o.ports = true;
			break;
		case 's':
			o.stats = true;
			break;
		default:
			return 2;
		}
	}
	o.operands = argv + optind;
	o.nr_operands = argc - optind;
	if (o.nr_operands < 2)
		return 2;
	rc = run(&o, &e);
	if (rc < 0) {
		fprintf(stderr, "%s\n", e.msg);
		if (e.hint[0])
			fprintf(stderr, "hint: %s\n", e.hint);
	}
	return rc < 0 ? 1 : rc ? 3 : 0;
}
