# rules.mk: the litmus programs, included by the Makefile: one with the virtqueue
# as it is, and one for each of its fences, from a copy without that fence.

litmus_pause_x86_64 := __builtin_ia32_pause()
litmus_pause_arm64 := __asm__ volatile("yield")
LITMUS_CFLAGS = $(ALL_CFLAGS) '-DPAUSE=$(litmus_pause_$(ARCH))'

.PHONY: litmus
litmus: $(BUILD)/litmus/intact $(BUILD)/litmus/no-publish-fence $(BUILD)/litmus/no-enable-fence

# The fence in FUNCTION, and only that, is left out.
without_fence = awk '/^[a-z].*$(1)\(/ { in_it = 1 } /^}/ { in_it = 0 } \
	in_it && /atomic_thread_fence/ { found++; next } { print } END { exit found != 1 }' $< >$@

$(BUILD)/litmus/no-publish-fence.c: devices/virtqueue.c
	@mkdir -p $(@D)
	@$(call without_fence,virtqueue_publish)

$(BUILD)/litmus/no-enable-fence.c: devices/virtqueue.c
	@mkdir -p $(@D)
	@$(call without_fence,virtqueue_enable_kicks)

$(BUILD)/litmus/%: tests/litmus/litmus.c $(BUILD)/litmus/%.c launcher/memory.c
	@echo "  LINK  $@"
	@$(CC) $(LITMUS_CFLAGS) -o $@ $^

$(BUILD)/litmus/intact: tests/litmus/litmus.c devices/virtqueue.c launcher/memory.c
	@mkdir -p $(@D)
	@echo "  LINK  $@"
	@$(CC) $(LITMUS_CFLAGS) -o $@ $^
