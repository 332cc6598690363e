/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records as a hostile worker could write them, in up to four layers, to a root file system.  The
 * first byte tells the number of layers, the next ones where they part; headers are made good, so
 * that the fuzzer spends its time behind them.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "images/layer_index.h"
#include "tests/tools/merge_check.h"

#define DATA_SIZE (1u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static uint64_t count_records(const uint8_t *p, size_t n)
{
	uint64_t count = 0;
	uint32_t len;

	while (n >= sizeof(struct index_rec)) {
		memcpy(&len, p, sizeof(len));
		if (len < sizeof(struct index_rec) || len > n)
			break;
		count++;
		p += len;
		n -= len;
	}
	return count;
}

static void make_index(struct strbuf *out, const uint8_t *p, size_t n)
{
	struct index_header h = { .magic = "VPODIDX", .version = LAYER_VERSION };

	h.body_len = n;
	h.data_size = DATA_SIZE;
	h.nr_entries = count_records(p, n);
	sb_add(out, &h, sizeof(h));
	sb_add(out, p, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct strbuf layers[4] = { STRBUF_INIT, STRBUF_INIT, STRBUF_INIT, STRBUF_INIT };
	unsigned nr, i;

	if (n < 8)
		return 0;
	nr = 1 + p[0] % 4;
	for (i = 0; i < nr; i++) {
		size_t body = n - 8, from = i ? p[i] * body / 256 / 8 * 8 : 0;
		size_t to = i + 1 < nr ? p[i + 1] * body / 256 / 8 * 8 : body;

		make_index(&layers[i], p + 8 + from, to > from ? to - from : 0);
	}
	merge_and_check(layers, nr, DATA_SIZE, false);
	for (i = 0; i < nr; i++)
		sb_free(&layers[i]);
	return 0;
}
