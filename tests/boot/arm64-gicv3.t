#!/bin/bash
# arm64-gicv3.t: stock arm64 kernels under Lodge on an arm64 machine with a GICv3. The checks
# are in jobs/.

. "$(dirname "$0")/../lib/nested-test.sh"
nested_arm64_test 3 arm64:3 disk:pci,mmio network:pci,queues devices endings console
