/* SPDX-License-Identifier: GPL-2.0-or-later */
/* snippet.c - the text that gives a VM's definition the device */

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/cmd/qemu_options.h"
#include "vgpuadm/view/qemu.h"
#include "vgpuadm/view/shape.h"
#include "vgpuadm/view/view_private.h"

/*
 * Remarks are written as comments of the target file, so that the whole text can be pasted. A path
 * is escaped twice: for QEMU (qemu_options.h), then for the file.
 */

struct snippet {
	FILE *out;
	const char *vm;
	const char *socket;
	const char *owner; /* user or group that may connect to the socket; "": none is set */
	bool listens;	   /* QEMU listens, and vgpud connects */
	bool programs;	   /* the VM may run CUDA programs: its device gets a window */
	bool reconnect_ms; /* QEMU is known to take reconnect-ms */
	char chardev[QEMU_OPTIONS_SIZE];
};

/* ---- escaping ---- */

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

/* Within '...' of a POSIX shell, or of a program that splits words like one. */
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

static void put_chardev(const struct snippet *s, void (*put)(FILE *out, char c))
{
	for (const char *c = s->chardev; *c; c++)
		put(s->out, *c);
}

static bool needs_quotes(const char *text)
{
	return strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
			    "/._-+:@%,=") != strlen(text);
}

/* What the device has to say of its window. */
static const char *window(const struct snippet *s)
{
	return s->programs ? QEMU_OPTIONS_WINDOW : "";
}

/* Writes the options as one line of shell words. slot: appended to -device. */
static void put_options(const struct snippet *s, const char *slot)
{
	const char *quote = needs_quotes(s->chardev) ? "'" : "";

	if (s->programs)
		fputs("-object " QEMU_OPTIONS_MEMORY " ", s->out);
	fprintf(s->out, "-chardev %s", quote);
	put_chardev(s, *quote ? put_shell : put_plain);
	fprintf(s->out, "%s -device " QEMU_OPTIONS_DEVICE "%s%s", quote, window(s), slot);
}

/* ---- remarks ---- */

/* Writes a name within a comment: without line ends, and in XML without "--". */
static void put_quietly(const struct snippet *s, const char *prefix, const char *text)
{
	fputs(prefix, s->out);
	for (; *text; text++) {
		fputc(*text == '\n' ? '?' : *text, s->out);
		if (*text == '-' && text[1] == '-')
			fputc(' ', s->out);
	}
}

/* The user that the hypervisor runs its QEMUs as on this host. */
static const char *qemu_user(void)
{
	static const char *const users[] = { "libvirt-qemu", "qemu" };

	for (size_t i = 0; i < sizeof(users) / sizeof(users[0]); i++)
		if (getpwnam(users[i]) != NULL)
			return users[i];
	return "QEMUS-USER";
}

/* Tells who may connect to the socket, and how to let QEMU connect. */
static void remark_who(const struct snippet *s, const char *prefix)
{
	const struct group *group = NULL;
	struct stat st;

	if (s->owner[0] != '\0') {
		fputs(prefix, s->out);
		put_quietly(s, "vgpud lets the owner of this socket connect: ", s->owner);
		fputs(".\n", s->out);
		return;
	}
	if (stat(s->socket, &st) == 0 && st.st_gid != 0)
		group = getgrgid(st.st_gid);
	fprintf(s->out, "%sQEMU must be let into the socket, unless it runs as root:\n%s    ",
		prefix, prefix);
	put_quietly(s, "vgpuadm set-owner ", s->vm);
	fprintf(s->out, " %s\n", qemu_user());
	if (group != NULL)
		fprintf(s->out,
			"%sor, which lets it into the sockets of all VMs, and from its next start on:\n"
			"%s    usermod -aG %s %s\n",
			prefix, prefix, group->gr_name, qemu_user());
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
	remark_who(s, prefix);
	if (s->reconnect_ms)
		fprintf(s->out, "%sreconnect-ms lets QEMU find vgpud again after it restarted.\n",
			prefix);
	else
		fprintf(s->out,
			"%sreconnect=1 lets QEMU find vgpud again after it restarted. From QEMU 9.2 on it is\n"
			"%scalled reconnect-ms=1000, and 10.2 knows only that (vgpuadm help snippet).\n",
			prefix, prefix);
}

