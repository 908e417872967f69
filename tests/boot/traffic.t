#!/bin/bash
# traffic.t: a network card whose queues and offloads are switched while it works, and one
# that everybody talks to at once, for SECONDS_OF_MIX (10), and once more without
# EVENT_IDX: there a notification is lost by other races. The checks are in jobs/traffic.

. "$(dirname "$0")/../lib/nested-test.sh"
needs socat socat
needs ip iproute2
needs ethtool ethtool
job_arguments=${SECONDS_OF_MIX:-10}
job_bound=$((600 + 2 * job_arguments))
nested_test traffic cloud-6.1
