#!/bin/sh
# Compiles the vault: fs-vault.so (the preload), agentbox-launch and agentbox-enter (static) into OUTDIR. setup.py and the image build both
# use this script, so there is one way in which the sources become objects.
# Environment: CC (default cc), OUTDIR (default .), CFLAGS (added).
set -eu
src=$(cd "$(dirname "$0")" && pwd)
out=${OUTDIR:-.}
cc=${CC:-cc}
mkdir -p "$out"

# _FORTIFY_SOURCE and _FILE_OFFSET_BITS make open and open64 one symbol at compile time: the wrappers need both.
flags="-std=gnu11 -O2 -Wall -Wextra -Werror -fvisibility=hidden -D_GNU_SOURCE -U_FORTIFY_SOURCE -U_FILE_OFFSET_BITS
	-fstack-protector-strong -ffile-prefix-map=$src=csrc"
core="abi.c place.c policy.c rules.c path.c say.c load.c identity.c resolve.c sight.c"
preload="$core domain.c process.c keep.c guard.c audit.c exec.c spawn.c syscall.c strings.c real.c interpose.c interpose_exec.c vfork.c"
launch="$core domain.c preflight.c launch.c"
enter="abi.c say.c connect.c listen.c publish.c enter.c"

compile() { # OUTPUT OPTION-OR-SOURCE...
	target=$1
	shift
	# shellcheck disable=SC2086  # words by design: $cc and $flags hold several
	(cd "$src" && $cc $flags ${CFLAGS:-} "$@" -o "$out/$target")
}

out=$(cd "$out" && pwd)
# Every process that starts maps this object: few segments, no start files and late binding make half of what it costs. The
# pointers that relro would guard have neighbours that it cannot (the table of originals), so it is left out too.
lean="-nostartfiles -Wl,-z,noseparate-code,-z,norelro,-z,lazy,--hash-style=gnu,-O1 -s"

# shellcheck disable=SC2086
compile fs-vault.so -fPIC -shared $lean -Wl,-soname,fs-vault.so -Wl,-z,noexecstack -Wl,--build-id=none $preload
# shellcheck disable=SC2086
compile agentbox-launch -s -static -Wl,--build-id=none $launch
# shellcheck disable=SC2086
compile agentbox-enter -s -static -Wl,--build-id=none $enter
