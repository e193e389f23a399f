export { WeightCache } from "./cache/weight-cache.js";
export type { FoundModel } from "./client/fetch-model.js";
export { FetchedFiles, fileAtPath, type ModelFiles, type WantedModel } from "./client/model-files.js";
export { type HeaderSettings, openHeader } from "./client/open-header.js";
export { fileStamp } from "./files/file-stamp.js";
export { HashThread } from "./files/hash-thread.js";
export { TensorHashes, type WeightsFile, weightsFile } from "./files/tensor-hashes.js";
export { FairRate } from "./server/fair-rate.js";
export { type ServedWeights, WeightServer } from "./server/weight-server.js";
