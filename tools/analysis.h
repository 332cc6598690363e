/* SPDX-License-Identifier: Apache-2.0 */
/* What the Makefile defines, for analysers that do not read it. */
#define VPOD_VERSION "x"
#define VPOD_LIBEXECDIR "/x"
