#!/bin/sh
# Fail when a file includes from a folder that its own folder may not know about.
# usage: check_layers.sh PROJECT-ROOT
cd "$1" || exit 2

bad=$(while read -r folder allowed; do
    [ -d "$folder" ] || continue
    pattern=$(echo "$folder/ $allowed" | sed 's/ /|/g')
    grep -rnE '^#include "' "$folder" --include='*.[ch]' | grep -vE "#include \"($pattern)"
done <<'RULES'
base
index base/
collectors base/ index/
analysis base/ index/ collectors/stats.h
replay base/ index/
ui base/ index/ collectors/stats.h analysis/finding.h analysis/lag.h analysis/trace.h replay/plan.h replay/progress.h
demo base/ index/ collectors/
console base/ index/ collectors/ analysis/ replay/ ui/ demo/
RULES
)
curses=$(grep -rnE '^#include <(ncursesw/|n?curses|term\.h)' base index collectors analysis replay ui demo console \
    --include='*.[ch]' 2>/dev/null | grep -v '^ui/term[a-z_]*\.[ch]:')
segments=$(grep -rnE '^#include "index/(journal|segment|block|part)' \
    collectors analysis replay ui demo console --include='*.[ch]' 2>/dev/null)

[ -z "$bad$curses$segments" ] && exit 0
printf '%s\n%s\n%s\n' "$bad" "$curses" "$segments" | sed '/^$/d; s/^/layering: /' >&2
exit 1
