#!/bin/bash
# arm64-units.t: the unit programs about queues, and the litmus test, on arm64 processors, which
# order their memory accesses less than x86: two of them, emulated, each by a thread
# of its own. An emulator on x86 orders stores as x86 does, so this shows what such
# an emulator can show: that the barriers are there, not that no other is wanting.

. "$(dirname "$0")/../lib/nested-test.sh"
arm64_prepare
flock build/arm64/.make make --no-print-directory -s ARCH=arm64 CROSS_COMPILE=aarch64-linux-gnu- \
	SYSROOT=build/arm64/root unit-tests litmus | sed 's/^/# /'
exec tests/lib/nested --arch arm64 --smp 2 --tap "$here/jobs/several" \
	units:iov,loop,virtqueue-events,virtqueue-race litmus
