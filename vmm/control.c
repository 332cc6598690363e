/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/control.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_ids.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/num.h"
#include "vmm/event.h"
#include "vmm/sandbox.h"
#include "vmm/virtio/balloon.h"
#include "vmm/virtio/blk.h"
#include "vmm/virtio/net.h"

#define MAX_ANSWER (64u << 10)

static enum control_next answer_error(struct text *t, const char *why, const char *what)
{
	text_add(t, "{\"error\":");
	text_add_json(t, why);
	if (what) {
		text_add(t, ",\"about\":");
		text_add_json(t, what);
	}
	text_add(t, "}");
	return CONTROL_GO_ON;
}

static void answer_state(struct machine *m, struct text *t)
{
	text_add(t, "{\"state\":\"%s\"}", m->is_paused ? "paused" : "running");
}

static char *next_word(char **at)
{
	return strtok_r(NULL, " ", at);
}

/* Commands.  @rest: strtok_r()'s. */

static enum control_next do_hello(struct machine *m, char **rest, struct text *t)
{
	(void)rest;
	text_add(t, "{\"version\":%d,\"name\":", CONTROL_VERSION);
	text_add_json(t, m->spec->name);
	text_add(t, "}");
	return CONTROL_GO_ON;
}

static enum control_next do_state(struct machine *m, char **rest, struct text *t)
{
	(void)rest;
	answer_state(m, t);
	return CONTROL_GO_ON;
}

static enum control_next do_pause(struct machine *m, char **rest, struct text *t)
{
	bool is_new = machine_pause(m);

	(void)rest;
	answer_state(m, t);
	return is_new ? CONTROL_WAIT : CONTROL_GO_ON;
}

static enum control_next do_resume(struct machine *m, char **rest, struct text *t)
{
	(void)rest;
	machine_resume(m);
	answer_state(m, t);
	return CONTROL_GO_ON;
}

static enum control_next do_stop(struct machine *m, char **rest, struct text *t)
{
	(void)rest;
	(void)m;
	text_add(t, "{\"state\":\"stopping\"}");
	return CONTROL_STOP;
}

static enum control_next do_metrics(struct machine *m, char **rest, struct text *t)
{
	const char *format = next_word(rest);

	if (format && !strcmp(format, "prometheus"))
		metrics_prometheus(m, t);
	else if (!format || !strcmp(format, "json"))
		metrics_json(m, t);
	else
		return answer_error(t, "no such format: json, prometheus", format);
	return CONTROL_GO_ON;
}

/* The @n-th device of kind @id, or the disk of that serial; NULL: there is none. */
static struct virtio_dev *find(const struct machine *m, uint32_t id, unsigned n, const char *serial)
{
	unsigned i, nth = 0;

	for (i = 0; i < m->nr_devs; i++) {
		if (m->devs[i]->ops->id == id &&
		    (serial ? !strcmp(m->devs[i]->label, serial) : nth++ == n))
			return m->devs[i];
	}
	return NULL;
}

static bool parse_limit(char **rest, struct spec_limit *l, struct text *t)
{
	char *word, *value;
	uint64_t *to;

	while ((word = next_word(rest))) {
		value = strchrnul(word, '=');
		to = spec_limit_field(l, word, (size_t)(value - word));
		if (!to || !*value || num_parse_u64(value + 1, 1, SPEC_MAX_RATE, to) < 0) {
			answer_error(t, "not a limit", word);
			return false;
		}
	}
	return true;
}

static enum control_next do_limits(struct machine *m, char **rest, struct text *t)
{
	const char *name = next_word(rest), *way = NULL;
	struct spec_limit l = { 0 };
	struct virtio_dev *d;
	uint64_t nic;

	if (!name)
		return answer_error(t, "which device?", NULL);
	d = find(m, VIRTIO_ID_BLOCK, 0, name);
	if (!d && !strncmp(name, "nic", 3) && num_parse_u64(name + 3, 0, 31, &nic) == 0) {
		d = find(m, VIRTIO_ID_NET, (unsigned)nic, NULL);
		way = next_word(rest);
		if (!way || (strcmp(way, "rx") != 0 && strcmp(way, "tx") != 0))
			return answer_error(t, "which way: rx or tx?", way);
	}
	if (!d)
		return answer_error(t, "no such device", name);
	if (!parse_limit(rest, &l, t))
		return CONTROL_GO_ON;
	if (way)
		limit_set(net_limit(d, !strcmp(way, "rx")), &l);
	else
		blk_set_limit(d, &l);
	text_add(t, "{\"limits\":{\"bytes\":%llu,\"ops\":%llu}}", (unsigned long long)l.bytes,
		 (unsigned long long)l.ops);
	return CONTROL_GO_ON;
}

static void answer_balloon(struct virtio_dev *d, struct text *t)
{
	static const char *const names[VIRTIO_BALLOON_S_NR] = VIRTIO_BALLOON_S_NAMES;
	struct balloon_stats s;
	unsigned i;

	balloon_stats(d, &s);
	text_add(t, "{\"target\":%llu,\"actual\":%llu,\"discarded\":%llu,\"guest\":{",
		 (unsigned long long)s.target, (unsigned long long)s.actual,
		 (unsigned long long)s.discarded);
	for (i = 0; i < VIRTIO_BALLOON_S_NR; i++) {
		if (s.told >> i & 1 && names[i])
			text_add(t, "\"%s\":%llu,", names[i], (unsigned long long)s.guest[i]);
	}
	text_add(t, "\"age_ms\":");
	if (s.age == UINT64_MAX)
		text_add(t, "null}}");
	else
		text_add(t, "%llu}}", (unsigned long long)(s.age / 1000000));
}

