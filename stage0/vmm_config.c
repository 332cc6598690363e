/* SPDX-License-Identifier: Apache-2.0 */
#include "stage0/vmm_config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/options.h"

#define DEFAULT_BOOT_ARGS "console=ttyS0 reboot=k panic=-1"
#define MAX_DRIVES 24
#define MIB ((uint64_t)1 << 20)

struct conv {
	struct strbuf *out;
	const char *root; /* "ro", "rw": how the root device is mounted; NULL: there is none */
	const char *partuuid;
	const char *io; /* "uring", "threads", or NULL */
};

static int bad(struct err *e, const char *where, const char *why)
{
	return err_setk(e, ERR_USAGE, 0, "cannot use the machine's configuration: %s: %s", where,
			why);
}

/* Every key of @o is one of @names. */
static int check_keys(const cJSON *o, const char *where, const char *const *names, struct err *e)
{
	const cJSON *m;
	size_t i;

	if (!cJSON_IsObject(o))
		return bad(e, where, "not an object");
	cJSON_ArrayForEach(m, o)
	{
		const char *near;

		for (i = 0; names[i] && strcmp(names[i], m->string) != 0; i++)
			;
		if (names[i])
			continue;
		near = nearest_word(m->string, names);
		err_setk(e, ERR_USAGE, 0,
			 "cannot use the machine's configuration: %s: unknown key '%s'", where,
			 m->string);
		return near ? err_hint(e, "did you mean '%s'?", near) : -1;
	}
	return 0;
}

static int wrap(struct err *e, const char *where)
{
	e->kind = ERR_USAGE;
	return err_wrap(e, "cannot use the machine's configuration: %s", where);
}

/* " key=value" with what would end a word, or begin an escape, as %XX. */
static void add_value(struct conv *c, const char *key, const char *value)
{
	sb_addf(c->out, " %s=", key);
	for (; *value; value++) {
		unsigned char b = (unsigned char)*value;

		if (b <= ' ' || b == '%' || b >= 0x7f)
			sb_addf(c->out, "%%%02X", b);
		else
			sb_addc(c->out, (char)b);
	}
}

/* A string that must be there. */
static int need_str(const cJSON *o, const char *where, const char *key, const char **v,
		    struct err *e)
{
	int r = json_get_str(o, key, v, e);

	if (r < 0)
		return wrap(e, where);
	if (r && **v)
		return 0;
	return err_setk(e, ERR_USAGE, 0, "cannot use the machine's configuration: %s: no %s", where,
			key);
}

/* A key that only may have the value that changes nothing here. */
static int refuse_true(const cJSON *o, const char *where, const char *key, struct err *e)
{
	bool v = false;

	if (json_get_bool(o, key, &v, e) < 0)
		return wrap(e, where);
	return v ? err_setk(e, ERR_USAGE, 0,
			    "cannot use the machine's configuration: %s: %s cannot be true", where,
			    key)
		 : 0;
}

static int refuse_other(const cJSON *o, const char *where, const char *key, const char *only,
			struct err *e)
{
	const char *v = only;

	if (json_get_str(o, key, &v, e) < 0)
		return wrap(e, where);
	return strcmp(v, only) != 0
		       ? err_setk(e, ERR_USAGE, 0,
				  "cannot use the machine's configuration: %s: %s can only be %s",
				  where, key, only)
		       : 0;
}

/* Firecracker's bucket: @size tokens, filled again in refill_time ms. Ours: a rate and a burst. */
static int convert_bucket(struct conv *c, const cJSON *o, const char *prefix, const char *name,
			  struct err *e)
{
	static const char *const keys[] = { "size", "one_time_burst", "refill_time", NULL };
	uint64_t size = 0, burst = 0, ms = 0, rate;

	if (check_keys(o, name, keys, e) < 0)
		return -1;
	if (json_get_u64(o, "size", &size, e) < 0 || json_get_u64(o, "refill_time", &ms, e) < 0 ||
	    json_get_u64(o, "one_time_burst", &burst, e) < 0)
		return wrap(e, name);
	if (!size || !ms || size > 1ull << 50 || ms > 1ull << 32 || burst > (1ull << 50) - size)
		return bad(e, name, "size and refill_time must be from 1 on, and not absurd");
	rate = (uint64_t)((__uint128_t)size * 1000 / ms);
	if (!rate || rate > 1ull << 50)
		return bad(e, name, "the rate must be from 1 to 2^50 per second");
	sb_addf(c->out, " %s%s=%" PRIu64 " %s%s-burst=%" PRIu64, prefix, name, rate, prefix, name,
		size + burst);
	return 0;
}

