/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Configuration as rkt's: any *.json directly in <dir>/paths.d of the system, local and user
 * directories, later ones overriding earlier ones by key, the same key twice in one directory being
 * an error.  Kinds that this build does not know are refused by name.
 */
#include "stage0/config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/log.h"
#include "base/options.h"
#include "stage0/cmd.h"

/* What the command line says, before defaults. */
struct globals {
	struct config *cfg;
	const char *dir, *system_config, *local_config, *user_config;
	bool debug, version, help;
};

static int set_insecure(void *ctx, const char *value, struct err *e)
{
	struct config *cfg = ((struct globals *)ctx)->cfg;
	const struct {
		const char *word;
		bool *flags[5];
	} words[] = {
		{ "none", { NULL } },
		{ "image", { &cfg->insecure_image } },
		{ "tls", { &cfg->insecure_tls } },
		{ "http", { &cfg->insecure_http } },
		{ "capabilities", { &cfg->insecure_capabilities } },
		{ "paths", { &cfg->insecure_paths } },
		{ "all-fetch", { &cfg->insecure_image, &cfg->insecure_tls, &cfg->insecure_http } },
		{ "all-run", { &cfg->insecure_capabilities, &cfg->insecure_paths } },
	};
	cleanup_free char *list = xstrdup(value);
	char *word, *save = NULL;
	size_t i, j;

	for (word = strtok_r(list, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
		for (i = 0; i < nitems(words) && strcmp(word, words[i].word); i++)
			;
		if (i == nitems(words)) {
			err_setk(e, ERR_USAGE, 0, "cannot use --insecure-options=%s: no such word",
				 word);
			return err_hint(e, "none, image, tls, http, capabilities, paths, all-fetch "
					   "or all-run");
		}
		for (j = 0; j < nitems(words[i].flags) && words[i].flags[j]; j++)
			*words[i].flags[j] = true;
	}
	return 0;
}

#define FIELD(f) offsetof(struct globals, f)
const struct opt global_opts[] = {
	{ "dir", 0, OPT_STR, FIELD(dir), "PATH", NULL, "data directory (/var/lib/vpod)", NULL },
	{ "debug", 0, OPT_BOOL, FIELD(debug), NULL, NULL,
	  "tell each step, and show the boot console", NULL },
	{ "system-config", 0, OPT_STR, FIELD(system_config), "DIR", NULL,
	  "vendor's configuration (/usr/lib/vpod)", NULL },
	{ "local-config", 0, OPT_STR, FIELD(local_config), "DIR", NULL,
	  "administrator's configuration (/etc/vpod)", NULL },
	{ "user-config", 0, OPT_STR, FIELD(user_config), "DIR", NULL,
	  "a further configuration directory", NULL },
	{ "insecure-options", 0, OPT_CALL, 0, "LIST", NULL,
	  "what not to insist on: image,tls,http,capabilities,paths,all-fetch,all-run",
	  set_insecure },
	{ "version", 0, OPT_BOOL, FIELD(version), NULL, NULL, "print the version", NULL },
	{ "help", 'h', OPT_BOOL, FIELD(help), NULL, NULL, "print this help", NULL },
	OPT_END,
};

static int bad_file(const char *file, struct err *e)
{
	e->kind = ERR_USAGE;
	err_wrap(e, "cannot use %s", file);
	return err_hint(e, "{\"rktKind\":\"paths\",\"rktVersion\":\"v1\",\"data\":\"/DIRECTORY\"}");
}

/* A key that nobody knows is one that somebody misspelt: what it was to say would not happen. */
static int check_keys(const cJSON *j, struct err *e)
{
	/* The last one is rkt's: where its images of stage1 lie, which vpod does not have. */
	static const char *const known[] = { "rktKind", "rktVersion", "data", "stage1-images" };
	const cJSON *item;
	size_t i;

	cJSON_ArrayForEach(item, j)
	{
		for (i = 0; i < nitems(known) && strcmp(item->string, known[i]); i++)
			;
		if (i == nitems(known))
			return err_set(e, 0, "it has an unknown key \"%s\"", item->string);
	}
	return 0;
}

static int check_paths(const cJSON *j, const char **data, struct err *e)
{
	const char *kind = NULL, *version = NULL, *ignored = NULL;

	if (json_get_str(j, "rktKind", &kind, e) < 0 ||
	    json_get_str(j, "rktVersion", &version, e) < 0 ||
	    json_get_str(j, "data", data, e) < 0 ||
	    json_get_str(j, "stage1-images", &ignored, e) < 0)
		return -1;
	if (!kind || strcmp(kind, "paths"))
		return err_set(e, 0, "rktKind is not \"paths\"");
	if (!version || strcmp(version, "v1"))
		return err_set(e, 0, "rktVersion is not \"v1\"");
	if (*data && (*data)[0] != '/')
		return err_set(e, 0, "data \"%s\" is not an absolute path", *data);
	return check_keys(j, e);
}

/* The value "data" that one directory's paths.d gives, or NULL. Caller owns. */
static int read_paths_file(const char *file, char **data, struct err *e)
{
	cleanup_sb struct strbuf text = STRBUF_INIT;
	cleanup_json cJSON *j = NULL;
	const char *value = NULL;

	if (fs_read(AT_FDCWD, file, 65536, &text, e) < 0)
		return -1;
	j = json_parse(text.buf, text.len, file, e);
	if (!j)
		return -1;
	if (check_paths(j, &value, e) < 0)
		return bad_file(file, e);
	if (value && *data) {
		err_set(e, 0, "another file of its directory sets \"data\" too");
		return bad_file(file, e);
	}
	if (value)
		*data = xstrdup(value);
	return 0;
}

static int read_paths_dir(const char *config_dir, char **data, struct err *e)
{
	cleanup_free char *dir = fs_join(config_dir, "paths.d");
	cleanup_closedir DIR *d = opendir(dir);
	cleanup_free char *found = NULL;
	struct dirent *de;

	if (!d && errno == ENOENT)
		return 0;
	if (!d)
		return err_set(e, errno, "cannot read configuration directory %s", dir);
	while ((de = readdir(d))) {
		size_t n = strlen(de->d_name);
		cleanup_free char *file = NULL;

		if (n < 6 || de->d_name[0] == '.' || strcmp(de->d_name + n - 5, ".json"))
			continue;
		file = fs_join(dir, de->d_name);
		if (read_paths_file(file, &found, e) < 0)
			return -1;
	}
	if (found) {
		free(*data);
		*data = take_ptr(&found);
	}
	return 0;
}

static char *absolute(const char *path)
{
	cleanup_free char *cwd = NULL;

	if (path[0] == '/')
		return xstrdup(path);
	cwd = getcwd(NULL, 0);
	return fs_join(cwd ? cwd : "", path);
}

static char *default_dir(void)
{
	const char *xdg = getenv("XDG_DATA_HOME"), *home = getenv("HOME");

	if (geteuid() == 0)
		return xstrdup("/var/lib/vpod");
	if (xdg && xdg[0] == '/')
		return fs_join(xdg, "vpod");
	return fs_join(home && home[0] == '/' ? home : "/nonexistent", ".local/share/vpod");
}

static char *default_run_dir(void)
{
	const char *xdg = getenv("XDG_RUNTIME_DIR");

	if (geteuid() == 0)
		return xstrdup("/run/vpod");
	if (xdg && xdg[0] == '/')
		return fs_join(xdg, "vpod");
	return xasprintf("/tmp/vpod-%u", geteuid());
}

void config_print_help(void)
{
	cleanup_sb struct strbuf b = STRBUF_INIT;
	size_t i;

	sb_adds(&b, "Usage: vpod [GLOBAL OPTIONS] COMMAND …\n\n"
		    "Runs pods of container images as micro-VMs.\n\nCommands:\n");
	for (i = 0; cmds[i]; i++)
		sb_addf(&b, "  %-22s %s\n", cmds[i]->name, cmds[i]->summary);
	sb_adds(&b, "\nGlobal options:\n");
	opts_help(&b, global_opts);
	sb_adds(&b, "\n'vpod COMMAND --help' tells more.\n");
	cmd_print_text(&b);
}

static int read_files(struct config *cfg, struct err *e)
{
	const char *dirs[] = { cfg->system_config, cfg->local_config, cfg->user_config };
	size_t i;

	for (i = 0; i < nitems(dirs); i++) {
		if (dirs[i] && read_paths_dir(dirs[i], &cfg->dir, e) < 0)
			return -1;
	}
	return 0;
}

static void resolve_dir(struct config *cfg)
{
	char *real = realpath(cfg->dir, NULL);

	if (!real)
		return; /* not there yet: made later, at the path as given */
	free(cfg->dir);
	cfg->dir = real;
}

/* Options of the process, like argv: commands accept global options after their name too. */
static struct globals globals;

struct opt_set config_opt_set(void)
{
	return (struct opt_set){ global_opts, &globals };
}

static void set_string(char **field, const char *value, const char *fallback)
{
	free(*field);
	*field = value ? xstrdup(value) : fallback ? xstrdup(fallback) : NULL;
}

int config_settle(struct err *e)
{
	struct config *cfg = globals.cfg;

	cfg->debug = globals.debug;
	set_string(&cfg->system_config, globals.system_config, "/usr/lib/vpod");
	set_string(&cfg->local_config, globals.local_config, "/etc/vpod");
	set_string(&cfg->user_config, globals.user_config, NULL);
	log_set(log_name(), cfg->debug ? LOG_DEBUG : LOG_WARN);
	set_string(&cfg->dir, NULL, NULL);
	if (!cfg->run_dir)
		cfg->run_dir = default_run_dir();
	if (globals.dir)
		cfg->dir = absolute(globals.dir);
	else if (read_files(cfg, e) < 0)
		return -1;
	if (!cfg->dir)
		cfg->dir = default_dir();
	resolve_dir(cfg);
	return 0;
}

bool config_print_version(void)
{
	if (globals.version)
		printf("%s %s\n", log_name(), VPOD_VERSION);
	return globals.version;
}

int config_parse(struct config *cfg, int argc, char **argv, int *i, struct err *e)
{
	struct opt_set sets[] = { config_opt_set(), { NULL, NULL } };
	bool ended;

	globals.cfg = cfg;
	if (opts_parse(sets, argc, argv, i, &ended, e) < 0)
		return -1;
	if (config_print_version())
		return 1;
	if (globals.help) {
		config_print_help();
		return 1;
	}
	return config_settle(e);
}

void config_free(struct config *cfg)
{
	free(cfg->dir);
	free(cfg->run_dir);
	free(cfg->system_config);
	free(cfg->local_config);
	free(cfg->user_config);
	*cfg = (struct config){ 0 };
}

int config_make_dirs(const struct config *cfg, struct err *e)
{
	struct stat st;

	if (fs_mkdir_p(cfg->dir, 0755, e) < 0 || fs_mkdir_p(cfg->run_dir, 0700, e) < 0)
		return err_hint(e, "name a data directory that you may write with --dir");
	if (stat(cfg->run_dir, &st) < 0 || st.st_uid != geteuid() || (st.st_mode & 0022))
		return err_setk(e, ERR_DENIED, 0,
				"cannot use %s: it belongs to or may be written by somebody else",
				cfg->run_dir);
	return 0;
}
