/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/spec.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cidr.h"
#include "base/cleanup.h"
#include "base/num.h"
#include "base/strbuf.h"

/* One line's words; parse functions take what they know with the take_* calls. */
struct line {
	unsigned number;
	const char *word;
	char *keys[SPEC_MAX_PARTS + 16]; /* "key" NUL "value"; NULL once taken */
	char *values[SPEC_MAX_PARTS + 16];
	unsigned nr;
};

static const struct spec_file no_file = { .number = -1, .fd = -1 };

static bool is_given(const struct spec_file *f)
{
	return f->path || f->number >= 0;
}

static int bad(const struct line *l, struct err *e, const char *what, const char *value)
{
	return err_setk(e, ERR_USAGE, 0,
			"cannot use the machine's description: line %u, %s: %s%s%s", l->number,
			l->word, what, value ? " " : "", value ? value : "");
}

static int hex(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
}

/* In place. False: a % without two digits, or a zero byte. */
static bool unescape(char *s)
{
	char *to = s;

	for (; *s; s++, to++) {
		*to = *s;
		if (*s != '%')
			continue;
		if (hex(s[1]) < 0 || hex(s[2]) < 0 || (s[1] == '0' && s[2] == '0'))
			return false;
		*to = (char)(hex(s[1]) * 16 + hex(s[2]));
		s += 2;
	}
	*to = '\0';
	return true;
}

static int split(char *text, struct line *l, struct err *e)
{
	char *save = NULL, *word = strtok_r(text, " ", &save);

	l->word = word ? word : "";
	while ((word = strtok_r(NULL, " ", &save))) {
		char *eq = strchr(word, '=');

		if (l->nr == nitems(l->keys))
			return bad(l, e, "too many words", NULL);
		l->keys[l->nr] = word;
		l->values[l->nr] = eq ? eq + 1 : word + strlen(word);
		if (eq)
			*eq = '\0';
		if (!unescape(l->values[l->nr]))
			return bad(l, e, "bad % escape in", word);
		l->nr++;
	}
	return 0;
}

/* The first untaken value of @key, or NULL. */
static const char *take(struct line *l, const char *key)
{
	unsigned i;

	for (i = 0; i < l->nr; i++) {
		if (l->keys[i] && !strcmp(l->keys[i], key)) {
			l->keys[i] = NULL;
			return l->values[i];
		}
	}
	return NULL;
}

static int take_text(struct line *l, const char *key, char *out, size_t size, struct err *e)
{
	const char *v = take(l, key);

	if (v && strlen(v) >= size)
		return bad(l, e, "too long:", key);
	if (v)
		memcpy(out, v, strlen(v) + 1);
	return 0;
}

static int take_u64(struct line *l, const char *key, uint64_t min, uint64_t max, uint64_t *out,
		    struct err *e)
{
	const char *v = take(l, key);

	if (v && num_parse_u64(v, min, max, out) < 0)
		return bad(l, e, "not a number in range:", key);
	return 0;
}

static int take_bool(struct line *l, const char *key, bool *out, struct err *e)
{
	const char *v = take(l, key);

	if (v && strcmp(v, "on") && strcmp(v, "off"))
		return bad(l, e, "neither on nor off:", key);
	if (v)
		*out = !strcmp(v, "on");
	return 0;
}

/* path= or fd=. Returns 1 when there was one, 0 when not. */
static int take_file(struct line *l, struct spec_file *f, int how, struct err *e)
{
	const char *path = take(l, "path");
	uint64_t fd = UINT64_MAX;

	*f = no_file;
	f->how = how;
	if (path) {
		f->path = xstrdup(path);
		return 1;
	}
	if (take_u64(l, "fd", 0, 65535, &fd, e) < 0)
		return -1;
	if (fd == UINT64_MAX)
		return 0;
	f->number = (int)fd;
	return 1;
}

static int need_file(struct line *l, struct spec_file *f, int how, struct err *e)
{
	int r = is_given(f) ? 2 : take_file(l, f, how, e);

	if (r == 2)
		return bad(l, e, "given twice", NULL);
	return r == 0 ? bad(l, e, "no path= and no fd=", NULL) : r;
}

static const char *const limits[] = { "bytes", "bytes-burst", "ops", "ops-burst" };

uint64_t *spec_limit_field(struct spec_limit *l, const char *name, size_t len)
{
	uint64_t *const fields[] = { &l->bytes, &l->bytes_burst, &l->ops, &l->ops_burst };
	size_t i;

	for (i = 0; i < nitems(limits); i++) {
		if (strlen(limits[i]) == len && !memcmp(limits[i], name, len))
			return fields[i];
	}
	return NULL;
}

