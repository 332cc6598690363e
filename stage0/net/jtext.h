/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON as it was written.  A runtime must hand a plugin's keys on unaltered (CNI spec 1.1, section
 * 3, "Deriving execution configuration"); a parser's numbers are doubles, so that texts are cut and
 * joined here instead.  Everything walked over must have passed json_scan(): no key has an escape,
 * none appears twice, the depth is bounded.
 */
#ifndef VPOD_STAGE0_NET_JTEXT_H
#define VPOD_STAGE0_NET_JTEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Part of a text that somebody else owns. */
struct jslice {
	const char *p;
	size_t len;
};

struct jtext {
	const char *p, *end;
	bool is_object;
};

/* Starts a walk over the members of an object or array. Returns 0, or -1 when @v is neither. */
int jtext_open(struct jtext *it, struct jslice v);

/* The next member; @key (without its quotes) is empty in an array. False at the end. */
bool jtext_next(struct jtext *it, struct jslice *key, struct jslice *value);

bool jslice_is(struct jslice s, const char *text);
bool jslice_starts(struct jslice s, const char *text);

/* The member @key of the object @obj. */
bool jtext_find(struct jslice obj, const char *key, struct jslice *value);

#endif
