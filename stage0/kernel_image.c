/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DOC: Theory of operation
 *
 * A bzImage (Documentation/arch/x86/boot.rst) is a boot sector and a real-mode part of setup_sects
 * sectors, whose header says where behind them the payload lies.  The payload is the compressed ELF
 * vmlinux (with relocations behind it), and, but for gzip, whose trailer says the same, the
 * unpacked size as 4 bytes more.
 */
#include "stage0/kernel_image.h"

#include <ctype.h>
#include <elf.h>
#include <string.h>

#include "stage0/kernel_unpack.h"

/* Offsets in the setup header. */
#define HDR_SETUP_SECTS 0x1f1
#define HDR_BOOT_FLAG 0x1fe
#define HDR_MAGIC 0x202
#define HDR_VERSION 0x206
#define HDR_KERNEL_VERSION 0x20e
#define HDR_PAYLOAD_OFFSET 0x248
#define HDR_PAYLOAD_LENGTH 0x24c
#define HDR_END 0x250

#define SECTOR 512
#define PROTOCOL_WITH_PAYLOAD 0x0208

bool image_is_bzimage(struct bytes in)
{
	return in.len >= HDR_END && le16_at(in.p + HDR_BOOT_FLAG) == 0xaa55 &&
	       !memcmp(in.p + HDR_MAGIC, "HdrS", 4);
}

bool image_is_elf(struct bytes in)
{
	return in.len >= SELFMAG && !memcmp(in.p, ELFMAG, SELFMAG);
}

static size_t setup_size(struct bytes in)
{
	unsigned sects = in.p[HDR_SETUP_SECTS];

	return ((sects ? sects : 4) + 1) * SECTOR; /* 0 means 4 since ever */
}

static int find_payload(struct bytes in, const char *what, struct bytes *payload, struct err *e)
{
	uint64_t off, len;

	if (!image_is_bzimage(in))
		return err_set(e, 0, "cannot use %s: not a bzImage", what);
	if (le16_at(in.p + HDR_VERSION) < PROTOCOL_WITH_PAYLOAD)
		return err_set(e, 0, "cannot use %s: its boot protocol is older than 2.08", what);
	off = (uint64_t)setup_size(in) + le32_at(in.p + HDR_PAYLOAD_OFFSET);
	len = le32_at(in.p + HDR_PAYLOAD_LENGTH);
	if (len < 8 || !bytes_slice(in, off, len, payload))
		return err_set(e, 0, "cannot use %s: truncated, its payload is not in the file",
			       what);
	return 0;
}

int bzimage_unpack(struct bytes in, const char *what, struct blob *vmlinux, struct err *e)
{
	struct bytes payload;
	uint32_t size;

	*vmlinux = (struct blob){ 0 };
	if (find_payload(in, what, &payload, e) < 0)
		return -1;
	size = le32_at(payload.p + payload.len - 4);
	if (!unpack_is_gzip(payload))
		payload.len -= 4;
	if (unpack_bytes(payload, KERNEL_VMLINUX_MAX, what, vmlinux, e) < 0)
		return -1;
	if (vmlinux->len == size)
		return 0;
	err_set(e, 0, "cannot unpack %s: %zu bytes came out where it promises %u", what,
		vmlinux->len, size);
	blob_free(vmlinux);
	return -1;
}

static bool is_release_char(char c)
{
	return isalnum((unsigned char)c) || (c && strchr("._+~-", c));
}

void release_parse(const char *s, size_t n, char out[static KERNEL_RELEASE_MAX + 1])
{
	size_t i = 0;

	while (i < n && i < KERNEL_RELEASE_MAX && is_release_char(s[i]))
		i++;
	if (!i || !isdigit((unsigned char)s[0]))
		i = 0;
	memcpy(out, s, i);
	out[i] = '\0';
}

void bzimage_release(struct bytes in, char out[static KERNEL_RELEASE_MAX + 1])
{
	struct bytes text;
	size_t off;

	out[0] = '\0';
	if (!image_is_bzimage(in))
		return;
	off = (size_t)le16_at(in.p + HDR_KERNEL_VERSION) + SECTOR;
	/* The string lies in the real-mode part: nothing in the payload may pose as it. */
	if (off == SECTOR || off >= setup_size(in) || !bytes_slice(in, off, 1, &text))
		return;
	text.len = (in.len < setup_size(in) ? in.len : setup_size(in)) - off;
	release_parse((const char *)text.p, text.len, out);
}

void vmlinux_release(struct bytes in, char out[static KERNEL_RELEASE_MAX + 1])
{
	static const char banner[] = "Linux version ";
	const uint8_t *at;
	size_t from = 0;

	out[0] = '\0';
	/* The first one that a number follows: other texts begin alike. */
	while (!out[0] && (at = bytes_find(in, from, banner, sizeof(banner) - 1))) {
		from = (size_t)(at - in.p) + sizeof(banner) - 1;
		release_parse((const char *)in.p + from, in.len - from, out);
	}
}

int vmlinux_ikconfig(struct bytes in, const char *what, struct blob *config, struct err *e)
{
	static const char start[] = "IKCFG_ST", end[] = "IKCFG_ED";
	const uint8_t *at, *stop;
	struct bytes packed;
	size_t from = 0;

	*config = (struct blob){ 0 };
	while ((at = bytes_find(in, from, start, sizeof(start) - 1))) {
		from = (size_t)(at - in.p) + sizeof(start) - 1;
		packed = (struct bytes){ in.p + from, in.len - from };
		if (!unpack_is_gzip(packed))
			continue; /* the marker as a string of the code */
		stop = bytes_find(in, from, end, sizeof(end) - 1);
		if (!stop)
			return err_set(e, 0, "cannot read the configuration inside %s: truncated",
				       what);
		packed.len = (size_t)(stop - packed.p);
		return unpack_bytes(packed, KERNEL_CONFIG_MAX, what, config, e) < 0 ? -1 : 1;
	}
	return 0;
}
