#!/bin/bash
# litmus.t: no notification is lost in ten million encounters of driver and
# device, and without either of the two barriers one is; see litmus.c.
# LITMUS names where the programs are, ROUNDS how many encounters there shall be.
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
for mode in event flags; do
	check "kick, by $mode: one is lost without the fence of virtqueue_enable_kicks()" \
		"$(run no-enable-fence kick $mode 10000000 stop)" '^lost 1 of'
	check "interrupt, by $mode: one is lost without the fence of virtqueue_publish()" \
		"$(run no-publish-fence interrupt $mode 10000000 stop)" '^lost 1 of'
done
echo "1..$checks"
exit $failed
