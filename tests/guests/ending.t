#!/bin/bash
# ending.t: each way to end has its exit status and its one line on standard
# error; a power-off has none.
. "$(dirname "$0")/suite.sh"

# ends HOW STATUS REGEX ARGS...
ends() {
	local how=$1 want=$2 regex=$3
	shift 3
	lodge "$@" "$guests/ending.elf" end=$how </dev/null
	is "$status" "$want" "$how: exit status $want"
	if [ -z "$regex" ]; then
		is "$(<"$T/err")" "" "$how: nothing to say"
	else
		is "$(wc -l <"$T/err")" 1 "$how: one line on standard error"
		like "$(<"$T/err")" "^lodge: .*$regex" "$how: which says so"
	fi
	is "$(grep -c 'still running' "$T/out")" 0 "$how: the guest is gone"
}
ends poweroff 0 ''
ends i8042 3 'reset|reset'
ends reset-register 3 'reset|reset'
ends triple-fault 4 'triple fault'
ends panic 4 'panic'
ends vcpu1 4 'triple fault' -c 2
ends not-emulated 5 'vCPU 0.*rip 0x[0-9a-f]+.*f0 48 0f c7 0f'

# signalled SIGNAL STATUS HOW: while the vCPU halts, or runs and never exits.
signalled() {
	local signal=$1 want=$2 how=$3
	start "$guests/ending.elf" end=$how </dev/null
	kill -$signal $pid
	finish
	is "$status" "$want" "SIG$signal while the guest is in $how: exit status $want"
	is "$(wc -l <"$T/err")" 1 "SIG$signal, $how: one line on standard error"
	like "$(<"$T/err")" "^lodge: .*SIG$signal" "SIG$signal, $how: which says so"
}
signalled TERM 143 wait
signalled TERM 143 spin
signalled INT 130 wait
signalled INT 130 spin
signalled HUP 129 wait

# refused STATUS REGEX NAME ARGS...: ends before any guest runs.
refused() {
	local want=$1 regex=$2 name=$3
	shift 3
	lodge "$@" </dev/null
	is "$status" "$want" "$name: exit status $want"
	like "$(<"$T/err")" "$regex" "$name: standard error names it"
	is "$(<"$T/out")" "" "$name: nothing on standard output"
}
k=$guests/ending.elf
head -c 100000 /dev/urandom >"$T/noise"
: >"$T/nothing"
truncate -s 100M "$T/large"
refused 1 no-such-file "missing kernel" "$T/no-such-file"
refused 1 noise "kernel of noise" "$T/noise"
refused 1 nothing "empty kernel" "$T/nothing"
refused 1 "$T" "a directory as the kernel" "$T"
refused 1 no-such-file "missing initrd" -i "$T/no-such-file" "$k"
refused 1 no-such-file "missing disk" -d "$T/no-such-file" "$k"
refused 1 nothing "empty initrd" -i "$T/nothing" "$k"
refused 1 large "initrd larger than memory" -m 64M -i "$T/large" "$k"
refused 2 frobnicate "unknown option" --frobnicate "$k"
refused 2 'K' "no kernel"
refused 2 12Q "malformed size" -m 12Q "$k"
refused 2 banana "malformed number of CPUs" -c banana "$k"
refused 2 '0' "no CPUs" -c 0 "$k"
refused 2 1000 "too many CPUs" -c 1000 "$k"
refused 2 quick "unknown part of a disk option" -d "$T/noise,quick" "$k"
refused 2 zz "malformed MAC address" -n tap,mac=zz "$k"
refused 2 carrier "unknown network backend" -n carrier "$k"
refused 2 isa "unknown transport" --transport isa "$k"
refused 2 lpt "unknown console" --console lpt "$k"
plan
