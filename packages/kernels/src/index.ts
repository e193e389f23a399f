export { findKernels, type KernelsFile } from "./library/find-kernels.js";
export { type BuildRecord, fileHash, sourcesHash } from "./records/build-record.js";
export { kernelsPlatform, LIBRARY_NAME } from "./records/platform.js";
export { isVerified } from "./records/verified.js";