static int take_limit(struct line *l, const char *prefix, struct spec_limit *out, struct err *e)
{
	char key[32];
	size_t i;

	for (i = 0; i < nitems(limits); i++) {
		snprintf(key, sizeof(key), "%s%s", prefix, limits[i]);
		if (take_u64(l, key, 1, SPEC_MAX_RATE,
			     spec_limit_field(out, limits[i], strlen(limits[i])), e) < 0)
			return -1;
	}
	return 0;
}

/* The index of @key's value among @names, which end with NULL; absent: 0. @what: all of them. */
static int take_choice(struct line *l, const char *key, const char *const *names, const char *what,
		       struct err *e)
{
	const char *v = take(l, key);
	int i;

	for (i = 0; v && names[i] && strcmp(names[i], v); i++)
		;
	return names[i] ? i : bad(l, e, what, v);
}

static int parse_machine(struct vmm_spec *s, struct line *l, struct err *e)
{
	static const char *const io[] = { "auto", "uring", "threads", NULL };
	uint64_t cpus = s->cpus;
	int how;

	if (take_u64(l, "cpus", 1, SPEC_MAX_CPUS, &cpus, e) < 0 ||
	    take_u64(l, "memory", 1u << 20, 1ull << 40, &s->memory, e) < 0 ||
	    take_text(l, "name", s->name, sizeof(s->name), e) < 0 ||
	    take_bool(l, "acpi", &s->has_acpi, e) < 0 ||
	    take_text(l, "cpuid", s->cpuid_off, sizeof(s->cpuid_off), e) < 0 ||
	    (how = take_choice(l, "io", io, "io is auto, uring or threads, not", e)) < 0)
		return -1;
	s->cpus = (unsigned)cpus;
	s->io = (enum spec_io)how;
	return s->memory & 4095 ? bad(l, e, "memory is not a multiple of 4096", NULL) : 0;
}

static int parse_kernel(struct vmm_spec *s, struct line *l, struct err *e)
{
	static const char *const names[] = { "auto", "linux64", "pvh", NULL };
	int boot = take_choice(l, "boot", names, "boot is auto, linux64 or pvh, not", e);

	if (boot < 0)
		return -1;
	s->boot = (enum spec_boot)boot;
	return need_file(l, &s->kernel, O_RDONLY, e);
}

static int parse_serial(struct vmm_spec *s, struct line *l, struct err *e)
{
	if (take_u64(l, "max", 0, 1ull << 50, &s->serial_max, e) < 0)
		return -1;
	return need_file(l, &s->serial, O_WRONLY | O_CREAT | O_APPEND, e);
}

static int parse_console(struct vmm_spec *s, struct line *l, struct err *e)
{
	struct spec_port *p = &s->ports[s->nr_ports];

	if (s->nr_ports == SPEC_MAX_PORTS)
		return bad(l, e, "too many ports", NULL);
	*p = (struct spec_port){ .file = no_file };
	s->has_console = true;
	s->nr_ports++;
	if (take_text(l, "name", p->name, sizeof(p->name), e) < 0)
		return -1;
	return need_file(l, &p->file, O_RDWR, e);
}

static int parse_disk(struct vmm_spec *s, struct line *l, struct err *e)
{
	struct spec_disk *d = &s->disks[s->nr_disks];
	struct spec_file f;
	int r;

	if (s->nr_disks == SPEC_MAX_DISKS)
		return bad(l, e, "too many disks", NULL);
	*d = (struct spec_disk){ 0 };
	s->nr_disks++;
	if (take_text(l, "serial", d->serial, sizeof(d->serial), e) < 0 ||
	    take_bool(l, "readonly", &d->is_readonly, e) < 0 || take_limit(l, "", &d->limit, e) < 0)
		return -1;
	while ((r = take_file(l, &f, d->is_readonly ? O_RDONLY : O_RDWR, e)) > 0) {
		if (d->nr_parts == SPEC_MAX_PARTS)
			return bad(l, e, "too many parts", NULL);
		d->parts = xrealloc(d->parts, (d->nr_parts + 1) * sizeof(*d->parts));
		d->parts[d->nr_parts++] = f;
	}
	if (r < 0)
		return -1;
	if (!d->nr_parts)
		return bad(l, e, "no path= and no fd=", NULL);
	if (d->nr_parts > 1 && !d->is_readonly)
		return bad(l, e, "a disk in parts must be readonly=on", NULL);
	return 0;
}

static int parse_mac(struct line *l, struct spec_nic *n, struct err *e)
{
	const char *v = take(l, "mac");

	n->has_mac = v && mac_parse(v, n->mac) == 0 && !(n->mac[0] & 1);
	return !v || n->has_mac ? 0 : bad(l, e, "not the address of one station: mac", v);
}

