/* SPDX-License-Identifier: Apache-2.0 */
/* Tars made by hand, and the way from them to an image in memory, for the tests of layers. */
#ifndef VPOD_TESTS_LAYER_FIXTURE_H
#define VPOD_TESTS_LAYER_FIXTURE_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/strbuf.h"
#include "images/layer.h"
#include "tests/tools/erofs_check.h"

/* Tables of entries leave out what they do not say. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

/* One tar entry; zero means what it says, except that mode 0 is 0644 and mtime 0 is 1000. */
struct ent {
	const char *name;
	char type; /* ustar typeflag; 0: a regular file */
	const char *data;
	size_t size; /* of data, 0: strlen */
	const char *link;
	unsigned mode;
	long long uid, gid; /* above octal 7777777: as base-256, as are negative ones */
	long long mtime;
	unsigned major, minor;
	const char *pax; /* ready records, as by pax_record(), or NULL */
	size_t pax_len;	 /* 0: strlen */
};

/* Appends an entry, without the end mark. */
void tar_add(struct strbuf *b, const struct ent *ent);
void tar_end(struct strbuf *b);

/* "LEN key=value\n" */
void pax_record(struct strbuf *b, const char *key, const void *value, size_t n);

/* A tar of entries that end with an empty one. */
void tar_make(struct strbuf *b, const struct ent *ents);

/* Up to 16 layers, converted and merged by the jailed workers. */
struct fixture {
	struct layer_out out[16];
	unsigned nr_layers;
	void *meta;
	size_t meta_len;
	struct erofs_image img;
	struct err e;
};

int blob_fd(const void *p, size_t n);
int fixture_convert(struct fixture *f, const void *p, size_t n, enum layer_compression c);
int fixture_merge(struct fixture *f); /* and checks the image */
void fixture_free(struct fixture *f);

/* Layers by tables; the last is NULL. Asserts success. */
void fixture_build(struct fixture *f, const struct ent *const *layers);

/* The message of a layer (and its merge) that must be refused. */
const char *fixture_refusal(struct fixture *f, const struct ent *ents);

/* Asserts that the path is there. */
struct erofs_node node_at(const struct fixture *f, const char *path);
void assert_absent(const struct fixture *f, const char *path);
void assert_content(const struct fixture *f, const char *path, const char *text);

#endif
