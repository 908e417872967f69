# rules.mk: the unit programs, included by the Makefile. Each is one file here,
# a cmocka program that speaks TAP, linked with every object of Lodge but its
# main. `make unit-tests` builds them; UNIT_TESTS lists them for prove.

unit_names_x86_64 := $(patsubst tests/unit/%.c,%,$(sort $(wildcard tests/unit/*.c)))
# Those that know no PC (its memory map, its tables, its trap flag): above all the queues,
# for a processor that orders its memory accesses less.
unit_names_arm64 := iov loop $(filter-out virtqueue-chains virtqueue-reads, \
	$(filter virtqueue-%,$(unit_names_x86_64)))
unit_names := $(unit_names_$(ARCH))
unit_lib := $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard tests/unit/lib/*.c))
unit_objects := $(unit_lib) $(filter-out $(BUILD)/obj/launcher/main.o,$(OBJECTS))
UNIT_TESTS := $(unit_names:%=$(BUILD)/unit/%)

# Those in arm64/ test what reads and writes bytes for arm64 guests, which a machine of
# any architecture can do: compiled with arm64's headers, but by and for this one.
unit_arm64_names := $(patsubst tests/unit/arm64/%.c,%,$(sort $(wildcard tests/unit/arm64/*.c)))
unit_arm64_objects := $(patsubst %,$(BUILD)/obj/for-arm64/%.o, \
	$(addprefix guest-boot/, boot boot-arm64 cmdline fdt image initrd) \
	$(addprefix launcher/, log machine memory output) tests/unit/lib/unit tests/unit/lib/kernel)
UNIT_ARM64_TESTS := $(unit_arm64_names:%=$(BUILD)/unit/arm64-%)

.PHONY: unit-tests
unit-tests: $(UNIT_TESTS) $(UNIT_ARM64_TESTS)

# Kept: a second `make` compares with them.
.SECONDARY: $(unit_names:%=$(BUILD)/obj/tests/unit/%.o) $(unit_lib)

$(UNIT_TESTS): $(BUILD)/unit/%: $(BUILD)/obj/tests/unit/%.o $(unit_objects)
	@mkdir -p $(@D)
	@echo "  LINK  $@"
	@$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS) -lcmocka

$(BUILD)/obj/for-arm64/%.o: ARCH := arm64
$(BUILD)/obj/for-arm64/%.o: %.c Makefile
	@mkdir -p $(@D)
	@echo "  CC    $< (for arm64 guests)"
	@$(CC) $(ALL_CFLAGS) -c -o $@ $<

.SECONDARY: $(unit_arm64_names:%=$(BUILD)/obj/for-arm64/tests/unit/arm64/%.o) $(unit_arm64_objects)

$(UNIT_ARM64_TESTS): $(BUILD)/unit/arm64-%: $(BUILD)/obj/for-arm64/tests/unit/arm64/%.o \
		$(unit_arm64_objects)
	@mkdir -p $(@D)
	@echo "  LINK  $@"
	@$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS_arm64) -lcmocka

-include $(unit_arm64_names:%=$(BUILD)/obj/for-arm64/tests/unit/arm64/%.d) $(unit_arm64_objects:.o=.d)
-include $(unit_names:%=$(BUILD)/obj/tests/unit/%.d) $(unit_lib:.o=.d)
