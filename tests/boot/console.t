#!/bin/bash
# console.t: a shell in the guest, on a terminal. The checks are in jobs/console.

. "$(dirname "$0")/../lib/nested-test.sh"
needs expect expect
nested_test console cloud-6.1
