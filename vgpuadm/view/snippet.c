/* SPDX-License-Identifier: GPL-2.0-or-later */
/* snippet.c - what to put into a VM's definition so that it gets the device */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vgpuadm/view/shape.h"
#include "vgpuadm/view/view_private.h"

/*
 * The remarks come as comments of the file that the text goes into, so that it can be pasted whole.
 * A path goes through two writings: QEMU's own, where a comma is doubled, and that of the file.
 */

#define CHARDEV "vg0"

struct snippet {
	FILE *out;
	const char *vm;
	const char *socket;
	bool listens; /* QEMU does, and vgpud connects */
};

/* ---- writings ---- */

static void put_plain(FILE *out, char c)
{
	fputc(c, out);
}

/* Within '...' of XML. */
static void put_xml(FILE *out, char c)
{
	switch (c) {
	case '&':
		fputs("&amp;", out);
		break;
	case '<':
		fputs("&lt;", out);
		break;
	case '\'':
		fputs("&apos;", out);
		break;
	default:
		fputc(c, out);
	}
}

/* Within '...' of a POSIX shell, and of what splits words like one. */
static void put_shell(FILE *out, char c)
{
	if (c == '\'')
		fputs("'\\''", out);
	else
		fputc(c, out);
}

/* Within "..." of xl.cfg. */
static void put_xl(FILE *out, char c)
{
	if (c == '"' || c == '\\')
		fputc('\\', out);
	fputc(c, out);
}

/* The value of -chardev. */
static void put_chardev(const struct snippet *s, void (*put)(FILE *out, char c))
{
	for (const char *c = "socket,id=" CHARDEV ",path="; *c; c++)
		put(s->out, *c);
	for (const char *c = s->socket; *c; c++) {
		put(s->out, *c);
		if (*c == ',')
			put(s->out, *c);
	}
	for (const char *c = s->listens ? ",server=on,wait=off" : ",reconnect=1"; *c; c++)
		put(s->out, *c);
}

static bool needs_quotes(const char *text)
{
	return strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
			    "/._-+:@%,") != strlen(text);
}

/* The options as one line for a shell, or for what reads words as one does. */
static void put_options(const struct snippet *s)
{
	const char *quote = needs_quotes(s->socket) ? "'" : "";

	fprintf(s->out, "-chardev %s", quote);
	put_chardev(s, *quote ? put_shell : put_plain);
	fprintf(s->out, "%s -device vgpu-stub,chardev=" CHARDEV, quote);
}

/* ---- remarks ---- */

/* A name within a comment: no line may end in it, and in XML no "--" may stand. */
static void put_quietly(const struct snippet *s, const char *prefix, const char *text)
{
	fputs(prefix, s->out);
	for (; *text; text++) {
		fputc(*text == '\n' ? '?' : *text, s->out);
		if (*text == '-' && text[1] == '-')
			fputc(' ', s->out);
	}
}

static void remark_socket(const struct snippet *s, const char *prefix)
{
	if (s->listens) {
		fputs(prefix, s->out);
		put_quietly(s, "QEMU listens at ", s->socket);
		fprintf(s->out,
			"\n"
			"%sand vgpud connects to it: that is the path as the host sees it. A QEMU in a chroot\n"
			"%stakes the path as it sees it from there. vgpud needs the right to connect to it.\n",
			prefix, prefix);
		return;
	}
	fprintf(s->out,
		"%sThe socket has mode 0660: QEMU's user must be root or in its group; see\n"
		"%s",
		prefix, prefix);
	put_quietly(s, "ls -l ", s->socket);
	fprintf(s->out,
		"\n"
		"%sreconnect=1 lets QEMU find vgpud again after it restarted. From QEMU 9.2 on it is\n"
		"%scalled reconnect-ms=1000, and 10.2 knows only that.\n",
		prefix, prefix);
}

static void remark_confinement(const struct snippet *s, const char *prefix)
{
	fprintf(s->out,
		"%sAppArmor: if the log shows DENIED for the socket, put this line into\n"
		"%s/etc/apparmor.d/local/abstractions/libvirt-qemu and start the VM anew:\n"
		"%s",
		prefix, prefix, prefix);
	put_quietly(s, "    ", s->socket);
	fprintf(s->out,
		" rw,\n"
		"%sSELinux: ausearch -m avc -ts recent shows a denial; audit2allow -M vgpu makes a rule.\n",
		prefix);
}

/* ---- the hypervisors ---- */

