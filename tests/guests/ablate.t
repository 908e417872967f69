#!/bin/bash
# ablate.t: --ablate leaves out the idea it names, and nothing else.
if [ -z "${LODGE_TEST_NETNS:-}" ]; then
	[ "$(id -u)" = 0 ] && map= || map=-r
	LODGE_TEST_NETNS=1 exec unshare $map -n -- "$0"
fi
. "$(dirname "$0")/suite.sh"

# counted NAME: of the transmit queue.
counted() { sed -n "s/.*\"net0 queue 1\": {.*\"$1\": \([0-9]*\).*/\1/p" "$T/stats"; }
noted() { sed -n "s/^# $1 //p" "$T/out" | tr -d '\r'; }

# seen LABEL WANTED ARGS...: the guest finds "TRANSPORT EVENT-IDX MRG-RXBUF".
seen() {
	local label=$1 wanted=$2
	shift 2
	guest "$label" -n "${net:-tap}" "--stats=json:$T/stats" "$@" "$guests/ablate.elf"
	is "$(noted transport) $(noted event-idx) $(noted mrg-rxbuf)" "$wanted" "$label: what it finds"
	is "$(counted chains)" 640 "$label: every frame was counted"
}

seen "nothing left out" "pci 1 1"
ok "nothing left out: frames are published together" test "$(counted batch_1)" -lt "$(counted batches)"
ok "nothing left out: one kick for many" test "$(counted kicks)" -le 20
seen "event-idx" "pci 0 1" --ablate event-idx
seen "mrg-rxbuf" "pci 1 0" --ablate mrg-rxbuf
seen "both" "pci 0 0" --ablate event-idx,mrg-rxbuf
seen "msix" "mmio 1 1" --ablate msix
seen "mmio, msix" "mmio 1 1" --transport mmio --ablate msix
for args in "--transport mmio-cmdline --ablate msix" "--ablate msix --transport mmio-cmdline"; do
	# shellcheck disable=SC2086
	lodge $args -v "$guests/ending.elf" end=poweroff </dev/null
	is "$status" 0 "$args: exit status 0"
	like "$(<"$T/err")" "guest command line: .*virtio_mmio.device=" "$args: the transport is the one named"
done
for args in "--transport pci --ablate msix" "--ablate msix --transport pci"; do
	# shellcheck disable=SC2086
	lodge $args "$guests/ending.elf" end=poweroff </dev/null
	is "$status" 2 "$args: exit status 2"
	like "$(<"$T/err")" "^lodge: --ablate: msix cannot be left out with --transport pci; [a-z ]*\$" \
		"$args: one line says so"
done
seen "irq-batch" "pci 1 1" --ablate irq-batch
is "$(counted batches) $(counted batch_1)" "640 640" "irq-batch: every frame is published alone"
seen "kick-suppression" "pci 1 1" --ablate kick-suppression
seen "batch" "pci 1 1" --ablate batch

net=tap,busy-poll=1000 seen "busy-poll" "pci 1 1"
ok "busy-poll: looks at the ring are counted" test "$(counted spins)" -ge 1000
net=tap,busy-poll=1 seen "busy-poll, in vain" "pci 1 1"
ok "busy-poll, in vain: looks become rare ($(counted spins) of $(counted kicks), $(counted spin_hits) saw something)" \
	test "$(counted spins)" -lt $(($(counted kicks) / 2 + 8 * $(counted spin_hits)))
plan
