/* SPDX-License-Identifier: Apache-2.0 */
/* Rings of any content, before a device that only writes. The first byte: size and features. */
#include "vmm/virtio/rng.h"
#include "vmm_input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct vmm_rig rig;
	static bool is_made;
	struct input in = { data, size };
	struct drvq q;
	uint64_t first;
	unsigned n;

	if (!is_made) {
		struct err e;

		rig_init(&rig, RIG_MEMORY);
		rig_add(&rig,
			rng_new(&rig.m.loop, &(struct spec_limit){ .bytes = 1ull << 40 }, &e));
		is_made = true;
	}
	rig_again(&rig);
	first = take(&in, 1);
	drv_start(&q, &rig, 0, first & 8 ? 1ull << VIRTIO_RING_F_EVENT_IDX : 0,
		  (uint16_t)(1u << first % 7));
	for (n = 0; in.n && n < 200 && !rig.m.end; n++)
		ring_step(&in, &q);
	drv_kick(&q);
	drv_kick(&q);
	check(rig.m.end == END_NONE || rig.m.end == END_VIOLATION);
	return 0;
}
