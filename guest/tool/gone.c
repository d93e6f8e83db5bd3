/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gone.c - a device that is unplugged while it is mapped */

#include "guest/tool/gone.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "guest/tool/exit_code.h"

static char message[96];
static size_t message_len;

/* Only what a signal's handler may call. */
static void on_bus_error(int signal_number)
{
	(void)signal_number;
	if (write(STDERR_FILENO, message, message_len) < 0)
		_exit(EXIT_CODE_NO_DEVICE);
	_exit(EXIT_CODE_NO_DEVICE);
}

void gone_catch(const char *program)
{
	const struct sigaction action = { .sa_handler = on_bus_error };

	snprintf(message, sizeof(message), "%s: the device is gone: it was unplugged\n", program);
	message_len = strlen(message);
	sigaction(SIGBUS, &action, NULL);
}