static int convert_limiter(struct conv *c, const cJSON *o, const char *key, const char *prefix,
			   struct err *e)
{
	static const char *const keys[] = { "bandwidth", "ops", NULL };
	const cJSON *limiter = NULL, *bytes = NULL, *ops = NULL;
	int r = json_get_obj(o, key, &limiter, e);

	if (r < 0)
		return wrap(e, key);
	if (!r)
		return 0;
	if (check_keys(limiter, key, keys, e) < 0)
		return -1;
	if (json_get_obj(limiter, "bandwidth", &bytes, e) < 0 ||
	    json_get_obj(limiter, "ops", &ops, e) < 0)
		return wrap(e, key);
	if (bytes && convert_bucket(c, bytes, prefix, "bytes", e) < 0)
		return -1;
	return ops ? convert_bucket(c, ops, prefix, "ops", e) : 0;
}

static int convert_io(struct conv *c, const cJSON *o, struct err *e)
{
	const char *engine = NULL, *io;

	if (json_get_str(o, "io_engine", &engine, e) < 0)
		return wrap(e, "drives");
	if (!engine)
		return 0;
	io = !strcmp(engine, "Async") ? "uring" : !strcmp(engine, "Sync") ? "threads" : NULL;
	if (!io)
		return bad(e, "drives", "io_engine is Sync or Async");
	if (c->io && strcmp(c->io, io) != 0)
		return bad(e, "drives", "io_engine must be the same for all");
	c->io = io;
	return 0;
}

static int check_cache(const cJSON *o, struct err *e)
{
	const char *cache = "Writeback";

	if (json_get_str(o, "cache_type", &cache, e) < 0)
		return wrap(e, "drives");
	if (strcmp(cache, "Writeback") != 0 && strcmp(cache, "Unsafe") != 0)
		return bad(e, "drives", "cache_type is Unsafe or Writeback");
	return 0; /* a flush is a flush with either */
}

static int convert_drive(struct conv *c, const cJSON *o, bool is_root, struct err *e)
{
	static const char *const keys[] = { "drive_id",	    "path_on_host", "is_root_device",
					    "is_read_only", "partuuid",	    "cache_type",
					    "io_engine",    "rate_limiter", NULL };
	const char *id, *path;
	bool is_readonly = false;

	if (check_keys(o, "drives", keys, e) < 0 || need_str(o, "drives", "drive_id", &id, e) < 0 ||
	    need_str(o, "drives", "path_on_host", &path, e) < 0 || check_cache(o, e) < 0 ||
	    convert_io(c, o, e) < 0)
		return -1;
	if (json_get_bool(o, "is_read_only", &is_readonly, e) < 0)
		return wrap(e, "drives");
	if (strlen(id) > 20)
		return bad(e, "drives", "drive_id has more than 20 bytes");
	if (is_root) {
		c->root = is_readonly ? "ro" : "rw";
		if (json_get_str(o, "partuuid", &c->partuuid, e) < 0)
			return wrap(e, "drives");
	}
	sb_adds(c->out, "disk");
	add_value(c, "serial", id);
	sb_addf(c->out, " readonly=%s", is_readonly ? "on" : "off");
	if (convert_limiter(c, o, "rate_limiter", "", e) < 0)
		return -1;
	add_value(c, "path", path);
	sb_addc(c->out, '\n');
	return 0;
}

static int is_root_drive(const cJSON *o, bool *is_root, struct err *e)
{
	*is_root = false;
	if (cJSON_IsObject(o) && json_get_bool(o, "is_root_device", is_root, e) < 0)
		return wrap(e, "drives");
	return 0;
}

