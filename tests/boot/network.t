#!/bin/bash
# network.t: a guest exchanges packets with the outside through its tap. The checks are in jobs/network.

. "$(dirname "$0")/../lib/nested-test.sh"
needs socat socat
needs ip iproute2
needs ping iputils-ping
nested_test network cloud-6.1
