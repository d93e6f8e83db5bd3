/* SPDX-License-Identifier: GPL-2.0-or-later */
/* image.c - kernels' images: what they are, how long, and what their compiler is told */

#include "guest/libcuda/image.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest/libcuda/say.h"
#include "guest/libcuda/staging.h"
#include "guest/libvgpu/cancel.h"

#define WRAPPER_MAGIC 0x466243b1u /* nvcc's structure in a program */
#define FATBIN_MAGIC 0xba55ed50u
#define ELF_MAGIC 0x464c457fu
#define IMAGE_MOST (UINT64_C(1) << 30) /* bytes */

struct wrapper {
	uint32_t magic, version;
	const void *data;
	void *unused;
};

struct fatbin {
	uint32_t magic;
	uint16_t version, header_bytes;
	uint64_t bytes; /* behind the header */
};

/* --- what it is --- */

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* Where an ELF file ends: behind its tables and its sections' bytes. 0: it makes no sense. */
static uint64_t elf_bytes(const uint8_t *data)
{
	Elf64_Ehdr head;
	uint64_t end;

	memcpy(&head, data, sizeof(head));
	if (head.e_ident[EI_CLASS] != ELFCLASS64 || head.e_shoff > IMAGE_MOST ||
	    head.e_phoff > IMAGE_MOST || head.e_shentsize < sizeof(Elf64_Shdr))
		return 0;
	end = larger(head.e_shoff + (uint64_t)head.e_shnum * head.e_shentsize,
		     head.e_phoff + (uint64_t)head.e_phnum * head.e_phentsize);
	for (unsigned i = 0; i < head.e_shnum; i++) {
		Elf64_Shdr section;

		memcpy(&section, data + head.e_shoff + (uint64_t)i * head.e_shentsize,
		       sizeof(section));
		if (section.sh_type == SHT_NOBITS)
			continue;
		if (section.sh_offset > IMAGE_MOST || section.sh_size > IMAGE_MOST)
			return 0;
		end = larger(end, section.sh_offset + section.sh_size);
	}
	return larger(end, sizeof(head));
}

/* Whether the bytes begin with that number. Looks at no byte behind the first that differs. */
static bool has_magic(const uint8_t *data, uint32_t magic)
{
	for (unsigned i = 0; i < 4; i++)
		if (data[i] != (uint8_t)(magic >> (8 * i)))
			return false;
	return true;
}

/* PTX begins with text: blanks, a comment, a directive. */
static bool is_text(const uint8_t *data)
{
	return ((*data >= '\t' && *data <= '\r') || (*data >= ' ' && *data < 0x7f)) &&
	       !has_magic(data, FATBIN_MAGIC);
}

static CUresult too_large(void)
{
	say("an image of 1 GiB or more is not loaded");
	return CUDA_ERROR_INVALID_IMAGE;
}

static CUresult measure_fatbin(struct image *image)
{
	struct fatbin fatbin;

	memcpy(&fatbin, image->data, sizeof(fatbin));
	if (fatbin.header_bytes < sizeof(fatbin))
		return CUDA_ERROR_INVALID_IMAGE;
	if (fatbin.bytes >= IMAGE_MOST)
		return too_large();
	image->bytes = fatbin.header_bytes + fatbin.bytes;
	return CUDA_SUCCESS;
}

static CUresult find_trailer(struct image *image)
{
	const uint8_t *at = (const uint8_t *)image->data + image->bytes;
	struct image_trailer trailer;

	memcpy(&trailer, at, sizeof(trailer));
	if (trailer.magic != IMAGE_TRAILER_MAGIC || trailer.option_num > VGPU_LOAD_OPTIONS_MOST)
		return CUDA_ERROR_INVALID_IMAGE;
	image->linked_with = at + sizeof(trailer);
	image->linked_with_num = trailer.option_num;
	return CUDA_SUCCESS;
}