/* Limits are kept by this process: with vhost, no frame comes by. */
static int take_vhost(struct line *l, struct spec_nic *n, struct err *e)
{
	const struct spec_limit *r = &n->rx, *t = &n->tx;
	uint64_t fd = UINT64_MAX;
	bool is_on = false;

	if (take_bool(l, "vhost", &is_on, e) < 0 || take_u64(l, "vhost-fd", 0, 65535, &fd, e) < 0)
		return -1;
	if (fd != UINT64_MAX)
		n->vhost.number = (int)fd;
	else if (is_on)
		n->vhost.path = xstrdup("/dev/vhost-net");
	n->vhost.how = O_RDWR;
	if (is_given(&n->vhost) && (n->is_stream || r->bytes || r->ops || t->bytes || t->ops))
		return bad(l, e, "vhost and a limit or a stream", NULL);
	return 0;
}

static int parse_net(struct vmm_spec *s, struct line *l, struct err *e)
{
	static const char *const kinds[] = { "tap", "stream", NULL };
	struct spec_nic *n = &s->nics[s->nr_nics];
	const char *tap = take(l, "tap");
	int kind = take_choice(l, "kind", kinds, "kind is tap or stream, not", e);
	uint64_t mtu = 0;

	if (s->nr_nics == SPEC_MAX_NICS)
		return bad(l, e, "too many", NULL);
	*n = (struct spec_nic){ .is_stream = kind == 1, .file = no_file, .vhost = no_file };
	s->nr_nics++;
	if (kind < 0 || parse_mac(l, n, e) < 0 || take_u64(l, "mtu", 68, 65535, &mtu, e) < 0 ||
	    take_limit(l, "rx-", &n->rx, e) < 0 || take_limit(l, "tx-", &n->tx, e) < 0 ||
	    take_vhost(l, n, e) < 0)
		return -1;
	n->mtu = (uint16_t)mtu;
	if (tap && n->is_stream)
		return bad(l, e, "tap= and kind=stream", NULL);
	if (!tap)
		return need_file(l, &n->file, n->is_stream ? SPEC_CONNECT : O_RDWR, e);
	n->file.how = SPEC_TAP;
	n->file.path = xstrdup(tap);
	return 0;
}

static int parse_fs(struct vmm_spec *s, struct line *l, struct err *e)
{
	struct spec_fs *f = &s->fs[s->nr_fs];
	uint64_t queues = 1;

	if (s->nr_fs == SPEC_MAX_FS)
		return bad(l, e, "too many", NULL);
	*f = (struct spec_fs){ .file = no_file };
	s->nr_fs++;
	if (take_text(l, "tag", f->tag, sizeof(f->tag), e) < 0 ||
	    take_u64(l, "queues", 1, SPEC_MAX_FS_QUEUES, &queues, e) < 0)
		return -1;
	f->nr_queues = (unsigned)queues;
	return f->tag[0] ? need_file(l, &f->file, SPEC_CONNECT, e) : bad(l, e, "no tag=", NULL);
}

static int parse_rng(struct vmm_spec *s, struct line *l, struct err *e)
{
	s->has_rng = true;
	return take_limit(l, "", &s->rng, e);
}

static int parse_balloon(struct vmm_spec *s, struct line *l, struct err *e)
{
	struct spec_balloon *b = &s->balloon;

	s->has_balloon = true;
	b->has_stats = b->has_reporting = true;
	if (take_u64(l, "target", 0, 1ull << 40, &b->target, e) < 0 ||
	    take_bool(l, "stats", &b->has_stats, e) < 0)
		return -1;
	return take_bool(l, "reporting", &b->has_reporting, e);
}

/* A line is a file and nothing else, or has its own function. */
static const struct {
	const char *word;
	int (*parse)(struct vmm_spec *s, struct line *l, struct err *e);
	size_t file; /* in struct vmm_spec, without parse */
	int how;     /* it is opened */
} words[] = {
	{ "machine", parse_machine, 0, 0 },
	{ "kernel", parse_kernel, 0, 0 },
	{ "serial", parse_serial, 0, 0 },
	{ "console", parse_console, 0, 0 },
	{ "disk", parse_disk, 0, 0 },
	{ "fs", parse_fs, 0, 0 },
	{ "net", parse_net, 0, 0 },
	{ "rng", parse_rng, 0, 0 },
	{ "balloon", parse_balloon, 0, 0 },
	{ "kvm", NULL, offsetof(struct vmm_spec, kvm), O_RDWR },
	{ "initrd", NULL, offsetof(struct vmm_spec, initrd), O_RDONLY },
	{ "report", NULL, offsetof(struct vmm_spec, report), O_WRONLY | O_CREAT | O_TRUNC },
	{ "hold", NULL, offsetof(struct vmm_spec, hold), O_RDONLY },
	{ "control", NULL, offsetof(struct vmm_spec, control), SPEC_LISTEN },
};

