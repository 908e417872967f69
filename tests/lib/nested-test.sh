# nested-test.sh: the part of the nested suite's .t files that all share. Sourced by
# tests/boot/*.t.
#
#     . "$(dirname "$0")/../lib/nested-test.sh"
#     nested_test JOB FLAVOUR...
#     nested_arm64_test 2|3 JOB...
#
# The first sees that everything is there that the job tests/boot/jobs/JOB needs, with
# the kernels FLAVOUR..., runs it with the words of $job_arguments, for at most $job_bound
# seconds (600), and passes its TAP on. The second does the same for several jobs in
# one arm64 machine, with a GIC of that version.

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
	# shellcheck disable=SC2086  # a list of words
	exec "$here/../lib/nested" --timeout "${job_bound:-600}" --tap "$here/jobs/$job" \
		${job_arguments:-}
}

arm64_prepare() {
	local kernel=build/kernels/arm64-cloud-6.1/vmlinuz zipped=build/nested/arm64-cloud-6.1.gz
	needs qemu-system-aarch64 qemu-system-arm
	needs aarch64-linux-gnu-gcc gcc-aarch64-linux-gnu
	needs cpio cpio
	cd "$here/../.."
	{
		"$here/arm64-root"
		"$here/fetch-kernel" arm64-generic-6.1 arm64-cloud-6.1 arm64-cloud-6.12
		"$here/make-initrd" arm64-cloud-6.1 arm64-cloud-6.12
		if ! [ "$zipped" -nt "$kernel" ]; then
			gzip -1 <"$kernel" >"$zipped.$$"
			mv "$zipped.$$" "$zipped"
		fi
		flock build/arm64/.make make --no-print-directory -s arm64
	} 2>&1 | sed 's/^/# /'
}

nested_arm64_test() {
	local gic=$1
	shift
	arm64_prepare
	LODGE=$PWD/build/arm64/lodge exec tests/lib/nested --arch arm64 --gic "$gic" --timeout 900 --tap \
		"$here/jobs/several" "$@"
}
