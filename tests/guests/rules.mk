# rules.mk: the guests and tools of the native suite, included by the Makefile.
# `make guests` builds them all: build/guests/NAME.elf from NAME.c, further
# shapes of it for the boot tests, and build/tools/ from tools/. The guests are
# x86_64 code that stands alone; GUEST_CC may name a cross compiler.

GUEST_CC ?= $(CC)
GUEST_CFLAGS := -std=gnu11 -O2 -g -Wall -Wextra -Wno-array-bounds -m64 -ffreestanding -fno-pic -fno-pie \
	-mno-red-zone -mgeneral-regs-only -fno-stack-protector -fcf-protection=none \
	-fno-asynchronous-unwind-tables -fno-strict-aliasing -ffunction-sections \
	-fno-tree-loop-distribute-patterns -MMD -MP
GUEST_LDFLAGS := -m64 -nostdlib -static -no-pie -Wl,--build-id=none -Wl,--gc-sections \
	-Wl,-z,noseparate-code -Wl,--no-warn-rwx-segments -Wl,-T,tests/guests/lib/guest.ld

guests := $(patsubst tests/guests/%.c,%,$(wildcard tests/guests/*.c))
guest_lib := $(addprefix build/guests/lib/,start.o $(notdir $(patsubst %.c,%.o,$(wildcard tests/guests/lib/*.c))))
guest_note := build/guests/lib/pvh-note.o
guest_tools := $(patsubst tests/guests/tools/%.c,build/tools/%,$(wildcard tests/guests/tools/*.c))

.PHONY: guests
guests: $(guests:%=build/guests/%.elf) build/guests/hello.elf \
	build/guests/boot-nonote.elf build/guests/boot.bzImage \
	build/guests/memory-map-nonote.elf $(guest_tools)

build/guests/%.o: tests/guests/%.c
	@mkdir -p $(@D)
	$(GUEST_CC) $(GUEST_CFLAGS) -c -o $@ $<

build/guests/%.o: tests/guests/%.S
	@mkdir -p $(@D)
	$(GUEST_CC) -m64 -MMD -MP -c -o $@ $<

build/guests/hello.elf: build/guests/hello.o $(guest_note) tests/guests/lib/guest.ld
	$(GUEST_CC) $(GUEST_LDFLAGS) -o $@ $(filter %.o,$^)

build/guests/%-nonote.elf: build/guests/%.o $(guest_lib) tests/guests/lib/guest.ld
	$(GUEST_CC) $(GUEST_LDFLAGS) -o $@ $(filter %.o,$^)

build/guests/%.elf: build/guests/%.o $(guest_lib) $(guest_note) tests/guests/lib/guest.ld
	$(GUEST_CC) $(GUEST_LDFLAGS) -o $@ $(filter %.o,$^)

build/guests/%.bzImage: build/guests/%-nonote.elf build/tools/make-bzimage
	build/tools/make-bzimage $< $@

build/tools/%: tests/guests/tools/%.c
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -O2 -g -Wall -Wextra -MMD -MP -o $@ $<

.SECONDARY: $(guests:%=build/guests/%.o) $(guest_lib)
-include $(wildcard build/guests/*.d build/guests/lib/*.d build/tools/*.d)
