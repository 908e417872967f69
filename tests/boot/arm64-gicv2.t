#!/bin/bash
# arm64-gicv2.t: stock arm64 kernels under Lodge on an arm64 machine with a GICv2. The checks
# are in jobs/.

. "$(dirname "$0")/../lib/nested-test.sh"
nested_arm64_test 2 arm64:2 disk:mmio network:mmio endings