uint64_t image_whole_bytes(const struct image *image)
{
	return image->linked_with == NULL
		       ? image->bytes
		       : image->bytes + sizeof(struct image_trailer) +
				 image->linked_with_num * sizeof(struct vgpu_load_option);
}

/* What cuLinkComplete made. */
static CUresult measure_bundle(struct image *image)
{
	const uint8_t *data = image->data;
	struct vgpu_bundle head;
	struct vgpu_bundle_part part;

	memcpy(&head, data, sizeof(head));
	if (head.part_num == 0 || head.part_num > VGPU_BUNDLE_PARTS_MOST)
		return CUDA_ERROR_INVALID_IMAGE;
	image->bytes = sizeof(head) + head.part_num * sizeof(part);
	for (uint32_t i = 0; i < head.part_num; i++) {
		memcpy(&part, data + sizeof(head) + i * sizeof(part), sizeof(part));
		if (part.bytes > IMAGE_MOST)
			return CUDA_ERROR_INVALID_IMAGE;
		image->bytes += image_padded(part.bytes);
	}
	return image->bytes > IMAGE_MOST ? CUDA_ERROR_INVALID_IMAGE : find_trailer(image);
}

CUresult image_measure(const void *data, struct image *image)
{
	if (!data)
		return CUDA_ERROR_INVALID_VALUE;
	*image = (struct image){ .data = data };
	if (is_text(data)) {
		image->bytes = strnlen(data, IMAGE_MOST) + 1;
		if (image->bytes > IMAGE_MOST)
			return too_large();
		/* Text that is no PTX: the directive that every module has is missing. */
		return strstr(data, ".version") ? CUDA_SUCCESS : CUDA_ERROR_INVALID_IMAGE;
	}
	if (has_magic(data, WRAPPER_MAGIC)) {
		struct wrapper wrapper;

		memcpy(&wrapper, data, sizeof(wrapper));
		if (!wrapper.data)
			return CUDA_ERROR_INVALID_IMAGE;
		image->data = wrapper.data;
	}
	if (has_magic(image->data, FATBIN_MAGIC))
		return measure_fatbin(image);
	if (has_magic(image->data, VGPU_BUNDLE_MAGIC))
		return measure_bundle(image);
	if (!has_magic(image->data, ELF_MAGIC))
		return CUDA_ERROR_INVALID_IMAGE;
	image->bytes = elf_bytes(image->data);
	return image->bytes == 0 || image->bytes > IMAGE_MOST ? CUDA_ERROR_INVALID_IMAGE
							      : CUDA_SUCCESS;
}

static CUresult read_all(int fd, uint8_t *to, uint64_t bytes)
{
	while (bytes > 0) {
		ssize_t n = read(fd, to, bytes);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return CUDA_ERROR_INVALID_IMAGE;
		to += n;
		bytes -= (uint64_t)n;
	}
	return CUDA_SUCCESS;
}

CUresult image_read(const char *path, struct image *image)
{
	CUresult result = CUDA_ERROR_INVALID_IMAGE;
	uint8_t *data = NULL;
	struct stat st;
	int fd;

	CANCEL_OFF();
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return CUDA_ERROR_FILE_NOT_FOUND;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size <= 0) {
		result = CUDA_ERROR_INVALID_IMAGE;
	} else if ((uint64_t)st.st_size >= IMAGE_MOST) {
		result = too_large();
	} else {
		/* With room for a header that a short file lacks, and for the NUL of a text. */
		data = calloc(1, (size_t)st.st_size + sizeof(Elf64_Ehdr) + 1);
		result = data ? read_all(fd, data, (uint64_t)st.st_size) : CUDA_ERROR_OUT_OF_MEMORY;
	}
	close(fd);
	if (result != CUDA_SUCCESS) {
		free(data);
		return result;
	}
	*image = (struct image){ .data = data, .bytes = (uint64_t)st.st_size };
	if (is_text(data))
		image->bytes++;
	return CUDA_SUCCESS;
}

