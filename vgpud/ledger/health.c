/* SPDX-License-Identifier: GPL-2.0-or-later */
/* health.c - how the ledger is: the writer says it, the loop thread asks */

#include "vgpud/ledger/health.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void ledger_health_open(struct ledger_health *health)
{
	*health = (struct ledger_health){ .state = LEDGER_OK, .free_bytes = UINT64_MAX };
	pthread_mutex_init(&health->lock, NULL);
}

void ledger_health_close(struct ledger_health *health)
{
	pthread_mutex_destroy(&health->lock);
}

void ledger_health_error(struct ledger_health *health, const char *words)
{
	pthread_mutex_lock(&health->lock);
	snprintf(health->error, sizeof(health->error), "%s", words);
	pthread_mutex_unlock(&health->lock);
}

bool ledger_health_set(struct ledger_health *health, int err, const char *words)
{
	int state = err == 0		  ? LEDGER_OK
		    : ledger_is_full(err) ? LEDGER_FULL
		    : err == -ESTALE	  ? LEDGER_MISSING
		    : err == -EUCLEAN	  ? LEDGER_DAMAGED
					  : LEDGER_FAILING;

	if (words)
		ledger_health_error(health, words);
	return atomic_exchange(&health->state, state) != state;
}

void ledger_health_stats(struct ledger_health *health, struct ledger_stats *stats)
{
	stats->state = (enum ledger_state)atomic_load(&health->state);
	stats->rows = atomic_load(&health->rows);
	stats->batches = atomic_load(&health->batches);
	stats->lost = atomic_load(&health->lost);
	stats->programs_lost = atomic_load(&health->programs_lost);
	stats->duplicates = atomic_load(&health->duplicates);
	stats->damaged = atomic_load(&health->damaged);
	stats->dropped = atomic_load(&health->dropped);
	stats->refused = atomic_load(&health->refused);
	stats->events_dropped = atomic_load(&health->events_dropped);
	stats->expired = atomic_load(&health->expired);
	stats->db_bytes = atomic_load(&health->db_bytes);
	stats->free_bytes = atomic_load(&health->free_bytes);
	stats->ahead_until_ns = atomic_load(&health->ahead_until_ns);
	pthread_mutex_lock(&health->lock);
	memcpy(stats->error, health->error, sizeof(stats->error));
	pthread_mutex_unlock(&health->lock);
}
