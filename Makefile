# Lodge. `make` builds build/lodge; `make help` lists what else there is.

CFLAGS ?= -O2 -g
WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla
ALL_CFLAGS = -std=gnu17 -D_GNU_SOURCE -pthread $(WARNINGS) $(WERROR) $(CFLAGS) $(SANITIZE) \
	-Iinclude -Iinclude/arch/$(ARCH) -I$(BUILD) -Ibuild -MMD -MP
LDLIBS = -luring -lseccomp $(LDLIBS_$(ARCH))

# The architecture of the program and of its guests: this machine's, or
#     make ARCH=arm64 CROSS_COMPILE=aarch64-linux-gnu- [SYSROOT=TREE]
# where TREE, if given, is where that architecture's -dev packages are.
ARCH ?= $(patsubst aarch64,arm64,$(shell uname -m))
ifdef CROSS_COMPILE
CC := $(CROSS_COMPILE)gcc $(if $(SYSROOT),--sysroot=$(SYSROOT))
endif

# Where objects and the program go: build/, build/asan/ for the sanitized build, and
# build/ARCH/ for another architecture.
BUILD ?= build$(if $(CROSS_COMPILE),/$(ARCH))

# Architecture code is chosen by file: everything but what is another's.
SOURCES_x86_64 := $(addprefix launcher/, cpuid.c x86_64.c) \
	$(addprefix devices/, board-x86_64.c pci-ports.c power.c) \
	$(addprefix guest-boot/, acpi.c boot-x86_64.c bzimage.c elf.c memory-map.c mptable.c \
		pvh.c zeropage.c)
SOURCES_arm64 := $(addprefix launcher/, arm64.c gic.c) devices/board-arm64.c \
	$(addprefix guest-boot/, boot-arm64.c fdt.c image.c)
LDLIBS_arm64 := -lfdt -lz
# Of the sandbox's two further lists the other one (see sandbox-sanitized.c).
SOURCES_OTHER := launcher/sandbox-$(if $(SANITIZE),plain,sanitized).c
SOURCES := $(SOURCES_$(ARCH)) $(filter-out $(SOURCES_x86_64) $(SOURCES_arm64) $(SOURCES_OTHER), \
	$(wildcard launcher/*.c devices/*.c guest-boot/*.c))
OBJECTS := $(SOURCES:%.c=$(BUILD)/obj/%.o)

.PHONY: all asan tsan arm64 demo check soak soak-net bench install clean format help

all: $(BUILD)/lodge

$(BUILD)/lodge: $(OBJECTS)
	@echo "  LINK  $@"
	@$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(BUILD)/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	@echo "  CC    $<"
	@$(CC) $(ALL_CFLAGS) -c -o $@ $<

# For .ci/run.
.PHONY: objects sources arch-sources
objects: $(OBJECTS)
sources:
	@echo $(SOURCES)
arch-sources:
	@echo $(SOURCES_$(ARCH))

# The ACPI namespace, as bytes in a C array.
build/dsdt.hex: guest-boot/dsdt.asl
	@mkdir -p build
	@echo "  IASL  $<"
	@iasl -vs -p build/dsdt -tc $< >build/dsdt.log 2>&1 || { cat build/dsdt.log; exit 1; }

$(BUILD)/obj/guest-boot/acpi.o: build/dsdt.hex

# The names of system calls, by number, for the line about a forbidden one.
$(BUILD)/syscalls.h: Makefile
	@mkdir -p $(BUILD)
	@echo '#include <sys/syscall.h>' | $(CC) -E -dM - | \
		sed -n 's/^#define __NR_\([a-z0-9_]*\) .*/[__NR_\1] = "\1",/p' | sort >$@

$(BUILD)/obj/launcher/sandbox.o: $(BUILD)/syscalls.h

include tests/guests/rules.mk
include tests/hostile/rules.mk
include tests/unit/rules.mk
include tests/fuzz/rules.mk
include tests/litmus/rules.mk

# The same program, watching itself; for the tests.
asan:
	@$(MAKE) BUILD=build/asan SANITIZE="-fsanitize=address,undefined -fno-omit-frame-pointer" \
		all unit-tests

# The same, looking for data races.
tsan:
	@$(MAKE) BUILD=build/tsan SANITIZE="-fsanitize=thread" all

# For an arm64 machine, with what tests/boot/arm64-root has unpacked.
arm64: build/arm64/root
	@$(MAKE) --no-print-directory ARCH=arm64 CROSS_COMPILE=aarch64-linux-gnu- SYSROOT=$< all

build/arm64/root:
	tests/boot/arm64-root

# The two commands that do everything; see README.
demo:
	@examples/demo/run

check:
	@tests/check

# A thousand starts here, fifty in the nested machine; some minutes.
soak: all guests
	@STARTS=1000 tests/faults/soak.t
	@STARTS=50 tests/boot/soak.t

# Ten minutes of mixed traffic, and ten more without EVENT_IDX.
soak-net: all
	@SECONDS_OF_MIX=600 tests/boot/traffic.t

bench: all guests
	@tests/bench/startup
	@tests/bench/network-native
	@tests/bench/network-nested
	@tests/bench/report >build/bench/network.md

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
	@echo "make tsan     build build/tsan/lodge, with ThreadSanitizer"
	@echo "make arm64    cross-build build/arm64/lodge; ARCH=arm64 CROSS_COMPILE=... also does"
	@echo "make guests   build the tests' bare-metal guests"
	@echo "make fuzz     fuzz each target for FUZZ_SECONDS (60); FUZZ_TARGETS: only these"
	@echo "make soak     start and end guests a thousand times, and look what is left behind"
	@echo "make soak-net keep a guest's network busy for ten minutes"
	@echo "make bench    measure beside QEMU"
	@echo "make install  into PREFIX (/usr/local)"
	@echo "make format   clang-format all sources"
	@echo "make clean    remove build/"

-include $(OBJECTS:.o=.d)
