/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdio.h>

#include "base/fs.h"
#include "base/json.h"
#include "stage0/cmd.h"
#include "stage0/pod.h"
#include "stage0/uuidarg.h"

struct cat_args {
	bool pretty;
	const char *uuid_file;
};

static const struct opt cat_opts[] = {
	{ "pretty-print", 0, OPT_BOOL, offsetof(struct cat_args, pretty), NULL, NULL,
	  "with line breaks (true)", NULL },
	{ "uuid-file", 0, OPT_STR, offsetof(struct cat_args, uuid_file), "FILE", NULL,
	  "read the UUID from a file", NULL },
	OPT_END,
};

static int cat_manifest(const struct config *cfg, int argc, char **argv, struct err *e)
{
	cleanup_sb struct strbuf text = STRBUF_INIT, out = STRBUF_INIT;
	cleanup_pod struct pod p = POD_INIT;
	struct cat_args a = { .pretty = true };
	cleanup_json cJSON *j = NULL;
	char uuid[UUID_LEN + 1];
	int i = cmd_parse(&cmd_cat_manifest, &a, argc, argv, e);

	if (i < 0)
		return i == -2 ? 0 : -1;
	if (uuid_argument(&cmd_cat_manifest, argc - i, argv + i, a.uuid_file, uuid, e) < 0 ||
	    pod_open(cfg, uuid, &p, e) < 0 ||
	    fs_read(p.dirfd, "manifest.json", JSON_MAX_SIZE, &text, e) < 0)
		return -1;
	j = json_parse(text.buf, text.len, "pod manifest", e);
	if (!j)
		return -1;
	json_print(&out, j, a.pretty);
	puts(out.buf);
	return 0;
}

const struct cmd cmd_cat_manifest = {
	.name = "cat-manifest",
	.args = "UUID",
	.summary = "print the manifest of a pod (appc PodManifest)",
	.opts = cat_opts,
	.run = cat_manifest,
};
