#!/bin/bash
# kernels.t: every kernel flavour, as bzImage and as vmlinux, reaches userland under Lodge. The checks are in jobs/kernels.

. "$(dirname "$0")/../lib/nested-test.sh"
needs lz4 lz4
nested_test kernels cloud-6.1 generic-6.1 rt-6.1 cloud-6.12 generic-6.12 rt-6.12