/* --- what its compiler is told --- */

/* The logs that the program wants, and where; sizes are written back through `values`. */
struct logs {
	char *text[2]; /* errors, information */
	uint32_t bytes[2];
	void **size_at[2];
};

/* Options whose value is a number that the host's compiler gets. */
static bool is_number(CUjit_option name)
{
	return name <= 1 || (name >= 7 && name <= 14) || name == 16;
}

static bool read_options(const struct image_options *options, struct vgpu_load_option *out,
			 uint32_t *num, struct logs *logs)
{
	*num = 0;
	*logs = (struct logs){ 0 };
	if (!options || options->num == 0)
		return true;
	if (!options->names || !options->values)
		return false;
	for (unsigned i = 0; i < options->num; i++) {
		CUjit_option name = options->names[i];
		uint32_t number = (uint32_t)(uintptr_t)options->values[i];

		if (name == CU_JIT_ERROR_LOG_BUFFER || name == CU_JIT_INFO_LOG_BUFFER) {
			logs->text[name == CU_JIT_INFO_LOG_BUFFER] = options->values[i];
		} else if (name == CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES ||
			   name == CU_JIT_INFO_LOG_BUFFER_SIZE_BYTES) {
			int which = name == CU_JIT_INFO_LOG_BUFFER_SIZE_BYTES;

			logs->bytes[which] = number;
			logs->size_at[which] = &options->values[i];
		} else if (name == CU_JIT_WALL_TIME) {
			options->values[i] = NULL; /* a float of 0 ms: the host's time is its own */
		} else if (is_number(name) && *num < VGPU_LOAD_OPTIONS_MOST) {
			out[(*num)++] = (struct vgpu_load_option){ name, number };
		} else if (name > 64) {
			return false;
		}
	}
	return true;
}

bool image_host_options(const struct image_options *options,
			struct vgpu_load_option host_options[VGPU_LOAD_OPTIONS_MOST], uint32_t *num)
{
	struct logs logs;

	return read_options(options, host_options, num, &logs);
}

/* Copies a log to the program, with its NUL, cut where its buffer ends. */
static void give_log(struct logs *logs, int which, const char *text, uint32_t length)
{
	if (!logs->text[which] || logs->bytes[which] == 0)
		length = 0;
	else if (length >= logs->bytes[which])
		length = logs->bytes[which] - 1;
	if (logs->text[which] && logs->bytes[which] > 0) {
		memcpy(logs->text[which], text, length);
		logs->text[which][length] = '\0';
	}
	if (logs->size_at[which]) /* NOLINTNEXTLINE(performance-no-int-to-ptr) */
		*logs->size_at[which] = (void *)(uintptr_t)(length > 0 ? length + 1 : 0);
}

static void give_logs(struct logs *logs, const uint8_t *at, uint64_t room)
{
	uint32_t lengths[2];

	memcpy(lengths, at, sizeof(lengths));
	room -= sizeof(lengths);
	if (lengths[0] > room || lengths[1] > room - lengths[0])
		return;
	give_log(logs, 0, (const char *)at + sizeof(lengths), lengths[0]);
	give_log(logs, 1, (const char *)at + sizeof(lengths) + lengths[0], lengths[1]);
}

/* --- loading --- */

#define REASON_BYTES 512u /* of the error log, at least, so that a refusal can be told */
#define REASONS_MOST 8u	  /* that are told: a program that tries images shall not fill a log */

/* Return: characters of the first line, and not more than fit into a line of a log. */
static int line_length(const char *text, uint32_t length)
{
	const char *end = memchr(text, '\n', length);

	length = end ? (uint32_t)(end - text) : length;
	return length < REASON_BYTES ? (int)length : (int)REASON_BYTES;
}

