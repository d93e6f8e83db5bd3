/* SPDX-License-Identifier: GPL-2.0-or-later */
/* thread.c - threads of the library's own in the program's process */

#include "guest/libcuda/thread.h"

#include <pthread.h>
#include <signal.h>

bool thread_start(void *(*run)(void *unused))
{
	static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL };
	sigset_t most, before;
	pthread_t thread;
	int err;

	sigfillset(&most);
	for (unsigned i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		sigdelset(&most, faults[i]);
	pthread_sigmask(SIG_SETMASK, &most, &before);
	err = pthread_create(&thread, NULL, run, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (err == 0)
		pthread_detach(thread);
	return err == 0;
}
