#!/bin/bash
# bench.t: the bench of TCP to a guest still runs, beside QEMU, and lodge counts
# what its tap counts. Little is sent: no speed is looked at.

. "$(dirname "$0")/../lib/nested-test.sh"
needs ip iproute2
needs perl perl
needs qemu-system-x86_64 qemu-system-x86

json=$(mktemp)
trap 'rm -f "$json"' EXIT
checks=0
result() {
	checks=$((checks + 1))
	[ "$1" = 0 ] && echo "ok $checks - $2" || echo "not ok $checks - $2"
}

# positive LOAD KEY FIELD: whether this figure is above zero.
positive() {
	perl -MJSON::PP -e '
		my ($file, $load, $key, $field) = @ARGV;
		open(my $in, "<", $file) or die; local $/;
		my $rows = JSON::PP->new->decode(<$in>)->{parts}{smoke}{$load}{rows};
		exit(!grep { $_->{key} eq $key && $_->{$field} > 0 } @$rows);' "$json" "$@"
}

status=0
output=$("$here/../bench/network-nested" --part smoke --smp 1 --rounds 1 --share 5 --json "$json" 2>&1) || status=$?
sed "s/^/# /" <<<"$output"
result $status "the bench runs, and counts agree"
for load in rr to-guest-plain from-guest; do
	for machine in lodge qemu; do
		for figure in rate exits_per_packet interrupts_per_packet; do
			status=0
			positive $load $machine $figure || status=$?
			result $status "$load: $machine has $figure"
		done
	done
done
status=0
positive rr lodge kicks_per_packet || status=$?
result $status "rr: lodge has kicks"
echo "1..$checks"
