/* SPDX-License-Identifier: Apache-2.0 */
/* What the fuzzers of vpod-vmm's devices share: an input of steps, and the steps of a lying driver.
 */
#ifndef VPOD_TESTS_VMM_INPUT_H
#define VPOD_TESTS_VMM_INPUT_H

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/vmm_fixture.h"

struct input {
	const uint8_t *p;
	size_t n;
};

static inline uint64_t take(struct input *in, size_t n)
{
	uint64_t v = 0;

	if (n > in->n)
		n = in->n;
	memcpy(&v, in->p, n);
	in->p += n;
	in->n -= n;
	return v;
}

static inline void check(bool holds)
{
	if (!holds)
		abort();
}

/* An address: mostly memory that is used for something, now and then anything. */
static inline uint64_t take_address(struct input *in)
{
	uint64_t kind = take(in, 1);

	switch (kind & 3) {
	case 0:
		return RIG_DATA + take(in, 2);
	case 1:
		return RIG_RINGS + take(in, 2);
	case 2:
		return RIG_MEMORY - (take(in, 2) & 0x3fff);
	default:
		return take(in, 8);
	}
}

/* One step: a descriptor, a chain made available, an index, bytes of memory, or a kick. */
static inline void ring_step(struct input *in, struct drvq *q)
{
	uint64_t i, at;

	switch (take(in, 1) & 7) {
	case 0:
	case 1:
		i = take(in, 1) & (q->size - 1u);
		at = take_address(in);
		drv_desc(q, (unsigned)i, at, (uint32_t)take(in, 2), take(in, 1) & 7,
			 (unsigned)take(in, 1));
		break;
	case 2:
		i = take(in, 1) & (q->size - 1u);
		at = take_address(in);
		drv_desc(q, (unsigned)i, at, (uint32_t)take(in, 4), (unsigned)take(in, 2),
			 (unsigned)take(in, 2));
		break;
	case 3:
		q->avail->idx = (uint16_t)(q->avail->idx + take(in, 1));
		break;
	case 4:
		q->avail->flags = (uint16_t)take(in, 1);
		q->avail->ring[q->size] = (uint16_t)take(in, 2);
		break;
	case 5: { /* bytes for a device to read */
		uint8_t *to = rig_at(q->r, RIG_DATA + (take(in, 1) << 3), 64);

		for (i = take(in, 1) & 63; i; i--)
			*to++ = (uint8_t)take(in, 1);
		break;
	}
	case 6:
		drv_offer(q, (uint16_t)take(in, 1));
		break;
	default:
		drv_kick(q);
		break;
	}
}

/* The machine of the last input becomes that of the next. */
static inline void rig_again(struct vmm_rig *r)
{
	uint64_t n;

	r->m.end = END_NONE;
	check(read(r->m.end_source.fd, &n, sizeof(n)) <= 8);
	memset(rig_at(r, RIG_DATA, 0x20000), 0, 0x20000);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
