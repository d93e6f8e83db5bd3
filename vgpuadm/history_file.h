/* SPDX-License-Identifier: GPL-2.0-or-later */
/* history_file.h - the file of the shell's history */

#ifndef VGPUADM_HISTORY_FILE_H
#define VGPUADM_HISTORY_FILE_H

/*
 * Makes the file and the directories to it, for the user's eyes only, where they are not there yet:
 * $XDG_STATE_HOME/vgpuadm/history, or ~/.local/state/vgpuadm/history.
 * Return: its path, to be freed; NULL: it cannot be made, and no history is kept.
 */
char *history_file_make(void);

#endif