/* The root device comes first, so that it is /dev/vda. */
static int convert_drives(struct conv *c, const cJSON *list, struct err *e)
{
	const cJSON *o;
	bool is_root;
	int pass;

	for (pass = 0; pass < 2; pass++) {
		cJSON_ArrayForEach(o, list)
		{
			if (is_root_drive(o, &is_root, e) < 0)
				return -1;
			if (is_root != (pass == 0))
				continue;
			if (is_root && c->root)
				return bad(e, "drives", "there are two root devices");
			if (convert_drive(c, o, is_root, e) < 0)
				return -1;
		}
	}
	return 0;
}

static int convert_nic(struct conv *c, const cJSON *o, struct err *e)
{
	static const char *const keys[] = {
		"iface_id", "host_dev_name",   "socket",	  "guest_mac",
		"mtu",	    "rx_rate_limiter", "tx_rate_limiter", NULL
	};
	const char *id, *tap = NULL, *path = NULL, *mac = NULL;
	uint64_t mtu = 0;

	if (check_keys(o, "network-interfaces", keys, e) < 0 ||
	    need_str(o, "network-interfaces", "iface_id", &id, e) < 0)
		return -1;
	if (json_get_str(o, "host_dev_name", &tap, e) < 0 ||
	    json_get_str(o, "socket", &path, e) < 0 || json_get_str(o, "guest_mac", &mac, e) < 0 ||
	    json_get_u64(o, "mtu", &mtu, e) < 0)
		return wrap(e, "network-interfaces");
	if (!tap == !path || !*(tap ? tap : path))
		return bad(e, "network-interfaces", "either host_dev_name or socket is needed");
	sb_adds(c->out, tap ? "net" : "net kind=stream");
	add_value(c, tap ? "tap" : "path", tap ? tap : path);
	if (mac)
		add_value(c, "mac", mac);
	if (mtu)
		sb_addf(c->out, " mtu=%" PRIu64, mtu);
	if (convert_limiter(c, o, "rx_rate_limiter", "rx-", e) < 0 ||
	    convert_limiter(c, o, "tx_rate_limiter", "tx-", e) < 0)
		return -1;
	sb_addc(c->out, '\n');
	return 0;
}

static int convert_nics(struct conv *c, const cJSON *list, struct err *e)
{
	const cJSON *o;

	cJSON_ArrayForEach(o, list)
	{
		if (convert_nic(c, o, e) < 0)
			return -1;
	}
	return 0;
}

static int convert_share(struct conv *c, const cJSON *o, struct err *e)
{
	static const char *const keys[] = { "tag", "socket", NULL };
	const char *tag, *path;

	if (check_keys(o, "shares", keys, e) < 0 || need_str(o, "shares", "tag", &tag, e) < 0 ||
	    need_str(o, "shares", "socket", &path, e) < 0)
		return -1;
	sb_adds(c->out, "fs");
	add_value(c, "tag", tag);
	add_value(c, "path", path);
	sb_addc(c->out, '\n');
	return 0;
}

static int convert_shares(struct conv *c, const cJSON *list, struct err *e)
{
	const cJSON *o;

	cJSON_ArrayForEach(o, list)
	{
		if (convert_share(c, o, e) < 0)
			return -1;
	}
	return 0;
}

/* deflate_on_oom takes the guest's driver, which always does it. */
static int convert_balloon(struct conv *c, const cJSON *o, struct err *e)
{
	static const char *const keys[] = {
		"amount_mib",	       "deflate_on_oom",    "stats_polling_interval_s",
		"free_page_reporting", "free_page_hinting", NULL
	};
	bool on_oom = true, reporting = false;
	uint64_t mib = 0, poll = 0;

	if (check_keys(o, "balloon", keys, e) < 0 ||
	    refuse_true(o, "balloon", "free_page_hinting", e) < 0)
		return -1;
	if (json_get_u64(o, "amount_mib", &mib, e) < 0 ||
	    json_get_u64(o, "stats_polling_interval_s", &poll, e) < 0 ||
	    json_get_bool(o, "deflate_on_oom", &on_oom, e) < 0 ||
	    json_get_bool(o, "free_page_reporting", &reporting, e) < 0)
		return wrap(e, "balloon");
	if (mib > 1ull << 20)
		return bad(e, "balloon", "amount_mib is absurd");
	sb_addf(c->out, "balloon target=%" PRIu64 " stats=%s reporting=%s\n", mib * MIB,
		poll ? "on" : "off", reporting ? "on" : "off");
	return 0;
}