/* The window: what it costs, and what some hosts and machines need besides. */
static void remark_window(const struct snippet *s, const char *prefix)
{
	if (!s->programs) {
		fputs(prefix, s->out);
		put_quietly(s, "For CUDA programs of the guest: vgpuadm set-programs ", s->vm);
		fprintf(s->out, " on; then this prints a window, too.\n");
		return;
	}
	fprintf(s->out,
		"%sThe window, for CUDA programs, takes size= of the host's memory besides the VM's own: a\n"
		"%spower of two, 16M to 4G. Raise the VM's limit of memory by as much, if it has one.\n"
		"%sHuge pages: put hugetlb=on,hugetlbsize=2M behind prealloc=on. NUMA: host-nodes=N,policy=bind\n"
		"%swith the node of the GPU (cat /sys/bus/pci/devices/SLOT/numa_node).\n"
		"%sTo plug the device in later, its root port needs pref64-reserve=2G from the start:\n"
		"%stwice the window. SELinux must let vgpud and its workers map QEMU's memory (memfd).\n",
		prefix, prefix, prefix, prefix, prefix, prefix);
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
	remark_window(s, "# ");
	put_options(s, QEMU_OPTIONS_SLOT);
	fputc('\n', s->out);
}

static void snippet_libvirt(const struct snippet *s)
{
	put_quietly(s, "<!-- ", s->vm);
	fputs(": virsh edit, and put this directly into <domain>. Its <emulator> must be a QEMU\n"
	      "     that has vgpu-stub. Without the namespace libvirt drops it silently.\n",
	      s->out);
	remark_socket(s, "     ");
	remark_window(s, "     ");
	remark_confinement(s, "     ");
	fputs("-->\n"
	      "<qemu:commandline xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>\n",
	      s->out);
	if (s->programs)
		fputs("  <qemu:arg value='-object'/>\n"
		      "  <qemu:arg value='" QEMU_OPTIONS_MEMORY "'/>\n",
		      s->out);
	fputs("  <qemu:arg value='-chardev'/>\n"
	      "  <qemu:arg value='",
	      s->out);
	put_chardev(s, put_xml);
	fprintf(s->out,
		"'/>\n"
		"  <qemu:arg value='-device'/>\n"
		"  <qemu:arg value='" QEMU_OPTIONS_DEVICE "%s" QEMU_OPTIONS_SLOT "'/>\n"
		"</qemu:commandline>\n",
		window(s));
}

/*
 * The last of the slots that Proxmox keeps for a display, on the bus that its machines of both
 * kinds have.
 */
#define PROXMOX_SLOT ",bus=pci.0,addr=0x1a"

static void snippet_proxmox(const struct snippet *s)
{
	put_quietly(s, "# ", s->vm);
	fputs(": put this into /etc/pve/qemu-server/ID.conf, where ID is the VM's number (lines with #\n"
	      "# become its notes), then stop and start the VM. Only root may set args. If the file has\n"
	      "# a line of args already, put the options behind what is there.\n"
	      "# The node's QEMU (/usr/bin/kvm) must have vgpu-stub.\n",
	      s->out);
	remark_socket(s, "# ");
	remark_window(s, "# ");
	fputs("args: ", s->out);
	put_options(s, PROXMOX_SLOT);
	fputc('\n', s->out);
}

