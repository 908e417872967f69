#!/bin/bash
# pipes.t: input and output that are not a terminal. The checks are in jobs/pipes.

. "$(dirname "$0")/../lib/nested-test.sh"
nested_test pipes cloud-6.1
