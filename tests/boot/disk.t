#!/bin/bash
# disk.t: what a guest writes to a virtio disk is really there. The checks are in jobs/disk.

. "$(dirname "$0")/../lib/nested-test.sh"
needs e2fsck e2fsprogs
nested_test disk cloud-6.1
