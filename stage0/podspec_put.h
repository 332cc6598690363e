/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes records of the pod spec (guest-init/podspec.h).  Whoever knows something that the guest is
 * to do appends its own pod keys to a strbuf; manifest_spec() puts them where they belong.
 */
#ifndef VPOD_STAGE0_PODSPEC_PUT_H
#define VPOD_STAGE0_PODSPEC_PUT_H

#include "base/strbuf.h"

/* @value: any bytes but NUL. */
void podspec_put(struct strbuf *b, const char *key, const char *value);
void podspec_putf(struct strbuf *b, const char *key, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
