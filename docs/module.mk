# SPDX-License-Identifier: Apache-2.0
# Manual pages: synopsis and options come from the commands' own tables (vpod COMMAND --help), the
# rest from docs/man/*.scd; vpod(1) is written by hand but for its lists.
MAN_NAMES := vpod $(patsubst docs/man/%.scd,%,$(filter-out docs/man/vpod.scd,$(wildcard docs/man/vpod-*.scd)))
MAN_PAGES := $(patsubst %,$(O)/man/%.1,$(MAN_NAMES))

.PHONY: man
man: $(MAN_PAGES)

$(O)/man/%.1: docs/man/%.scd docs/man/generate $(O)/vpod
	$(say) MAN $@
	@mkdir -p $(@D)
	$(Q)docs/man/generate $(O)/vpod $< >$(O)/man/$*.full.scd
	$(Q)scdoc <$(O)/man/$*.full.scd >$@

# The texts that users see, written anew: look at 'git diff tests/golden' before you commit.
golden: all
	O=$(O) tests/golden/update