/* Says why an image was refused, by the first line of the log, to a program that takes no log. */
static void say_reason(const struct logs *logs, const uint8_t *at, uint64_t room)
{
	static atomic_uint said;
	const char *text = (const char *)at + 2 * sizeof(uint32_t);
	uint32_t length;

	memcpy(&length, at, sizeof(length));
	if (logs->text[0] || length == 0 || length > room - 2 * sizeof(uint32_t) ||
	    atomic_fetch_add(&said, 1) >= REASONS_MOST)
		return;
	say("a module is refused: %.*s", line_length(text, length), text);
}

/* Memory of the window for an image and the logs behind it: staging, or pieces. */
struct place {
	struct staging staging;
	uint64_t at, bytes;
	bool staged;
};

static CUresult take_place(uint64_t bytes, struct place *place)
{
	enum vgpu_end end = VGPU_END_WINDOW_FULL;

	place->bytes = bytes;
	if (bytes > STAGING_SMALL)
		end = vgpu_pieces_take(core_vgpu(), bytes, &place->at);
	/* Where pinned memory fills the window it goes by what copies go by. */
	place->staged = end == VGPU_END_WINDOW_FULL;
	if (place->staged) {
		end = bytes <= STAGING_SMALL
			      ? staging_take_small(core_vgpu(), &place->staging)
			      : staging_take_run(core_vgpu(), bytes, &place->staging);
		place->at = place->staging.at;
	}
	return core_end(end);
}

static void give_place(const struct place *place)
{
	if (place->staged)
		staging_give(core_vgpu(), &place->staging);
	else if (vgpu_ended(core_vgpu()) == VGPU_END_NONE)
		vgpu_pieces_give(core_vgpu(), place->at, place->bytes);
}

CUresult image_load(const struct image *image, const struct image_options *options, uint32_t module,
		    uint32_t *functions)
{
	struct vgpu_load_option host_options[VGPU_LOAD_OPTIONS_MOST];
	struct vgpu_cmd_module_load args = { .bytes = image->bytes, .module = module };
	struct vgpu_order order = { CORE_ORDER(MODULE_LOAD, args), .tail = host_options };
	struct vgpu_reply reply;
	struct place place;
	struct logs logs;
	uint64_t log_at = (image->bytes + 15) & ~UINT64_C(15);
	uint32_t num;
	CUresult result;

	if (!read_options(options, host_options, &num, &logs))
		return CUDA_ERROR_INVALID_VALUE;
	if (image->linked_with) {
		num = image->linked_with_num;
		memcpy(host_options, image->linked_with, num * sizeof(host_options[0]));
	}
	args.log_bytes = 2 * sizeof(uint32_t) + (uint64_t)logs.bytes[0] + logs.bytes[1];
	if (logs.bytes[0] == 0)
		args.log_bytes += REASON_BYTES;
	if (args.log_bytes > VGPU_PIECE) /* no compiler writes so much */
		args.log_bytes = VGPU_PIECE;
	result = take_place(log_at + args.log_bytes, &place);
	if (result != CUDA_SUCCESS)
		return result;
	args.at = place.at;
	args.log_at = place.at + log_at;
	order.tail_bytes = num * (uint32_t)sizeof(host_options[0]);
	memcpy(vgpu_window_address(core_vgpu(), args.at), image->data, image->bytes);
	memset(vgpu_window_address(core_vgpu(), args.log_at), 0, 2 * sizeof(uint32_t));
	result = core_call(&order, &reply);
	if (vgpu_ended(core_vgpu()) == VGPU_END_NONE) {
		give_logs(&logs, vgpu_window_address(core_vgpu(), args.log_at), args.log_bytes);
		if (result != CUDA_SUCCESS)
			say_reason(&logs, vgpu_window_address(core_vgpu(), args.log_at),
				   args.log_bytes);
	}
	give_place(&place);
	*functions = (uint32_t)reply.value[0];
	return result;
}
