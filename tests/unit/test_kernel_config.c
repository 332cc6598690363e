/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "stage0/kernel_config.h"

/* A configuration that has all, each symbol with @value. */
static void full(struct strbuf *out, const char *skip)
{
	const struct kernel_need *n;

	for (n = kernel_needs; n->symbol; n++) {
		if (!skip || strcmp(n->symbol, skip) != 0)
			sb_addf(out, "CONFIG_%s=y\n", n->symbol);
	}
}

static void check(const struct strbuf *text, const struct strv *modules, struct strv *missing,
		  struct strv *wanted)
{
	strv_free(missing);
	strv_free(wanted);
	config_check(text->buf, text->len, modules, missing, wanted);
}

static void complete_configuration_passes(void **state)
{
	cleanup_sb struct strbuf text = STRBUF_INIT;
	cleanup_strv struct strv missing = { 0 }, wanted = { 0 };
	struct strv none = { 0 };

	(void)state;
	full(&text, NULL);
	check(&text, &none, &missing, &wanted);
	assert_int_equal(missing.nr_v, 0);
	assert_int_equal(wanted.nr_v, 0);
}

static void missing_symbol_is_named_with_its_purpose(void **state)
{
	cleanup_sb struct strbuf text = STRBUF_INIT;
	cleanup_strv struct strv missing = { 0 }, wanted = { 0 };
	struct strv none = { 0 };

	(void)state;
	full(&text, "VIRTIO_BLK");
	sb_adds(&text, "# CONFIG_VIRTIO_BLK is not set\nCONFIG_VIRTIO_BLK_SCSI=y\n");
	check(&text, &none, &missing, &wanted);
	assert_int_equal(missing.nr_v, 1);
	assert_string_equal(missing.v[0], "CONFIG_VIRTIO_BLK is not set (the root disks)");
}

static void module_counts_only_when_it_is_loaded(void **state)
{
	cleanup_sb struct strbuf text = STRBUF_INIT;
	cleanup_strv struct strv missing = { 0 }, wanted = { 0 }, modules = { 0 };

	(void)state;
	full(&text, "VIRTIO_BLK");
	sb_adds(&text, "CONFIG_VIRTIO_BLK=m\n");
	check(&text, &modules, &missing, &wanted);
	assert_int_equal(missing.nr_v, 1);
	assert_string_equal(missing.v[0], "CONFIG_VIRTIO_BLK=m, but the module virtio_blk is not "
					  "there (the root disks)");
	strv_add(&modules, "virtio_blk");
	check(&text, &modules, &missing, &wanted);
	assert_int_equal(missing.nr_v, 0);
}

static void what_is_needed_before_modules_must_be_built_in(void **state)
{
	cleanup_sb struct strbuf text = STRBUF_INIT;
	cleanup_strv struct strv missing = { 0 }, wanted = { 0 };
	struct strv none = { 0 };

	(void)state;
	full(&text, "UNIX");
	sb_adds(&text, "CONFIG_UNIX=m");
	check(&text, &none, &missing, &wanted);
	assert_int_equal(missing.nr_v, 1);
	assert_string_equal(missing.v[0], "CONFIG_UNIX=m must be built in (local sockets)");
}

static void either_of_two_ways_to_find_devices_is_enough(void **state)
{
	cleanup_sb struct strbuf text = STRBUF_INIT;
	cleanup_strv struct strv missing = { 0 }, wanted = { 0 };
	struct strv none = { 0 };

	(void)state;
	full(&text, "ACPI");
	check(&text, &none, &missing, &wanted);
	assert_int_equal(missing.nr_v, 1);
	assert_string_equal(missing.v[0], "neither CONFIG_ACPI nor "
					  "CONFIG_VIRTIO_MMIO_CMDLINE_DEVICES is set (finding the "
					  "devices)");
	sb_adds(&text, "CONFIG_VIRTIO_MMIO_CMDLINE_DEVICES=y\n");
	check(&text, &none, &missing, &wanted);
	assert_int_equal(missing.nr_v, 0);
}