static void snippet_qemu(const struct snippet *s)
{
	put_quietly(s, "# ", s->vm);
	fputs(": add these options to the command line of a QEMU that has vgpu-stub.\n", s->out);
	remark_socket(s, "# ");
	put_options(s);
	fputc('\n', s->out);
}

static void snippet_libvirt(const struct snippet *s)
{
	put_quietly(s, "<!-- ", s->vm);
	fputs(": virsh edit, and put this directly into <domain>. Its <emulator> must be a QEMU\n"
	      "     that has vgpu-stub. Without the namespace libvirt drops it silently.\n",
	      s->out);
	remark_socket(s, "     ");
	remark_confinement(s, "     ");
	fputs("-->\n"
	      "<qemu:commandline xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>\n"
	      "  <qemu:arg value='-chardev'/>\n"
	      "  <qemu:arg value='",
	      s->out);
	put_chardev(s, put_xml);
	fputs("'/>\n"
	      "  <qemu:arg value='-device'/>\n"
	      "  <qemu:arg value='vgpu-stub,chardev=" CHARDEV "'/>\n"
	      "</qemu:commandline>\n",
	      s->out);
}

static void snippet_proxmox(const struct snippet *s)
{
	put_quietly(s, "# ", s->vm);
	fputs(": put this into /etc/pve/qemu-server/ID.conf, where ID is the VM's number (lines with #\n"
	      "# become its notes), then stop and start the VM. Only root may set args. If the file has\n"
	      "# a line of args already, put the options behind what is there.\n"
	      "# The node's QEMU (/usr/bin/kvm) must have vgpu-stub.\n",
	      s->out);
	remark_socket(s, "# ");
	fputs("args: ", s->out);
	put_options(s);
	fputc('\n', s->out);
}

static void snippet_xl(const struct snippet *s)
{
	put_quietly(s, "# ", s->vm);
	fputs(": put this into the domain's xl configuration (type = \"hvm\").\n"
	      "# device_model_override names the QEMU, which must have vgpu-stub and Xen's support.\n"
	      "# XenServer and XCP-ng keep QEMU in a chroot, where it cannot reach vgpud's socket: there\n"
	      "# QEMU listens and vgpud connects (vgpuadm add-vm NAME --connect PATH).\n",
	      s->out);
	remark_socket(s, "# ");
	fputs("device_model_override = \"/usr/local/bin/qemu-system-x86_64\"\n"
	      "device_model_args_hvm = [\n"
	      "    \"-chardev\", \"",
	      s->out);
	put_chardev(s, put_xl);
	fputs("\",\n"
	      "    \"-device\", \"vgpu-stub,chardev=" CHARDEV "\",\n"
	      "]\n",
	      s->out);
}

static const struct {
	const char *name;
	void (*write)(const struct snippet *snippet);
} hypervisors[] = {
	{ "qemu", snippet_qemu },
	{ "libvirt", snippet_libvirt },
	{ "proxmox", snippet_proxmox },
	{ "xl", snippet_xl },
};

static char *make(const char *hypervisor, const json_t *vm)
{
	struct snippet snippet = {
		.vm = field_string(vm, "vm"),
		.socket = field_string(vm, "socket"),
		.listens = strcmp(field_string(vm, "socket_mode"), "connect") == 0,
	};
	char *text = NULL;
	size_t size;

	snippet.out = open_memstream(&text, &size);
	if (!snippet.out)
		return NULL;
	for (size_t i = 0; i < sizeof(hypervisors) / sizeof(hypervisors[0]); i++)
		if (strcmp(hypervisors[i].name, hypervisor) == 0)
			hypervisors[i].write(&snippet);
	fclose(snippet.out);
	return text;
}

int view_snippet(struct view *view, struct fail *fail)
{
	struct output_shape shape = view_shape(ADMIN_CMD_SNIPPET, &view->args);
	const char *hypervisor = pattern_value(&view->args, "hypervisor");
	json_t *vm = view_vm(view, pattern_value(&view->args, "vm"), fail), *rows;
	char *text;

	if (!vm)
		return fail->status;
	text = make(hypervisor, vm);
	rows = json_pack("[{s:s, s:s, s:s}]", "hypervisor", hypervisor, "vm",
			 field_string(vm, "vm"), "text", text ? text : "");
	view_write(view, &shape, rows, NULL, fail);
	json_decref(rows);
	json_decref(vm);
	free(text);
	return fail->status;
}
