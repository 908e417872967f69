#!/bin/bash
# faults.t: a disk that fails underneath, and a control group without memory. The
# checks are in jobs/faults.

. "$(dirname "$0")/../lib/nested-test.sh"
needs dmsetup dmsetup
nested_test faults
