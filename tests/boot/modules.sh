# modules.sh: which modules of Debian's kernels the nested suite loads, and how
# to find what they depend on. Sourced by fetch-kernel, which keeps these and
# throws the rest of a kernel package away, and by make-initrd, which packs them.
#
# In Debian's kernels everything virtio is a module, so a guest's initramfs has
# to bring it. A name that a flavour has built in (or lacks) is passed over.
# crc32c_generic is asked for by name only at run time (a crypto algorithm of
# ext4's), so no dependency list knows it.

# shellcheck disable=SC2034  # used by those who source this file
guest_modules="virtio_pci virtio_mmio virtio_console virtio_rng virtio_blk
	virtio_net crc32c_generic ext4"

# The outer machine: its devices and root, and then what it has for Lodge.
# shellcheck disable=SC2034
outer_modules="virtio_pci virtio_console 9pnet_virtio 9p overlay
	kvm_amd tun vhost_net bridge loop dm_mod crc32c_generic ext4"

# module_files TREE NAME...: the files of these modules and of all they depend
# on, relative to TREE (a lib/modules/VERSION directory with a modules.dep),
# each once, in an order in which they can be loaded.
module_files() {
	local tree=$1
	shift
	# A line of modules.dep is "FILE: DEP DEP ...", the deepest one last. File
	# names may have '-' where module names have '_'.
	awk -v names="$*" '
		{
			file = substr($1, 1, length($1) - 1)
			name = file
			sub(/.*\//, "", name); sub(/\.ko.*/, "", name); gsub(/-/, "_", name)
			order[name] = ""
			for (i = NF; i > 1; i--)
				order[name] = order[name] $i "\n"
			order[name] = order[name] file
		}
		END {
			n = split(names, wanted)
			for (i = 1; i <= n; i++)
				if (wanted[i] in order) {
					m = split(order[wanted[i]], files, "\n")
					for (j = 1; j <= m; j++)
						if (!seen[files[j]]++)
							print files[j]
				}
		}' "$tree/modules.dep"
}
