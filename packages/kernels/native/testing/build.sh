#!/bin/sh
# build.sh PROGRAM [SANITIZER]: compiles testing/PROGRAM.cpp with the kernels, with a sanitizer if one is named
# (`address,undefined`, `thread`), and prints where the program is. CXX may be a compiler for another platform with its
# arguments, LINK what linking needs besides: CXX="zig c++ -target aarch64-linux-musl" LINK=-static.
set -eu
native=$(cd "$(dirname "$0")/.." && pwd)
arm64=no
if echo | ${CXX:-c++} -E -dM -x c++ - | grep __aarch64__ >/dev/null; then arm64=yes; fi
out=$native/../build/testing${2:+-$2}
[ $arm64 = no ] || out=$out-arm64
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
    *-neon*) [ $arm64 = yes ] || continue ;;
    *-avx* | *-amx*) [ $arm64 = no ] || continue ;;
  esac
  case $source in
    *neon-dotprod*) set_flags=-mcpu=generic+dotprod ;;
    *amx-int8*) set_flags="$avx512 -mamx-tile -mamx-int8" ;;
    *avx512*) set_flags=$avx512 ;;
    *avx2*) set_flags=$avx2 ;;
    *) set_flags= ;;
  esac
  [ "$object" -nt "$native/$source" ] && [ -z "$(find "$native" -name '*.h' -newer "$object")" ] ||
    ${CXX:-c++} $flags -fno-exceptions -fno-rtti -fno-threadsafe-statics $set_flags -c "$native/$source" -o "$object"
  objects="$objects $object"
done
${CXX:-c++} $flags "$native/testing/$1.cpp" $objects -ldl -lpthread ${LINK:-} -o "$out/$1"
echo "$out/$1"
