# rules.mk: the attacking guests, included by the Makefile: build/hostile/NAME.elf
# from NAME.c, with the library of the native suite's guests and their flags.

hostile_guests := $(patsubst tests/hostile/%.c,%,$(wildcard tests/hostile/*.c))
hostile_lib := $(addprefix build/hostile/lib/,$(notdir $(patsubst %.c,%.o,$(wildcard tests/hostile/lib/*.c))))

guests: $(hostile_guests:%=build/hostile/%.elf)

build/hostile/%.o: tests/hostile/%.c
	@mkdir -p $(@D)
	$(GUEST_CC) $(GUEST_CFLAGS) -Itests/guests/lib -Itests/hostile/lib -c -o $@ $<

build/hostile/%.elf: build/hostile/%.o $(hostile_lib) $(guest_lib) $(guest_note) tests/guests/lib/guest.ld
	$(GUEST_CC) $(GUEST_LDFLAGS) -o $@ $(filter %.o,$^)

.SECONDARY: $(hostile_guests:%=build/hostile/%.o) $(hostile_lib)
-include $(wildcard build/hostile/*.d build/hostile/lib/*.d)