static int convert_entropy(struct conv *c, const cJSON *o, struct err *e)
{
	static const char *const keys[] = { "rate_limiter", NULL };

	if (check_keys(o, "entropy", keys, e) < 0)
		return -1;
	sb_adds(c->out, "rng");
	if (convert_limiter(c, o, "rate_limiter", "", e) < 0)
		return -1;
	sb_addc(c->out, '\n');
	return 0;
}

/* Also when absent: then standard output has it. */
static int convert_serial(struct conv *c, const cJSON *o, struct err *e)
{
	static const char *const keys[] = { "serial_out_path", "max_bytes", NULL };
	const char *path = NULL;
	uint64_t max = 0;

	if (o && check_keys(o, "serial", keys, e) < 0)
		return -1;
	if (o && (json_get_str(o, "serial_out_path", &path, e) < 0 ||
		  json_get_u64(o, "max_bytes", &max, e) < 0))
		return wrap(e, "serial");
	sb_adds(c->out, "serial");
	if (path)
		add_value(c, "path", path);
	else
		sb_adds(c->out, " fd=1");
	if (max)
		sb_addf(c->out, " max=%" PRIu64, max);
	sb_addc(c->out, '\n');
	return 0;
}

static int convert_machine(struct conv *c, const cJSON *o, struct err *e)
{
	static const char *const where = "machine-config";
	static const char *const keys[] = { "vcpu_count", "mem_size_mib",
					    "smt",	  "track_dirty_pages",
					    "huge_pages", "cpu_template",
					    "acpi",	  NULL };
	uint64_t cpus = 1, mib = 128;
	bool acpi = true;

	if (o && (check_keys(o, where, keys, e) < 0 || refuse_true(o, where, "smt", e) < 0 ||
		  refuse_true(o, where, "track_dirty_pages", e) < 0 ||
		  refuse_other(o, where, "huge_pages", "None", e) < 0 ||
		  refuse_other(o, where, "cpu_template", "None", e) < 0))
		return -1;
	if (o && (json_get_u64(o, "vcpu_count", &cpus, e) < 0 ||
		  json_get_u64(o, "mem_size_mib", &mib, e) < 0 ||
		  json_get_bool(o, "acpi", &acpi, e) < 0))
		return wrap(e, where);
	if (!cpus || cpus > 32 || !mib || mib > MIB)
		return bad(e, where, "vcpu_count is 1 to 32, mem_size_mib 1 to 1048576");
	sb_addf(c->out, "machine cpus=%" PRIu64 " memory=%" PRIu64 " acpi=%s", cpus, mib * MIB,
		acpi ? "on" : "off");
	if (c->io)
		sb_addf(c->out, " io=%s", c->io);
	sb_addc(c->out, '\n');
	return 0;
}

static int convert_boot(struct conv *c, const cJSON *o, struct err *e)
{
	static const char *const keys[] = { "kernel_image_path", "initrd_path", "boot_args", NULL };
	const char *kernel, *initrd = NULL, *args = DEFAULT_BOOT_ARGS;

	if (check_keys(o, "boot-source", keys, e) < 0 ||
	    need_str(o, "boot-source", "kernel_image_path", &kernel, e) < 0)
		return -1;
	if (json_get_str(o, "initrd_path", &initrd, e) < 0 ||
	    json_get_str(o, "boot_args", &args, e) < 0)
		return wrap(e, "boot-source");
	if (strpbrk(args, "\n\r"))
		return bad(e, "boot-source", "boot_args has a line's end");
	sb_adds(c->out, "kernel");
	add_value(c, "path", kernel);
	if (initrd) {
		sb_adds(c->out, "\ninitrd");
		add_value(c, "path", initrd);
	}
	sb_addf(c->out, "\ncmdline %s", args);
	if (c->root && c->partuuid)
		sb_addf(c->out, " root=PARTUUID=%s %s", c->partuuid, c->root);
	else if (c->root)
		sb_addf(c->out, " root=/dev/vda %s", c->root);
	sb_addc(c->out, '\n');
	return c->partuuid && strpbrk(c->partuuid, " \n\r")
		       ? bad(e, "drives", "partuuid has a space")
		       : 0;
}

