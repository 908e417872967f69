# nested-test.sh: the part of the nested suite's .t files that all share. Sourced by
# tests/boot/*.t.
#
#     . "$(dirname "$0")/../lib/nested-test.sh"
#     nested_test JOB FLAVOUR...
#
# sees that everything is there that the job tests/boot/jobs/JOB needs, with
# the kernels FLAVOUR..., runs it, and passes its TAP on.

set -eu

here=$(cd "$(dirname "$0")" && pwd)

skip() {
	echo "1..0 # SKIP $*"
	exit 0
}

# needs PROGRAM PACKAGE
needs() {
	PATH=$PATH:/usr/sbin:/sbin command -v "$1" >/dev/null || skip "no $1 (package $2)"
}

nested_test() {
	local job=$1
	shift
	case $("$here/../lib/nested" --which) in
	nested:*)
		needs qemu-system-x86_64 qemu-system-x86
		set -- generic-6.1 "$@"
		;;
	esac
	needs busybox busybox-static
	needs cpio cpio
	"$here/fetch-kernel" "$@" 2>&1 | sed 's/^/# /'
	"$here/make-initrd" "$@" 2>&1 | sed 's/^/# /'
	exec "$here/../lib/nested" --tap "$here/jobs/$job"
}
