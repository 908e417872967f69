#!/bin/bash
# backends.t: everything a network card can be plugged into, under load. The checks are in jobs/backends.

. "$(dirname "$0")/../lib/nested-test.sh"
needs socat socat
needs ip iproute2
needs passt passt
make --no-print-directory -s -C "$here/../.." build/tools/tap-fd >&2
nested_test backends cloud-6.1
