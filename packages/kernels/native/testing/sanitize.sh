#!/bin/sh
# sanitize.sh DIRECTORY CPU: runs the tests of the kernels under AddressSanitizer with UndefinedBehaviorSanitizer, and
# under ThreadSanitizer. DIRECTORY and CPU are those of products-test; the first fault ends it. CXX is the compiler.
set -eu
export TSAN_OPTIONS=halt_on_error=1
here=$(dirname "$0")
for sanitizer in address,undefined thread; do
  for program in team-test products-test attention-test; do
    built=$("$here/build.sh" $program $sanitizer)
    echo "$program, $sanitizer"
    case $program in
      products-test) "$built" "$1" "$2" ;;
      attention-test) "$built" brief ;;
      team-test) "$built" ;;
    esac
  done
done
