#!/bin/bash
# arm64-units.t: the unit programs about queues on arm64 processors, which order their memory
# accesses less than x86: two of them, emulated, each by a thread of its own. An
# emulator on x86 orders stores as x86 does, so this shows that nothing depends on
# more than the barriers give, as far as such an emulator can show it.

. "$(dirname "$0")/../lib/nested-test.sh"
arm64_prepare
flock build/arm64/.make make --no-print-directory -s ARCH=arm64 CROSS_COMPILE=aarch64-linux-gnu- \
	SYSROOT=build/arm64/root unit-tests | sed 's/^/# /'
exec tests/lib/nested --arch arm64 --smp 2 --tap "$here/jobs/units" \
	"$PWD"/build/arm64/unit/{iov,loop,virtqueue-*}
