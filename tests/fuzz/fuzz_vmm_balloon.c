/* SPDX-License-Identifier: Apache-2.0 */
/* The balloon's five queues, its config space and the calls of the control socket. */
#include "vmm/virtio/balloon.h"
#include "vmm_input.h"

static struct vmm_rig rig;
static struct drvq q[5];

static void step(struct input *in)
{
	struct balloon_stats s;
	uint64_t what = take(in, 1);

	switch (what >> 3 & 7) {
	case 5:
		balloon_set_target(rig.m.devs[0], take(in, 4) << 8);
		break;
	case 6:
		balloon_stats(rig.m.devs[0], &s);
		check(s.target <= RIG_MEMORY);
		break;
	case 7:
		rig_write(&rig, 0, VIRTIO_MMIO_CONFIG + (take(in, 1) & 15), take(in, 4), 4);
		break;
	default:
		ring_step(in, &q[what >> 3 & 7]);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct spec_balloon spec = { .has_stats = true, .has_reporting = true };
	static bool is_made;
	struct input in = { data, size };
	unsigned i;

	if (!is_made) {
		rig_init(&rig, RIG_MEMORY);
		rig_add(&rig, balloon_new(&spec));
		is_made = true;
	}
	rig_again(&rig);
	drv_negotiate(&rig, 0, take(&in, 1));
	for (i = 0; i < 5; i++)
		drv_queue(&q[i], &rig, 0, i, 16);
	drv_ok(&rig, 0);
	for (i = 0; in.n && i < 200 && !rig.m.end; i++)
		step(&in);
	for (i = 0; i < 5; i++)
		drv_kick(&q[i]);
	check(rig.m.end == END_NONE || rig.m.end == END_VIOLATION);
	return 0;
}
