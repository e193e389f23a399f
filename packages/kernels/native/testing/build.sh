#!/bin/sh
# build.sh PROGRAM [SANITIZER]: compiles testing/PROGRAM.cpp with the kernels, with a sanitizer if one is named
# (`address,undefined`, `thread`), and prints where the program is.
set -eu
native=$(cd "$(dirname "$0")/.." && pwd)
out=$native/../build/testing${2:+-$2}
mkdir -p "$out"
# Sanitizers check every access, which takes the compiler minutes at -O3.
level=${2:+-O1}
flags="-std=c++17 -g ${level:--O3} -ffp-contract=off ${2:+-fsanitize=$2 -fno-sanitize-recover=all}"
avx2="-mavx2 -mfma -mf16c"
avx512="$avx2 -mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx512vnni"
objects=
for source in $(cd "$native" && find . -name '*.cpp' -not -path './testing/*'); do
  object=$out/$(basename "$source" .cpp).o
  case $source in
    *amx-int8*) set_flags="$avx512 -mamx-tile -mamx-int8" ;;
    *avx512*) set_flags=$avx512 ;;
    *avx2*) set_flags=$avx2 ;;
    *) set_flags= ;;
  esac
  [ "$object" -nt "$native/$source" ] && [ -z "$(find "$native" -name '*.h' -newer "$object")" ] ||
    ${CXX:-c++} $flags -fno-exceptions -fno-rtti -fno-threadsafe-statics $set_flags -c "$native/$source" -o "$object"
  objects="$objects $object"
done
${CXX:-c++} $flags $avx2 "$native/testing/$1.cpp" $objects -ldl -lpthread -o "$out/$1"
echo "$out/$1"
