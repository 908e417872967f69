#!/bin/bash
# survival.t: an ext4 whose guest is killed with lodge has all that the guest was told
# is safe. The checks are in jobs/survival; ROUNDS says how often (3).

. "$(dirname "$0")/../lib/nested-test.sh"
needs e2fsck e2fsprogs
job_arguments="${ROUNDS:-3} ${SEED:-}"
nested_test survival cloud-6.1