static void snippet_xl(const struct snippet *s)
{
	put_quietly(s, "# ", s->vm);
	fputs(": put this into the domain's xl configuration (type = \"hvm\").\n"
	      "# device_model_override names the QEMU, which must have vgpu-stub and Xen's support.\n"
	      "# XenServer and XCP-ng keep QEMU in a chroot, where it cannot reach vgpud's socket: there\n"
	      "# QEMU listens and vgpud connects (vgpuadm add-vm NAME --connect PATH).\n"
	      "# Under Xen the device has no window: its guests send requests, and run no CUDA programs.\n",
	      s->out);
	remark_socket(s, "# ");
	fputs("device_model_override = \"/usr/local/bin/qemu-system-x86_64\"\n"
	      "device_model_args_hvm = [\n"
	      "    \"-chardev\", \"",
	      s->out);
	put_chardev(s, put_xl);
	fputs("\",\n"
	      "    \"-device\", \"" QEMU_OPTIONS_DEVICE QEMU_OPTIONS_SLOT "\",\n"
	      "]\n",
	      s->out);
}

/* Each with the QEMU that it runs by default. */
static const struct {
	const char *name;
	void (*write)(const struct snippet *snippet);
	const char *qemu;
} hypervisors[] = {
	{ "qemu", snippet_qemu, QEMU_DEFAULT },
	{ "libvirt", snippet_libvirt, QEMU_DEFAULT },
	{ "proxmox", snippet_proxmox, "/usr/bin/kvm" },
	{ "xl", snippet_xl, "/usr/local/bin/qemu-system-x86_64" },
};

/* qemu: NULL: the one that the hypervisor runs by default, if this host has it. */
static char *make(const char *hypervisor, const json_t *vm, const char *qemu)
{
	struct snippet snippet = {
		.vm = field_string(vm, "vm"),
		.socket = field_string(vm, "socket"),
		.owner = field_string(vm, "owner"),
		.listens = strcmp(field_string(vm, "socket_mode"), "connect") == 0,
		.programs = json_is_true(json_object_get(vm, "programs")),
	};
	char *text = NULL;
	size_t size;

	for (size_t i = 0; i < sizeof(hypervisors) / sizeof(hypervisors[0]) && !qemu; i++)
		if (strcmp(hypervisors[i].name, hypervisor) == 0)
			qemu = hypervisors[i].qemu;
	snippet.reconnect_ms = !snippet.listens && qemu_wants_reconnect_ms(qemu);
	qemu_options_chardev(snippet.chardev, sizeof(snippet.chardev), snippet.socket,
			     snippet.listens, snippet.reconnect_ms);
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
	const char *qemu = pattern_value(&view->args, "qemu");
	json_t *vm, *rows;
	char *text, head[2];

	if (view_choose_columns(view, &shape, fail) != 0)
		return fail->status;
	/* A mistyped path must not pass for an old QEMU. */
	if (qemu && qemu_ask(qemu, "-version", NULL, "", head, sizeof(head)) == QEMU_NOT_STARTED)
		return fail_set(fail, ADMIN_ERROR_REFUSED,
				"snippet: --qemu: %s: %s; name the QEMU that runs the VM", qemu,
				strerror(errno));
	vm = view_vm(view, pattern_value(&view->args, "vm"), fail);
	if (!vm)
		return fail->status;
	if (json_is_true(json_object_get(vm, "local"))) {
		fail_set(
			fail, ADMIN_ERROR_REFUSED,
			"%s: a local tenant has no VM: its programs run on this host with VGPU_SOCKET=%s (docs/cuda.md)",
			field_string(vm, "vm"), field_string(vm, "socket"));
		json_decref(vm);
		return fail->status;
	}
	text = make(hypervisor, vm, qemu);
	rows = json_pack("[{s:s, s:s, s:s}]", "hypervisor", hypervisor, "vm",
			 field_string(vm, "vm"), "text", text ? text : "");
	view_write(view, &shape, rows, NULL, fail);
	json_decref(rows);
	json_decref(vm);
	free(text);
	return fail->status;
}
