/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is asked of vhost-net, and in which order.  The kernel's part is not here: no machine of
 * ours has /dev/vhost-net.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include <linux/vhost.h>

#include "base/cleanup.h"
#include "base/strbuf.h"
#include "net_fixture.h"
#include "vmm/virtio/net_vhost.h"

#define VHOST_FD 12345
#define FEATURES (1ull << 32 | 1ull << 29 | 1ull << 15)

static struct strbuf log_of; /* the requests */
static uint64_t has_features;
static unsigned long refused;

/* Text of one request, with what matters of its argument. */
static int fake_ioctl(int fd, unsigned long request, void *arg)
{
	static const struct {
		unsigned long request;
		const char *name;
	} names[] = {
		{ VHOST_SET_VRING_NUM, "num" },	  { VHOST_SET_VRING_BASE, "base" },
		{ VHOST_SET_VRING_KICK, "kick" }, { VHOST_SET_VRING_CALL, "call" },
		{ VHOST_NET_SET_BACKEND, "tap" },
	};
	const struct vhost_vring_addr *a = arg;
	const struct vhost_vring_state *s = arg;
	const struct vhost_memory *m = arg;
	unsigned i;

	assert_int_equal(fd, VHOST_FD);
	if (request == refused) {
		errno = EINVAL;
		return -1;
	}
	switch (request) {
	case VHOST_SET_OWNER:
		sb_adds(&log_of, "owner ");
		return 0;
	case VHOST_GET_FEATURES:
		*(uint64_t *)arg = has_features;
		return 0;
	case VHOST_SET_FEATURES:
		sb_addf(&log_of, "features:%llx ", (unsigned long long)*(uint64_t *)arg);
		return 0;
	case VHOST_SET_MEM_TABLE:
		assert_int_equal(m->nregions, 1);
		assert_int_equal(m->regions[0].guest_phys_addr, 0);
		assert_int_equal(m->regions[0].memory_size, RIG_MEMORY);
		assert_ptr_equal((void *)(uintptr_t)m->regions[0].userspace_addr,
				 rig_at(&rig, 0, 1));
		sb_adds(&log_of, "memory ");
		return 0;
	case VHOST_SET_VRING_ADDR:
		assert_ptr_equal((void *)(uintptr_t)a->desc_user_addr,
				 (a->index ? &tx : &rx)->desc);
		assert_ptr_equal((void *)(uintptr_t)a->avail_user_addr,
				 (a->index ? &tx : &rx)->avail);
		assert_ptr_equal((void *)(uintptr_t)a->used_user_addr,
				 (a->index ? &tx : &rx)->used);
		sb_addf(&log_of, "addr%u ", a->index);
		return 0;
	default:
		break;
	}
	for (i = 0; i < nitems(names) && names[i].request != request; i++)
		;
	assert_true(i < nitems(names));
	if (request == VHOST_NET_SET_BACKEND)
		assert_true((int)s->num == tap || (int)s->num == VHOST_FILE_UNBIND);
	sb_addf(&log_of, "%s%u%s ", names[i].name, s->index,
		request == VHOST_NET_SET_BACKEND && (int)s->num < 0 ? "-off" : "");
	return 0;
}

static int setup(void **state)
{
	struct spec_nic nic = a_nic();

	(void)state;
	net_vhost_ioctl = fake_ioctl;
	has_features = UINT64_MAX;
	refused = 0;
	sb_init(&log_of);
	nic.vhost.fd = VHOST_FD;
	net_make(&nic);
	return 0;
}

static int teardown(void **state)
{
	sb_free(&log_of);
	return net_teardown(state);
}

static void said(const char *what)
{
	assert_string_equal(log_of.buf, what);
	sb_reset(&log_of);
}

static void the_kernel_gets_memory_queues_and_tap(void **state)
{
	uint64_t n;

	(void)state;
	said("owner ");
	net_start(OFFLOADS | MERGED | 1ull << 29, SIZE);
	said("features:120008000 memory num0 base0 addr0 kick0 call0 tap0 "
	     "num1 base1 addr1 kick1 call1 tap1 ");
	assert_int_equal(rig_read(&rig, slot, VIRTIO_MMIO_INTERRUPT_STATUS, 4), VIRTIO_INT_QUEUE);
	give_buffers(4, BUF); /* no business of ours */
	make_frame(HDR + 100);
	send_at(TX_DATA, HDR + 100);
	assert_true(arrives() < 0);
	assert_int_equal(drv_waiting(&tx), 0);
	assert_int_equal(read(rig.m.devs[slot]->vq[1].kick.fd, &n, 8), 8);
	rig_write(&rig, slot, VIRTIO_MMIO_STATUS, 0, 4);
	said("tap0-off tap1-off ");
	assert_int_equal(rig_read(&rig, slot, VIRTIO_MMIO_INTERRUPT_STATUS, 4), 0);
	assert_int_equal(rig.m.end, END_NONE);
}

static void only_what_the_driver_took_is_set(void **state)
{
	(void)state;
	said("owner ");
	drv_negotiate(&rig, slot, 0);
	drv_queue(&rx, &rig, slot, 0, SIZE);
	drv_ok(&rig, slot);
	said("features:100000000 memory num0 base0 addr0 kick0 call0 tap0 ");
	rig_write(&rig, slot, VIRTIO_MMIO_STATUS, 0, 4);
	said("tap0-off ");
}

static void a_refusal_ends_the_machine(void **state)
{
	(void)state;
	refused = VHOST_SET_VRING_KICK;
	net_start(MERGED, SIZE);
	assert_int_equal(rig.m.end, END_FAILED);
	assert_non_null(strstr(rig.m.end_text, "cannot set up vhost-net"));
}

static void a_queue_that_does_not_stop_ends_the_machine(void **state)
{
	(void)state;
	net_start(MERGED, SIZE);
	refused = VHOST_NET_SET_BACKEND;
	rig_write(&rig, slot, VIRTIO_MMIO_STATUS, 0, 4);
	assert_int_equal(rig.m.end, END_FAILED);
}

static void an_old_kernel_is_refused(void **state)
{
	uint64_t features;
	struct err e;

	(void)state;
	has_features = FEATURES & ~(1ull << 15);
	assert_int_equal(net_vhost_init(VHOST_FD, &features, &e), -1);
	has_features = FEATURES;
	assert_int_equal(net_vhost_init(VHOST_FD, &features, &e), 0);
	refused = VHOST_SET_OWNER;
	assert_int_equal(net_vhost_init(VHOST_FD, &features, &e), -1);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(the_kernel_gets_memory_queues_and_tap),
		T(only_what_the_driver_took_is_set),
		T(a_refusal_ends_the_machine),
		T(a_queue_that_does_not_stop_ends_the_machine),
		T(an_old_kernel_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
