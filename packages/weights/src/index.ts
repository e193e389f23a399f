export { WeightCache } from "./cache/weight-cache.js";
export { type FetchProgress, type FoundModel, fetchModel } from "./client/fetch-model.js";
export type { FetchCounts } from "./client/fetch-tensors.js";
export { FetchedFiles, fileAtPath, type ModelFiles } from "./client/model-files.js";
export { fileStamp } from "./files/file-stamp.js";
export { HashThread } from "./files/hash-thread.js";
export { TensorHashes, type WeightsFile } from "./files/tensor-hashes.js";
export { FairRate } from "./server/fair-rate.js";
export { type ServedWeights, WeightServer } from "./server/weight-server.js";
