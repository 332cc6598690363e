# SPDX-License-Identifier: Apache-2.0
# stage0: the command vpod. Links base, the reading half of images, and cJSON; nothing else.
include stage0/kernel.inc.mk
include stage0/net/module.mk

STAGE0_OBJS := $(call objects,stage0,applog.c cmd.c cmd_cat_manifest.c cmd_doctor.c cmd_fetch.c \
	cmd_gc.c cmd_help.c cmd_image.c cmd_image_list.c cmd_list.c cmd_logs.c cmd_net.c cmd_prepare.c cmd_run.c \
	cmd_status.c cmd_stop.c cmd_vmm.c cmds.c config.c console.c control.c guest.c guest_conn.c \
	guest_send.c host.c httpd.c hv_kvm.c hv_qemu.c imageuser.c kvm_probe.c machine.c manifest.c \
	manifest_json.c metadata.c metadata_form.c pod.c podgc.c podinfo.c podrun.c podspec_put.c qemu.c \
	runcheck.c runmerge.c runopts.c scratch.c status.c streams.c supervise.c supervise_apps.c \
	supervise_metadata.c table.c timing.c tty.c uids.c uuidarg.c verdict.c vmm_config.c vmspec.c)

PROGRAMS += $(O)/vpod

$(O)/vpod: $(O)/stage0/main.o $(STAGE0_OBJS) $(NET_OBJS) $(KERNEL_OBJS) $(IMAGES_CORE_OBJS) $(BASE_OBJS)
	$(say) LD $@
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $^ $(BASE_LIBS)
