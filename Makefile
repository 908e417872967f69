# Lodge. `make` builds build/lodge; `make help` lists what else there is.

CFLAGS ?= -O2 -g
WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla
ALL_CFLAGS = -std=gnu17 -D_GNU_SOURCE -pthread $(WARNINGS) $(WERROR) $(CFLAGS) $(SANITIZE) \
	-Iinclude -Ibuild -MMD -MP
LDLIBS := -luring

# Where objects and the program go: build/, or build/asan/ for the sanitized build.
BUILD ?= build

# Architecture code is chosen by file.
ARCH_SOURCES := launcher/x86_64.c launcher/cpuid.c
SOURCES := $(addprefix launcher/, ablate.c bus.c ending.c irq.c log.c loop.c machine.c main.c memory.c \
	options.c stats.c stream.c terminal.c vcpu.c vm.c) $(ARCH_SOURCES) \
	$(wildcard devices/*.c) $(wildcard guest-boot/*.c)
OBJECTS := $(SOURCES:%.c=$(BUILD)/obj/%.o)

.PHONY: all asan demo check bench install clean format help

all: $(BUILD)/lodge

$(BUILD)/lodge: $(OBJECTS)
	@echo "  LINK  $@"
	@$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(BUILD)/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	@echo "  CC    $<"
	@$(CC) $(ALL_CFLAGS) -c -o $@ $<

# The ACPI namespace, as bytes in a C array.
build/dsdt.hex: guest-boot/dsdt.asl
	@mkdir -p build
	@echo "  IASL  $<"
	@iasl -vs -p build/dsdt -tc $< >build/dsdt.log 2>&1 || { cat build/dsdt.log; exit 1; }

$(BUILD)/obj/guest-boot/acpi.o: build/dsdt.hex

include tests/guests/rules.mk
include tests/unit/rules.mk

# The same program, watching itself; for the tests.
asan:
	@$(MAKE) BUILD=build/asan SANITIZE="-fsanitize=address,undefined -fno-omit-frame-pointer" \
		all unit-tests

# The two commands that do everything; see README.
demo:
	@examples/demo/run

check:
	@tests/check

bench: all guests
	@tests/bench/startup
	@tests/bench/network-native

PREFIX ?= /usr/local
install: all
	install -D -m 755 $(BUILD)/lodge $(DESTDIR)$(PREFIX)/bin/lodge

clean:
	rm -rf build

format:
	clang-format -i $$(git ls-files '*.c' '*.h')

help:
	@echo "make          build build/lodge"
	@echo "make demo     install what is missing, build, boot a Debian guest, show it"
	@echo "make check    install what is missing, build, run all tests"
	@echo "make asan     build build/asan/lodge, with AddressSanitizer and UBSan"
	@echo "make guests   build the tests' bare-metal guests"
	@echo "make bench    measure beside QEMU"
	@echo "make install  into PREFIX (/usr/local)"
	@echo "make format   clang-format all sources"
	@echo "make clean    remove build/"

-include $(OBJECTS:.o=.d)
