#!/bin/bash
# endings.t: every way a guest can end, its exit status and its last line. The checks are in jobs/endings.

. "$(dirname "$0")/../lib/nested-test.sh"
nested_test endings cloud-6.1 cloud-6.12
