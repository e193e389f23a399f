/** The shared library's name in a platform's folder. */
export const LIBRARY_NAME = "librhone-kernels.so";

/**
 * This process's platform as folders of libraries are named: "linux-x64", "linux-arm64"; with musl instead of glibc,
 * as on Alpine, "linux-x64-musl".
 */
export function kernelsPlatform(): string {
  const platform = `${process.platform}-${process.arch}`;
  return process.platform === "linux" && !hasGlibc() ? `${platform}-musl` : platform;
}

/** Node's report names the C library that it runs on; a static type for it does not exist. */
function hasGlibc(): boolean {
  const report = process.report?.getReport() as { header?: { glibcVersionRuntime?: string } } | undefined;
  return report?.header?.glibcVersionRuntime !== undefined;
}
