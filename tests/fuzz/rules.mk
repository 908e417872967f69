# rules.mk: the fuzz targets, included by the Makefile: build/fuzz/TARGET from
# TARGET.c, libFuzzer's main, and every object of Lodge but its own main and
# the two files that speak to KVM, for which lib/machine.c stands in.

fuzz_names := $(patsubst tests/fuzz/%.c,%,$(sort $(wildcard tests/fuzz/*.c)))
fuzz_objects := $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard tests/fuzz/lib/*.c)) \
	$(filter-out $(addprefix $(BUILD)/obj/launcher/,main.o vm.o irq.o),$(OBJECTS))

.PHONY: fuzz-targets fuzz-programs fuzz
fuzz-programs: $(fuzz_names:%=$(BUILD)/%)

$(fuzz_names:%=$(BUILD)/%): $(BUILD)/%: $(BUILD)/obj/tests/fuzz/%.o $(fuzz_objects)
	@echo "  LINK  $@"
	@$(CC) $(ALL_CFLAGS) -fsanitize=fuzzer -o $@ $^ $(LDLIBS)

fuzz-targets:
	@$(MAKE) BUILD=build/fuzz CC=clang CFLAGS="-O1 -g" \
		SANITIZE="-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all" fuzz-programs

# FUZZ_SECONDS each (60); FUZZ_TARGETS: only these.
fuzz: fuzz-targets
	@tests/fuzz/run $(FUZZ_TARGETS)

.SECONDARY: $(fuzz_names:%=$(BUILD)/obj/tests/fuzz/%.o) $(fuzz_objects)
-include $(wildcard $(BUILD)/obj/tests/fuzz/*.d $(BUILD)/obj/tests/fuzz/lib/*.d)
