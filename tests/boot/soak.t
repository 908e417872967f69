#!/bin/bash
# soak.t: guests come and go, and eight live at once, and nothing is left behind. The
# checks are in jobs/soak; STARTS says how many come and go (10).

. "$(dirname "$0")/../lib/nested-test.sh"
needs ip iproute2
job_arguments=${STARTS:-10}
nested_test soak cloud-6.1
