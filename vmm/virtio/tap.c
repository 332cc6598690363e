/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/virtio/net_peer.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/strbuf.h"

/* Linux 6.2 */
#define TAP_F_USO4 0x20u
#define TAP_F_USO6 0x40u

#define BIT(n) (1ull << (n))

static const struct {
	uint64_t guest, host; /* what the driver may take, and what it may send */
	unsigned tap;
} offloads[] = {
	{ BIT(VIRTIO_NET_F_GUEST_CSUM), BIT(VIRTIO_NET_F_CSUM), TUN_F_CSUM },
	{ BIT(VIRTIO_NET_F_GUEST_TSO4), BIT(VIRTIO_NET_F_HOST_TSO4), TUN_F_TSO4 },
	{ BIT(VIRTIO_NET_F_GUEST_TSO6), BIT(VIRTIO_NET_F_HOST_TSO6), TUN_F_TSO6 },
	{ BIT(VIRTIO_NET_F_GUEST_ECN), BIT(VIRTIO_NET_F_HOST_ECN), TUN_F_TSO_ECN },
	{ BIT(NET_F_GUEST_USO4), BIT(NET_F_HOST_USO), TAP_F_USO4 },
	{ BIT(NET_F_GUEST_USO6), BIT(NET_F_HOST_USO), TAP_F_USO6 },
};

int tap_open(const char *name, struct err *e)
{
	cleanup_close int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	struct ifreq r = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };

	if (fd < 0)
		return err_set(e, errno, "cannot open /dev/net/tun");
	if (strlen(name) >= sizeof(r.ifr_name) || !if_nametoindex(name)) /* it would be made */
		return err_set(e, ENODEV, "cannot use tap device %s", name);
	memcpy(r.ifr_name, name, strlen(name) + 1);
	if (ioctl(fd, TUNSETIFF, &r) < 0)
		return err_set(e, errno, "cannot use tap device %s", name);
	return take_fd(&fd);
}

static int set_offloads(struct net_peer *p, uint64_t acked, struct err *e)
{
	unsigned long flags = 0;
	unsigned i;

	for (i = 0; i < nitems(offloads); i++)
		flags |= acked & offloads[i].guest ? offloads[i].tap : 0;
	if ((flags & (TAP_F_USO4 | TAP_F_USO6)) != (TAP_F_USO4 | TAP_F_USO6))
		flags &= ~(unsigned long)(TAP_F_USO4 | TAP_F_USO6);
	if (!(flags & (TUN_F_TSO4 | TUN_F_TSO6)))
		flags &= ~(unsigned long)TUN_F_TSO_ECN;
	if (!(flags & TUN_F_CSUM)) /* the others need it: 5.1.3.1 */
		flags = 0;
	if (ioctl(p->fd, TUNSETOFFLOAD, flags) < 0)
		return err_set(e, errno, "cannot set the offloads of a tap device");
	return 0;
}

static int tap_send(struct net_peer *p, struct iovec *iov, unsigned nr)
{
	return writev(p->fd, iov, (int)nr) < 0 ? errno : 0;
}

static ssize_t tap_receive(struct net_peer *p, const struct iovec *iov, unsigned nr,
			   const uint8_t **kept)
{
	(void)kept;
	return readv(p->fd, iov, (int)nr);
}

const struct net_peer_ops tap_ops = {
	.set_offloads = set_offloads,
	.send = tap_send,
	.receive = tap_receive,
};

static int setup(struct net_peer *p, int fd, struct err *e)
{
	struct ifreq r = { .ifr_flags = 0 };
	int flags = fcntl(fd, F_GETFL), len = NET_HDR_LEN;
	unsigned i, all = 0;

	*p = (struct net_peer){ .ops = &tap_ops, .fd = fd };
	if (flags < 0 || ioctl(fd, TUNGETIFF, &r) < 0)
		return err_set(e, errno, "cannot use file %d as a tap device", fd);
	if (!(r.ifr_flags & IFF_TAP) || !(r.ifr_flags & IFF_VNET_HDR) || !(r.ifr_flags & IFF_NO_PI))
		return err_set(e, 0, "cannot use %.16s: not a tap with IFF_VNET_HDR and IFF_NO_PI",
			       r.ifr_name);
	if (fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 || ioctl(fd, TUNSETVNETHDRSZ, &len) < 0)
		return err_set(e, errno, "cannot set up tap device %.16s", r.ifr_name);
	for (i = 0; i < nitems(offloads); i++) { /* one by one: kernels differ */
		unsigned long more = all | offloads[i].tap;

		if (offloads[i].tap == TAP_F_USO4)
			more |= TAP_F_USO6; /* the kernel takes both or none */
		if (ioctl(fd, TUNSETOFFLOAD, more) < 0)
			continue;
		all = (unsigned)more;
		p->features |= offloads[i].guest | offloads[i].host;
	}
	return set_offloads(p, 0, e);
}

struct net_peer *tap_new(int fd, struct err *e)
{
	cleanup_free struct net_peer *p = xcalloc(1, sizeof(*p));

	return setup(p, fd, e) < 0 ? NULL : take_ptr(&p);
}
