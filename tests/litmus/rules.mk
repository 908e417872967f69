# rules.mk: the litmus programs, included by the Makefile: one with the virtqueue
# as it is, and one for each of its fences, from a copy without that fence.

.PHONY: litmus
litmus: build/litmus/intact build/litmus/no-publish-fence build/litmus/no-enable-fence

# The fence in FUNCTION, and only that, is left out.
without_fence = awk '/^[a-z].*$(1)\(/ { in_it = 1 } /^}/ { in_it = 0 } \
	in_it && /atomic_thread_fence/ { found++; next } { print } END { exit found != 1 }' $< >$@

build/litmus/no-publish-fence.c: devices/virtqueue.c
	@mkdir -p $(@D)
	@$(call without_fence,virtqueue_publish)

build/litmus/no-enable-fence.c: devices/virtqueue.c
	@mkdir -p $(@D)
	@$(call without_fence,virtqueue_enable_kicks)

build/litmus/%: tests/litmus/litmus.c build/litmus/%.c launcher/memory.c
	@echo "  LINK  $@"
	@$(CC) $(ALL_CFLAGS) -o $@ $^

build/litmus/intact: tests/litmus/litmus.c devices/virtqueue.c launcher/memory.c
	@mkdir -p $(@D)
	@echo "  LINK  $@"
	@$(CC) $(ALL_CFLAGS) -o $@ $^
