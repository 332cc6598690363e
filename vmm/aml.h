/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes the few forms of AML (ACPI 6.4 chapter 20) and of resource descriptors (section 6.4) that
 * the DSDT needs.  What does not fit into the buffer is a bug of ours: it aborts.
 */
#ifndef VPOD_VMM_AML_H
#define VPOD_VMM_AML_H

#include <stddef.h>
#include <stdint.h>

struct aml {
	uint8_t *buf;
	size_t size, len;
};

/* Open a package and return what aml_package_end() wants. */
size_t aml_scope_sb(struct aml *b);
size_t aml_device(struct aml *b, char letter, unsigned index); /* named e.g. V005 */
void aml_package_end(struct aml *b, size_t start);

/* Name (NAME, value) */
void aml_name_integer(struct aml *b, const char *name, uint32_t v);
void aml_name_string(struct aml *b, const char *name, const char *v);
void aml_name_s5(struct aml *b, unsigned type);

/* Name (_CRS, ResourceTemplate () { ... }) */
size_t aml_resources(struct aml *b);
void aml_memory32(struct aml *b, uint32_t at, uint32_t size);
void aml_io(struct aml *b, uint16_t port, uint8_t count);
void aml_interrupt(struct aml *b, uint32_t gsi); /* edge, active high, exclusive */
void aml_resources_end(struct aml *b, size_t start);

#endif
