# rules.mk: the unit programs, included by the Makefile. Each is one file here,
# a cmocka program that speaks TAP, linked with every object of Lodge but its
# main. `make unit-tests` builds them; UNIT_TESTS lists them for prove.

unit_names := $(patsubst tests/unit/%.c,%,$(sort $(wildcard tests/unit/*.c)))
unit_lib := $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard tests/unit/lib/*.c))
unit_objects := $(unit_lib) $(filter-out $(BUILD)/obj/launcher/main.o,$(OBJECTS))
UNIT_TESTS := $(unit_names:%=$(BUILD)/unit/%)

.PHONY: unit-tests
unit-tests: $(UNIT_TESTS)

# Kept: a second `make` compares with them.
.SECONDARY: $(unit_names:%=$(BUILD)/obj/tests/unit/%.o) $(unit_lib)

$(UNIT_TESTS): $(BUILD)/unit/%: $(BUILD)/obj/tests/unit/%.o $(unit_objects)
	@mkdir -p $(@D)
	@echo "  LINK  $@"
	@$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS) -lcmocka

-include $(unit_names:%=$(BUILD)/obj/tests/unit/%.d) $(unit_lib:.o=.d)
