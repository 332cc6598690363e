# SPDX-License-Identifier: Apache-2.0
.PHONY: bench
# make bench [BENCH="run-true boot start memory image --quick"]
bench:
	tools/setup
	$(MAKE) all
	tools/bench/run $(O) $(BENCH)