static enum control_next do_balloon(struct machine *m, char **rest, struct text *t)
{
	struct virtio_dev *d = find(m, VIRTIO_ID_BALLOON, 0, NULL);
	const char *what = next_word(rest);
	uint64_t bytes;

	if (!d)
		return answer_error(t, "the machine has no balloon", NULL);
	if (what && num_parse_u64(what, 0, m->mem.size, &bytes) == 0)
		balloon_set_target(d, bytes);
	else if (!what || strcmp(what, "stats") != 0)
		return answer_error(t, "neither stats nor bytes up to the machine's memory", what);
	answer_balloon(d, t);
	return CONTROL_GO_ON;
}

static const struct {
	const char *name;
	enum control_next (*run)(struct machine *m, char **rest, struct text *t);
	unsigned max_words;
} commands[] = {
	{ "hello", do_hello, 0 },     { "state", do_state, 0 },	  { "pause", do_pause, 0 },
	{ "resume", do_resume, 0 },   { "stop", do_stop, 0 },	  { "metrics", do_metrics, 1 },
	{ "balloon", do_balloon, 1 }, { "limits", do_limits, 6 },
};

static unsigned count_words(const char *s)
{
	unsigned n = 0;

	for (; *s; s++)
		n += *s != ' ' && (s[1] == ' ' || !s[1]);
	return n;
}

enum control_next control_command(struct machine *m, char *line, struct text *t)
{
	unsigned words = count_words(line);
	char *rest = NULL, *name = strtok_r(line, " ", &rest);
	enum control_next next = CONTROL_GO_ON;
	size_t i;

	for (i = 0; name && i < nitems(commands) && strcmp(commands[i].name, name) != 0; i++)
		;
	if (!name || i == nitems(commands))
		answer_error(t, "no such command", name);
	else if (words - 1 > commands[i].max_words)
		answer_error(t, "too many words after", name);
	else
		next = commands[i].run(m, &rest, t);
	if (t->is_full) {
		t->len = 0;
		t->is_full = false;
		answer_error(t, "the answer is too long", NULL);
	}
	if (t->len && t->buf[t->len - 1] != '\n')
		text_add(t, "\n");
	return next;
}

/* The thread. */

struct request {
	struct machine *m;
	char *line;
	struct text *answer;
	enum control_next next;
};

static void in_loop(void *arg)
{
	struct request *r = arg;

	r->next = control_command(r->m, r->line, r->answer);
}

static bool answer(struct machine *m, int fd, char *line)
{
	static char buf[MAX_ANSWER];
	struct text t = { buf, 0, sizeof(buf) - 64, false };
	struct request r = { m, line, &t, CONTROL_GO_ON };
	bool ok;

	machine_call(m, in_loop, &r);
	if (r.next == CONTROL_WAIT)
		machine_wait_paused(m);
	ok = fs_write_all(fd, t.buf, t.len) == 0;
	if (r.next == CONTROL_STOP)
		machine_end(m, END_STOPPED, "by the control socket");
	return ok;
}

/* Until the client goes, or sends a line that is too long. */
static void serve(struct machine *m, int fd)
{
	char buf[CONTROL_MAX_LINE], *end;
	size_t len = 0;
	ssize_t n;

	while (len < sizeof(buf) && (n = read(fd, buf + len, sizeof(buf) - len)) > 0) {
		len += (size_t)n;
		while ((end = memchr(buf, '\n', len))) {
			*end = '\0';
			if (!answer(m, fd, buf))
				return;
			len -= (size_t)(end + 1 - buf);
			memmove(buf, end + 1, len);
		}
	}
}

bool control_is_listening(const struct machine *m)
{
	int v = 0, fd = m->spec->control.fd;
	socklen_t len = sizeof(v);

	return fd >= 0 && getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &v, &len) == 0 && v;
}

static void *control(void *arg)
{
	struct machine *m = arg;
	int fd = m->spec->control.fd, client;
	bool listens = control_is_listening(m);
	struct err e;

	if (sandbox_enter(SANDBOX_CONTROL, &e) < 0)
		machine_end(m, END_FAILED, "%s", e.msg);
	machine_wait_release(m);
	if (!listens) {
		serve(m, fd);
		close(fd);
	}
	while (listens) {
		client = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
		if (client < 0 && errno != ECONNABORTED && errno != EINTR)
			break;
		if (client < 0)
			continue;
		serve(m, client);
		close(client);
	}
	machine_rest(m);
	return NULL;
}

int control_start(struct machine *m, struct err *e)
{
	pthread_t thread;
	int r, fd = m->spec->control.fd;

	if (fd < 0)
		return 0;
	if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK) < 0)
		return err_set(e, errno, "cannot use the control socket");
	r = thread_start(&thread, control, m);
	if (r)
		return err_set(e, r, "cannot start the control socket's thread");
	sem_wait(&m->ready);
	return 0;
}