static int convert_control(struct conv *c, const cJSON *o, struct err *e)
{
	static const char *const keys[] = { "path", NULL };
	const char *path;

	if (check_keys(o, "control", keys, e) < 0 || need_str(o, "control", "path", &path, e) < 0)
		return -1;
	sb_adds(c->out, "control");
	add_value(c, "path", path);
	sb_addc(c->out, '\n');
	return 0;
}

/* What Firecracker has and we have not. */
static const struct {
	const char *key, *instead;
} refused[] = {
	{ "vsock", "use a console port" },
	{ "mmds-config", "" },
	{ "cpu-config", "the flat form's cpuid= takes features away" },
	{ "logger", "messages go to standard error" },
	{ "metrics", "ask the control socket" },
	{ "pmem", "use drives" },
	{ "memory-hotplug", "use balloon" },
};

static int refuse(const cJSON *o, struct err *e)
{
	const cJSON *m;
	size_t i;

	for (i = 0; i < nitems(refused); i++) {
		m = cJSON_GetObjectItemCaseSensitive(o, refused[i].key);
		if (!m || cJSON_IsNull(m))
			continue;
		bad(e, refused[i].key, "vpod-vmm has none");
		return refused[i].instead[0] ? err_hint(e, "%s", refused[i].instead) : -1;
	}
	return 0;
}

struct parts {
	const cJSON *boot, *machine, *balloon, *entropy, *serial, *control;
	const cJSON *drives, *nics, *shares;
};

static int get_parts(const cJSON *o, struct parts *p, struct err *e)
{
	if (json_get_obj(o, "boot-source", &p->boot, e) < 0 ||
	    json_get_obj(o, "machine-config", &p->machine, e) < 0 ||
	    json_get_obj(o, "balloon", &p->balloon, e) < 0 ||
	    json_get_obj(o, "entropy", &p->entropy, e) < 0 ||
	    json_get_obj(o, "serial", &p->serial, e) < 0 ||
	    json_get_obj(o, "control", &p->control, e) < 0 ||
	    json_get_arr(o, "drives", &p->drives, e) < 0 ||
	    json_get_arr(o, "network-interfaces", &p->nics, e) < 0 ||
	    json_get_arr(o, "shares", &p->shares, e) < 0)
		return wrap(e, "top level");
	return p->boot ? 0 : bad(e, "top level", "no boot-source");
}

/* The same order as always; drives first, for they say what the machine and boot lines need. */
static int convert(const cJSON *o, struct strbuf *out, struct err *e)
{
	cleanup_sb struct strbuf drives = STRBUF_INIT;
	struct conv c = { .out = &drives };
	struct parts p = { 0 };

	if (get_parts(o, &p, e) < 0 || convert_drives(&c, p.drives, e) < 0)
		return -1;
	c.out = out;
	sb_adds(out, "vpod-vmm 1\n");
	if (convert_machine(&c, p.machine, e) < 0 || convert_boot(&c, p.boot, e) < 0 ||
	    convert_serial(&c, p.serial, e) < 0)
		return -1;
	if (p.entropy && convert_entropy(&c, p.entropy, e) < 0)
		return -1;
	sb_add(out, drives.buf, drives.len);
	if (p.balloon && convert_balloon(&c, p.balloon, e) < 0)
		return -1;
	if (convert_nics(&c, p.nics, e) < 0 || convert_shares(&c, p.shares, e) < 0)
		return -1;
	return p.control ? convert_control(&c, p.control, e) : 0;
}

int vmm_config_convert(const char *text, size_t len, struct strbuf *out, struct err *e)
{
	static const char *const keys[] = {
		"boot-source", "machine-config", "drives",	"network-interfaces",
		"balloon",     "entropy",	 "serial",	"shares",
		"control",     "vsock",		 "mmds-config", "cpu-config",
		"logger",      "metrics",	 "pmem",	"memory-hotplug",
		NULL
	};
	cleanup_json cJSON *o = json_parse(text, len, "the machine's configuration", e);

	if (!o) {
		e->kind = ERR_USAGE;
		return -1;
	}
	if (check_keys(o, "top level", keys, e) < 0 || refuse(o, e) < 0)
		return -1;
	return convert(o, out, e);
}
