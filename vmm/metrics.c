/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/metrics.h"

#include <linux/virtio_ids.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "vmm/machine.h"
#include "vmm/vcpu.h"
#include "vmm/virtio/balloon.h"
#include "vmm/virtio/blk.h"
#include "vmm/virtio/net.h"

void text_add(struct text *t, const char *fmt, ...)
{
	size_t room = t->size - t->len;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t->buf + t->len, room, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= room) {
		t->buf[t->len] = '\0';
		t->is_full = true;
	} else {
		t->len += (size_t)n;
	}
}

void text_add_json(struct text *t, const char *s)
{
	text_add(t, "\"");
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\')
			text_add(t, "\\u%04x", c);
		else
			text_add(t, "%c", c);
	}
	text_add(t, "\"");
}

/* A number with its name, of a device or (device NULL) of the machine. */
struct value {
	const char *name;
	uint64_t v;
	bool is_gauge;
};

#define MAX_VALUES 16
struct group {
	const char *device; /* "blk", ... or NULL */
	unsigned slot;
	const char *label; /* a disk's serial, or "" */
	struct value values[MAX_VALUES];
	unsigned nr;
};

static void add(struct group *g, const char *name, uint64_t v, bool is_gauge)
{
	g->values[g->nr++] = (struct value){ name, v, is_gauge };
}

static uint64_t exits(const struct machine *m, enum vcpu_exit kind)
{
	uint64_t n = 0;
	unsigned i;

	for (i = 0; i < m->nr_vcpus; i++)
		n += __atomic_load_n(&m->vcpus[i].exits[kind], __ATOMIC_RELAXED);
	return n;
}

static void machine_values(const struct machine *m, struct group *g)
{
	add(g, "vcpus", m->nr_vcpus, true);
	add(g, "memory_bytes", m->mem.size, true);
	add(g, "paused", m->is_paused, true);
	add(g, "exits_io", exits(m, VCPU_EXIT_IO), false);
	add(g, "exits_mmio", exits(m, VCPU_EXIT_MMIO), false);
	add(g, "exits_interrupted", exits(m, VCPU_EXIT_INTERRUPTED), false);
	add(g, "serial_bytes", m->uart.written, false);
}

static void blk_values(const struct virtio_dev *d, struct group *g)
{
	struct blk_stats s;

	blk_stats(d, &s);
	add(g, "reads", s.reads, false);
	add(g, "writes", s.writes, false);
	add(g, "flushes", s.flushes, false);
	add(g, "others", s.others, false);
	add(g, "read_bytes", s.read_bytes, false);
	add(g, "written_bytes", s.written_bytes, false);
	add(g, "errors", s.errors, false);
	add(g, "throttled", s.throttled, false);
}

static void net_values(struct virtio_dev *d, struct group *g)
{
	const struct net_counters *c = net_counters(d);

	add(g, "rx_packets", c->rx_packets, false);
	add(g, "rx_bytes", c->rx_bytes, false);
	add(g, "rx_dropped", c->rx_dropped, false);
	add(g, "rx_throttled", net_limit(d, true)->closed, false);
	add(g, "tx_packets", c->tx_packets, false);
	add(g, "tx_bytes", c->tx_bytes, false);
	add(g, "tx_dropped", c->tx_dropped, false);
	add(g, "tx_malformed", c->tx_malformed, false);
	add(g, "tx_spoofed", c->tx_spoofed, false);
	add(g, "tx_throttled", net_limit(d, false)->closed, false);
}

static void balloon_values(struct virtio_dev *d, struct group *g)
{
	struct balloon_stats s;

	balloon_stats(d, &s);
	add(g, "target_bytes", s.target, true);
	add(g, "actual_bytes", s.actual, true);
	add(g, "discarded_bytes", s.discarded, false);
}

static void device_values(const struct machine *m, unsigned slot, struct group *g)
{
	struct virtio_dev *d = m->devs[slot];

	*g = (struct group){ .device = d->ops->name,
			     .slot = slot,
			     .label = d->label ? d->label : "" };
	add(g, "active", d->is_active, true);
	if (d->ops->id == VIRTIO_ID_BLOCK)
		blk_values(d, g);
	else if (d->ops->id == VIRTIO_ID_NET)
		net_values(d, g);
	else if (d->ops->id == VIRTIO_ID_BALLOON)
		balloon_values(d, g);
}

static void group_json(struct text *t, const struct group *g)
{
	unsigned i;

	for (i = 0; i < g->nr; i++)
		text_add(t, "%s\"%s\":%llu", i ? "," : "", g->values[i].name,
			 (unsigned long long)g->values[i].v);
}

void metrics_json(struct machine *m, struct text *t)
{
	struct group g = { 0 };
	unsigned i;

	machine_values(m, &g);
	text_add(t, "{\"machine\":{");
	group_json(t, &g);
	text_add(t, "},\"devices\":[");
	for (i = 0; i < m->nr_devs; i++) {
		device_values(m, i, &g);
		text_add(t, "%s{\"device\":\"%s\",\"slot\":%u,\"name\":", i ? "," : "", g.device,
			 i);
		text_add_json(t, g.label);
		text_add(t, ",");
		group_json(t, &g);
		text_add(t, "}");
	}
	text_add(t, "]}");
}

/* A family's lines belong together: each value of the first device of its kind begins one. */
static void family(struct machine *m, struct text *t, const struct group *first, unsigned which)
{
	const struct value *v = &first->values[which];
	struct group g;
	unsigned i;

	text_add(t, "# TYPE vpod_vmm_%s_%s%s %s\n", first->device, v->name,
		 v->is_gauge ? "" : "_total", v->is_gauge ? "gauge" : "counter");
	for (i = first->slot; i < m->nr_devs; i++) {
		device_values(m, i, &g);
		if (strcmp(g.device, first->device) != 0)
			continue;
		text_add(t, "vpod_vmm_%s_%s%s{slot=\"%u\",name=", g.device, v->name,
			 v->is_gauge ? "" : "_total", i);
		text_add_json(t, g.label);
		text_add(t, "} %llu\n", (unsigned long long)g.values[which].v);
	}
}

static bool is_first_of_kind(const struct machine *m, unsigned slot)
{
	unsigned i;

	for (i = 0; i < slot; i++) {
		if (m->devs[i]->ops == m->devs[slot]->ops)
			return false;
	}
	return true;
}

void metrics_prometheus(struct machine *m, struct text *t)
{
	struct group g = { 0 };
	unsigned i, k;

	machine_values(m, &g);
	for (i = 0; i < g.nr; i++) {
		const char *suffix = g.values[i].is_gauge ? "" : "_total";

		text_add(t, "# TYPE vpod_vmm_%s%s %s\nvpod_vmm_%s%s %llu\n", g.values[i].name,
			 suffix, g.values[i].is_gauge ? "gauge" : "counter", g.values[i].name,
			 suffix, (unsigned long long)g.values[i].v);
	}
	for (i = 0; i < m->nr_devs; i++) {
		if (!is_first_of_kind(m, i))
			continue;
		device_values(m, i, &g);
		for (k = 0; k < g.nr; k++)
			family(m, t, &g, k);
	}
	text_add(t, "# EOF\n");
}