static void optional_symbol_is_only_wanted(void **state)
{
	cleanup_sb struct strbuf text = STRBUF_INIT;
	cleanup_strv struct strv missing = { 0 }, wanted = { 0 };
	struct strv none = { 0 };

	(void)state;
	full(&text, "IPV6");
	check(&text, &none, &missing, &wanted);
	assert_int_equal(missing.nr_v, 0);
	assert_int_equal(wanted.nr_v, 1);
	assert_string_equal(wanted.v[0], "CONFIG_IPV6 is not set (IPv6 networks)");
}

static void values_other_than_y_and_m_are_off(void **state)
{
	static const char text[] = "CONFIG_A=y\nCONFIG_B=m\nCONFIG_C=\"y\"\nCONFIG_D=yy\n"
				   "#CONFIG_E=y\nCONFIG_F=\nCONFIG_LAST=y";

	(void)state;
	assert_int_equal(config_get(text, strlen(text), "A"), 'y');
	assert_int_equal(config_get(text, strlen(text), "B"), 'm');
	assert_int_equal(config_get(text, strlen(text), "C"), 'n');
	assert_int_equal(config_get(text, strlen(text), "D"), 'n');
	assert_int_equal(config_get(text, strlen(text), "E"), 'n');
	assert_int_equal(config_get(text, strlen(text), "F"), 'n');
	assert_int_equal(config_get(text, strlen(text), "LAST"), 'y');
	assert_int_equal(config_get(text, strlen(text), "LA"), 'n');
	assert_false(config_is_valid("junk\n", 5));
	assert_false(config_is_valid("", 0));
}

/* The word in kernel-config/needs for what the table asks of @symbol, or NULL. */
static const char *kind_of(const char *symbol)
{
	const struct kernel_need *k;

	for (k = kernel_needs; k->symbol; k++) {
		if (k->either && (!strcmp(k->either, symbol) || !strcmp(k->symbol, symbol)))
			return "either";
		if (!strcmp(k->symbol, symbol))
			return k->is_optional ? "want" : k->module ? "any" : "builtin";
	}
	return NULL;
}

/* What is asked of a kernel is written twice, for the engine and for whoever builds one. */
static void table_agrees_with_kernel_config(void **state)
{
	cleanup_sb struct strbuf needs = STRBUF_INIT;
	const struct kernel_need *k;
	unsigned nr_lines = 0, nr_symbols = 0;
	char *line, *rest = NULL;
	struct err e;

	(void)state;
	if (fs_read(AT_FDCWD, "kernel-config/needs", 65536, &needs, &e) < 0)
		skip(); /* run from elsewhere */
	for (line = strtok_r(needs.buf, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		char kind[16], symbol[64];

		if (line[0] == '#')
			continue;
		assert_int_equal(sscanf(line, "%15s CONFIG_%63s", kind, symbol), 2);
		if (!kind_of(symbol) || strcmp(kind_of(symbol), kind) != 0)
			fail_msg("the table has CONFIG_%s as %s: %s", symbol,
				 kind_of(symbol) ? kind_of(symbol) : "nothing", line);
		nr_lines++;
	}
	for (k = kernel_needs; k->symbol; k++)
		nr_symbols += k->either ? 2 : 1;
	assert_int_equal(nr_lines, nr_symbols); /* no line twice, so none is missing */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(complete_configuration_passes),
		cmocka_unit_test(missing_symbol_is_named_with_its_purpose),
		cmocka_unit_test(module_counts_only_when_it_is_loaded),
		cmocka_unit_test(what_is_needed_before_modules_must_be_built_in),
		cmocka_unit_test(either_of_two_ways_to_find_devices_is_enough),
		cmocka_unit_test(optional_symbol_is_only_wanted),
		cmocka_unit_test(values_other_than_y_and_m_are_off),
		cmocka_unit_test(table_agrees_with_kernel_config),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
