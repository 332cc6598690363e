/* SPDX-License-Identifier: Apache-2.0 */
#include "stage0/metadata_form.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/strbuf.h"
#include "stage0/metadata.h"

#define KEY_NAME "hmac.key"

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Into @out, of @n bytes and a NUL.  Returns the length, or -1. */
static ssize_t decode(const char *s, size_t n, bool plus_is_space, char *out)
{
	size_t len = 0;

	for (size_t i = 0; i < n; i++) {
		char c = s[i];

		if (c == '%') {
			int hi = n - i > 2 ? hex(s[i + 1]) : -1,
			    lo = n - i > 2 ? hex(s[i + 2]) : -1;

			if (hi < 0 || lo < 0)
				return -1;
			c = (char)(hi << 4 | lo);
			i += 2;
		} else if (c == '+' && plus_is_space) {
			c = ' ';
		}
		out[len++] = c;
	}
	out[len] = '\0';
	return (ssize_t)len;
}

char *metadata_decode(const char *s, size_t n, bool plus_is_space)
{
	cleanup_free char *out = xmalloc(n + 1);
	ssize_t len = decode(s, n, plus_is_space, out);

	if (len < 0 || memchr(out, '\0', (size_t)len))
		return NULL;
	return take_ptr(&out);
}

static int take_pair(struct metadata_form *f, const char *p, size_t n)
{
	const char *eq = memchr(p, '=', n), *value;
	size_t name_len = eq ? (size_t)(eq - p) : n, value_len;
	char **to = NULL;
	ssize_t len;

	value = eq ? eq + 1 : p + n;
	value_len = n - (size_t)(value - p);
	if (name_len == 7 && !memcmp(p, "content", 7))
		to = &f->content;
	else if (name_len == 4 && !memcmp(p, "uuid", 4))
		to = &f->uuid;
	else if (name_len == 9 && !memcmp(p, "signature", 9))
		to = &f->signature;
	if (!to)
		return 0; /* somebody else's field */
	if (*to)
		return -1;
	if (to != &f->content) {
		*to = metadata_decode(value, value_len, true);
		return *to ? 0 : -1;
	}
	*to = xmalloc(value_len + 1);
	len = decode(value, value_len, true, *to);
	f->content_len = len < 0 ? 0 : (size_t)len;
	return len < 0 ? -1 : 0;
}

int metadata_form_parse(struct metadata_form *f, const char *body, size_t len)
{
	while (len) {
		const char *amp = memchr(body, '&', len);
		size_t n = amp ? (size_t)(amp - body) : len;

		if (take_pair(f, body, n) < 0)
			return -1;
		n += amp != NULL;
		body += n;
		len -= n;
	}
	return 0;
}

void metadata_form_free(struct metadata_form *f)
{
	free(f->content);
	free(f->uuid);
	free(f->signature);
	*f = (struct metadata_form){ 0 };
}

void metadata_base64(const uint8_t in[static SHA512_LEN], char out[static METADATA_BASE64_LEN])
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char *p = out;

	for (size_t i = 0; i < SHA512_LEN; i += 3) {
		size_t left = SHA512_LEN - i;
		uint32_t v = (uint32_t)in[i] << 16 | (left > 1 ? (uint32_t)in[i + 1] << 8 : 0) |
			     (left > 2 ? in[i + 2] : 0);

		*p++ = digits[v >> 18];
		*p++ = digits[v >> 12 & 63];
		*p++ = left > 1 ? digits[v >> 6 & 63] : '=';
		*p++ = left > 2 ? digits[v & 63] : '=';
	}
	*p = '\0';
}

/* Several pods may make it at once: the first to have a whole one there wins. */
static int make_key(int dir, const char *path, struct err *e)
{
	cleanup_close int fd = openat(dir, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
	uint8_t key[METADATA_KEY_LEN];
	char proc[32];

	if (fd < 0 || getrandom(key, sizeof(key), 0) != (ssize_t)sizeof(key) ||
	    fs_write_all(fd, key, sizeof(key)) < 0 || fsync(fd) < 0)
		return err_set(e, errno, "cannot make key %s", path);
	explicit_bzero(key, sizeof(key));
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	if (linkat(AT_FDCWD, proc, dir, KEY_NAME, AT_SYMLINK_FOLLOW) < 0 && errno != EEXIST)
		return err_set(e, errno, "cannot make key %s", path);
	return fs_sync_dir(dir, path, e);
}

int metadata_key(const char *dir, uint8_t key[static METADATA_KEY_LEN], struct err *e)
{
	cleanup_close int dirfd = fs_opendir(AT_FDCWD, dir, e), fd = -1;
	cleanup_free char *path = fs_join(dir, KEY_NAME);
	struct stat st;

	if (dirfd < 0)
		return -1;
	fd = openat(dirfd, KEY_NAME, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT) {
		if (make_key(dirfd, path, e) < 0)
			return -1;
		fd = openat(dirfd, KEY_NAME, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	}
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(e, errno, "cannot open key %s", path);
	if (!S_ISREG(st.st_mode) || st.st_mode & 077)
		return err_setk(e, ERR_DENIED, 0, "cannot use key %s: others may read it", path);
	if (read(fd, key, METADATA_KEY_LEN) != METADATA_KEY_LEN || st.st_size != METADATA_KEY_LEN) {
		err_set(e, 0, "cannot use key %s: it has not %d bytes", path, METADATA_KEY_LEN);
		return err_hint(e,
				"remove it: a new one is made, and old signatures count no more");
	}
	return 0;
}
