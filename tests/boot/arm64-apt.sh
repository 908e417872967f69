# arm64-apt.sh: Debian's arm64 archive, from a machine of any architecture, with package
# lists and a status of its own, so that nothing of the machine's is touched. Sourced
# by fetch-kernel and arm64-root.
#
#     arm64_apt COMMAND ARG...     run apt-get or apt-cache as if this were an arm64
#
# It knows the machine's sources, and fetches their arm64 lists the first time.

# The lines below are for scripts that set `here`, as those in tests/boot do.
arm64=$(cd "${here:?}/../.." && pwd)/build/arm64
mkdir -p "$arm64/apt/state/lists/partial" "$arm64/apt/cache/archives/partial"

arm64_apt() {
	if ! [ -e "$arm64/apt/conf" ]; then
		: >"$arm64/apt/state/status"
		cat >"$arm64/apt/conf.new" <<-END
			APT::Architecture "arm64";
			APT::Architectures { "arm64"; };
			APT::Sandbox::User "root";
			APT::Install-Recommends "false";
			Dir::State "$arm64/apt/state";
			Dir::State::status "$arm64/apt/state/status";
			Dir::Cache "$arm64/apt/cache";
		END
		APT_CONFIG=$arm64/apt/conf.new apt-get -q update >&2
		mv "$arm64/apt/conf.new" "$arm64/apt/conf"
	fi
	APT_CONFIG=$arm64/apt/conf "$@"
}