static int parse_cmdline(struct vmm_spec *s, const struct line *l, const char *text, struct err *e)
{
	if (s->cmdline[0])
		return bad(l, e, "given twice", NULL);
	if (strlen(text) >= sizeof(s->cmdline))
		return bad(l, e, "longer than the kernel takes", NULL);
	memcpy(s->cmdline, text, strlen(text) + 1);
	return 0;
}

static int parse_line(struct vmm_spec *s, char *text, struct line *l, struct err *e)
{
	size_t i;
	unsigned k;

	if (!strncmp(text, "cmdline ", 8)) {
		l->word = "cmdline";
		return parse_cmdline(s, l, text + 8, e);
	}
	if (split(text, l, e) < 0)
		return -1;
	for (i = 0; i < nitems(words) && strcmp(words[i].word, l->word); i++)
		;
	if (i == nitems(words))
		return bad(l, e, "no such word", NULL);
	if (words[i].parse ? words[i].parse(s, l, e) < 0
			   : need_file(l, (struct spec_file *)((char *)s + words[i].file),
				       words[i].how, e) < 0)
		return -1;
	for (k = 0; k < l->nr; k++) {
		if (l->keys[k])
			return bad(l, e, "unknown key", l->keys[k]);
	}
	return 0;
}

static int check(const struct vmm_spec *s, struct err *e)
{
	if (is_given(&s->kernel))
		return 0;
	return err_setk(e, ERR_USAGE, 0, "cannot use the machine's description: it has no kernel");
}

int spec_parse(struct vmm_spec *s, const char *text, size_t len, struct err *e)
{
	cleanup_free char *copy = NULL;
	char *at, *next;
	unsigned number = 0;

	*s = (struct vmm_spec){ .cpus = 1, .memory = 128u << 20 };
	s->hold = s->kvm = s->kernel = s->initrd = s->serial = s->report = s->control = no_file;
	if (len > SPEC_MAX_BYTES || memchr(text, '\0', len))
		return err_setk(e, ERR_USAGE, 0,
				"cannot use the machine's description: it is not text of at most "
				"%u bytes",
				SPEC_MAX_BYTES);
	copy = xcalloc(1, len + 1);
	memcpy(copy, text, len);
	for (at = copy; at && *at; at = next) {
		cleanup_free struct line *l = xcalloc(1, sizeof(*l));

		next = strchr(at, '\n');
		if (next)
			*next++ = '\0';
		l->number = ++number;
		l->word = at;
		if (number == 1 && strcmp(at, "vpod-vmm 1"))
			return bad(l, e, "the first line must be 'vpod-vmm 1'", NULL);
		if (number == 1 || !*at || *at == '#')
			continue;
		if (parse_line(s, at, l, e) < 0)
			return -1;
	}
	if (!is_given(&s->kvm)) {
		s->kvm.path = xstrdup("/dev/kvm");
		s->kvm.how = O_RDWR;
	}
	return check(s, e);
}

void spec_each_file(struct vmm_spec *s,
		    void (*fn)(struct spec_file *f, const char *what, void *arg), void *arg)
{
	unsigned i, j;

	fn(&s->kvm, "KVM", arg);
	fn(&s->kernel, "kernel", arg);
	fn(&s->initrd, "initrd", arg);
	fn(&s->serial, "serial log", arg);
	fn(&s->report, "report", arg);
	fn(&s->hold, "held", arg);
	fn(&s->control, "control socket", arg);
	for (i = 0; i < s->nr_ports; i++)
		fn(&s->ports[i].file, "console port", arg);
	for (i = 0; i < s->nr_nics; i++) {
		fn(&s->nics[i].file, s->nics[i].is_stream ? "network stream" : "tap", arg);
		fn(&s->nics[i].vhost, "vhost-net", arg);
	}
	for (i = 0; i < s->nr_fs; i++)
		fn(&s->fs[i].file, "file server", arg);
	for (i = 0; i < s->nr_disks; i++) {
		for (j = 0; j < s->disks[i].nr_parts; j++)
			fn(&s->disks[i].parts[j], "disk", arg);
	}
}

static void file_free(struct spec_file *f, const char *what, void *arg)
{
	(void)what;
	(void)arg;
	free(f->path);
	f->path = NULL;
	close_p(&f->fd);
}

void spec_free(struct vmm_spec *s)
{
	unsigned i;

	spec_each_file(s, file_free, NULL);
	for (i = 0; i < s->nr_disks; i++)
		free(s->disks[i].parts);
	*s = (struct vmm_spec){ 0 };
}
