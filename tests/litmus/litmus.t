#!/bin/bash
# litmus.t: no notification is lost in ten million encounters of driver and
# device, and without either of the two barriers one is; see litmus.c.
# LITMUS names where the programs are, ROUNDS how many encounters there shall be.
# With EMULATED set, what happens without a barrier is told but not judged: whether two
# emulated processors ever run into it is up to the emulator and to what else the machine does.
cd "$(dirname "$0")/../.." || exit 1
programs=${LITMUS:-build/litmus}
rounds=${ROUNDS:-10000000}
checks=0
failed=0

# check NAME GOT REGEX
check() {
	checks=$((checks + 1))
	[[ $2 =~ $3 ]] && echo "ok $checks - $1" && return
	failed=1
	printf 'not ok %s - %s\n# got:  %s\n# want: %s\n' "$checks" "$1" "$2" "$3"
}
if [ "$(nproc)" = 1 ]; then
	echo "1..0 # SKIP one CPU: two threads never meet on it"
	exit 0
fi
run() { timeout -k 2 300 "$programs/$@" 2>&1; }

for pair in kick interrupt; do
	check "$pair: no notification lost, by event index" \
		"$(run intact $pair event "$rounds")" "^lost 0 of $rounds\$"
	check "$pair: nor by flags" \
		"$(run intact $pair flags $((rounds / 10)))" "^lost 0 of $((rounds / 10))\$"
done
without() {
	local got
	got=$(run "$1" "$2" "$3" 10000000 stop)
	if [ -n "${EMULATED:-}" ]; then
		echo "# $2, by $3, without the fence of $4(): $got"
	else
		check "$2, by $3: one is lost without the fence of $4()" "$got" '^lost 1 of'
	fi
}
for mode in event flags; do
	without no-enable-fence kick $mode virtqueue_enable_kicks
	without no-publish-fence interrupt $mode virtqueue_publish
done
echo "1..$checks"
exit $failed
