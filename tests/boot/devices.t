#!/bin/bash
# devices.t: a guest with many devices at once finds each as it was described. The checks are in jobs/devices.

. "$(dirname "$0")/../lib/nested-test.sh"
needs ip iproute2
nested_test devices cloud-6.1
