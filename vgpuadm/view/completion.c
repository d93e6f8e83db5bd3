/* SPDX-License-Identifier: GPL-2.0-or-later */
/* completion.c - scripts that let bash and zsh complete vgpuadm's words */

#include <string.h>

#include "vgpuadm/view/shape.h"
#include "vgpuadm/view/view_private.h"

/* They hand the words to `vgpuadm --complete`, which answers a candidate a line. */
static const char bash[] =
	"# vgpuadm in bash: source <(vgpuadm completion bash), or put it into\n"
	"# /etc/bash_completion.d/vgpuadm\n"
	"_vgpuadm()\n"
	"{\n"
	"    local words=() word before='' i\n"
	"    # bash splits words at = and : and replaces only what is behind them\n"
	"    for ((i = 1; i <= COMP_CWORD; i++)); do\n"
	"        word=${COMP_WORDS[i]}\n"
	"        if [[ $word == [=:]* || $before == [=:]* ]] && ((i > 1)); then\n"
	"            words[-1]+=$word\n"
	"        else\n"
	"            words+=(\"$word\")\n"
	"        fi\n"
	"        before=$word\n"
	"    done\n"
	"    mapfile -t COMPREPLY < <(\"${COMP_WORDS[0]}\" --complete \\\n"
	"        \"${words[@]}\" 2>/dev/null)\n"
	"    word=${words[-1]}\n"
	"    if [[ $word != \"${COMP_WORDS[COMP_CWORD]}\" ]]; then\n"
	"        COMPREPLY=(\"${COMPREPLY[@]#\"${word%\"${word##*[=:]}\"}\"}\")\n"
	"    fi\n"
	"}\n"
	"complete -o default -F _vgpuadm vgpuadm\n";

static const char zsh[] =
	"#compdef vgpuadm\n"
	"# vgpuadm in zsh: source <(vgpuadm completion zsh), or put it into a directory of $fpath as\n"
	"# _vgpuadm\n"
	"_vgpuadm()\n"
	"{\n"
	"    local -a candidates\n"
	"    candidates=(${(f)\"$(\"${words[1]}\" --complete \"${(@)words[2,CURRENT]}\" 2>/dev/null)\"})\n"
	"    if (( $#candidates )); then compadd -a candidates; else _files; fi\n"
	"}\n"
	"if [ \"$funcstack[1]\" = _vgpuadm ]; then _vgpuadm; else compdef _vgpuadm vgpuadm; fi\n";

int view_completion(struct view *view, struct fail *fail)
{
	struct output_shape shape = view_shape(ADMIN_CMD_COMPLETION, &view->args);
	const char *shell = pattern_value(&view->args, "shell");
	json_t *rows;

	if (view_choose_columns(view, &shape, fail) != 0)
		return fail->status;
	rows = json_pack("[{s:s}]", "text", strcmp(shell, "zsh") == 0 ? zsh : bash);
	view_write(view, &shape, rows, NULL, fail);
	json_decref(rows);
	return fail->status;
}
